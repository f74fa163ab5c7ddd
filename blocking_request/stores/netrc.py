"""Credentials from netrc files (https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html)."""

from __future__ import annotations

import netrc
from typing import Optional, Union
from urllib.parse import urlsplit

from .._first_use import first_use
from ..models.auth import AuthConfig
from ..trace import logger


def netrc_config(url: str, file: Union[bool, str]) -> Optional[AuthConfig]:
    """Return the credentials for the host of a URL, or None.

    ``file``: the path of the file; True: the file that the environment variable ``NETRC`` names, else ``~/.netrc`` or
    ``~/_netrc``. A file that cannot be read is ignored, as by requests and curl; the log has a warning.
    """
    with first_use:
        from requests.utils import get_netrc_auth
    try:
        login = get_netrc_auth(url) if isinstance(file, bool) else _of_file(url, file)
        return None if login is None else AuthConfig.basic(*login)
    except (OSError, ValueError, netrc.NetrcParseError) as error:
        logger.warning("the netrc file is not used: %s", type(error).__name__)
        return None


def _of_file(url: str, path: str) -> Optional[tuple[str, str]]:
    entry = netrc.netrc(path).authenticators(urlsplit(url).hostname or "")
    return None if entry is None else (entry[0] or entry[1] or "", entry[2] or "")
