"""Bodies that are sent, and where bodies that are received go: files, devices, the cache."""
