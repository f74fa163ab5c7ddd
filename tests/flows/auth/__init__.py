"""Credentials for servers and proxies, without a network."""
