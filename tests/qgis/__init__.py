"""Inside QGIS."""
