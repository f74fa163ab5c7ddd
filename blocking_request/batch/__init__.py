"""Many requests at once, driven by one loop in the calling thread."""
