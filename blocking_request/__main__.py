"""``python -m blocking_request`` and the ``blocking-request`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. If its libraries are missing, exit with a message that names the package to install."""
    try:
        from .cli.run import run
    except ImportError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit(f"The command line needs {error.name}. Install it: python3 -m pip install 'blocking-request[cli]'")
    run()


if __name__ == "__main__":
    main()
