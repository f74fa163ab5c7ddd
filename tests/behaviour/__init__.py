"""What a caller sees, over real servers on every engine."""
