"""Engines: which one sends a request, and what each makes of a server's bytes."""
