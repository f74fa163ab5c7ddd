"""Drives one call from the prepared request to its response, and runs the caller's code (slots, handlers) meanwhile."""
