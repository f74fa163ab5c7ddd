"""The differences between PyQt5, PyQt6 and PySide6, and what makes Qt safe to use from Python threads."""
