"""Policies as generators, without a network."""
