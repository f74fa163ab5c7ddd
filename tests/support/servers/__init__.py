"""Servers on loopback."""
