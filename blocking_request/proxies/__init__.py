"""Which proxy serves which URL."""
