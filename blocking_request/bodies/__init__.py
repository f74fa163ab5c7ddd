"""The bodies of requests, and the targets of the bodies of responses: files, devices, the cache."""
