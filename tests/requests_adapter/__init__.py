"""The transport adapter for requests."""
