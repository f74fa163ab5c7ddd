"""Engines: the choice of an engine, and the result that each makes of a server's bytes."""
