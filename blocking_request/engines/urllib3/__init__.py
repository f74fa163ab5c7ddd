"""The engine ``urllib3``."""
