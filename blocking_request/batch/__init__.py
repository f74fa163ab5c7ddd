"""Sends many requests at once; one loop in the calling thread drives them."""
