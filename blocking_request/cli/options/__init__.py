"""The options of the command line: one module for each group of ``--help``."""
