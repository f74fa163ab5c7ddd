"""NetworkAccessManager: the settings that requests share, and its methods."""
