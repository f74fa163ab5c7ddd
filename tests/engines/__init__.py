"""Engines: the choice of an engine, and the result of each for the bytes of a server."""
