"""The rules of the HTTP cache (RFC 9111). ``stores/cache`` stores the responses."""
