"""The rules of the HTTP cache, without a network."""
