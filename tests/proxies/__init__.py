"""Which proxy is used for a URL."""
