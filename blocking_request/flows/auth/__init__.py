"""Credentials of servers (401) and proxies (407)."""
