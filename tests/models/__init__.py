"""Values, without Qt and without a network."""
