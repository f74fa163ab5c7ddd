"""The behaviour that a caller sees, with real servers on every engine."""
