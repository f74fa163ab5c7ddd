"""The rules of the HTTP cache (RFC 9111). What keeps the responses is in ``stores/cache``."""
