"""The version of the package. ``setup.py`` reads this file without importing it: keep the value a literal."""

VERSION = "0.1.0"
