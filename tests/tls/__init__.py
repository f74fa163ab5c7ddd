"""TLS settings and certificates of servers."""
