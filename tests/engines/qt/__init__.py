"""Behaviour of the qt engine only."""
