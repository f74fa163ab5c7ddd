"""Stores that threads share: cookies, credentials, hosts with strict transport security, the cache."""
