"""Values without Qt, I/O and threads: requests, responses, headers, URLs, credentials, proxies, TLS settings."""
