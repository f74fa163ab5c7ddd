"""Cookie jars and other stores that threads and processes share."""
