"""What differs between PyQt5 and PyQt6, and what Qt needs to be used safely from Python."""
