"""NetworkAccessManager: the settings that requests share."""
