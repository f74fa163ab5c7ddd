"""The classes of Qt 4's QHttp."""
