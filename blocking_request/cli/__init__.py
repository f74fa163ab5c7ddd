"""The command line program ``blocking-request``."""
