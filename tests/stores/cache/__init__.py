"""The caches in memory and on disk."""
