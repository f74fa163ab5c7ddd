"""Certificates and keys on their way between files, Python and Qt."""
