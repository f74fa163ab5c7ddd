"""QGIS's settings and its authentication database."""
