"""The command line, ``blocking-request``."""
