"""The differences between PyQt5 and PyQt6, and the precautions that make Qt safe to use from Python threads."""
