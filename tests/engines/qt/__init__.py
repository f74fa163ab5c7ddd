"""What only Qt's engine does."""
