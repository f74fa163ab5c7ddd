"""The command ``demo``: promises of the package, each tried on a server on loopback."""
