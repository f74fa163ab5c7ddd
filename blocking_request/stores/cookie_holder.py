"""CookieHolder: the cookies of a manager's settings. The jar is made when the first one comes.

Most programs never have a cookie, and the jar brings ``requests`` and ``http.cookiejar``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Optional

from .._first_use import first_use

if TYPE_CHECKING:
    from .cookie_jar import CookieJar


class CookieHolder:
    """Every method may be called from any thread."""

    def __init__(self, jar: Optional[CookieJar] = None) -> None:
        self._jars = [] if jar is None else [jar]
        """The first one counts: several threads may make one at the same time."""

    @property
    def jar(self) -> CookieJar:
        if not self._jars:
            with first_use:
                from .cookie_jar import CookieJar
            self._jars.append(CookieJar())
        return self._jars[0]

    def header(self, url: str) -> Optional[bytes]:
        """Return the value of the ``Cookie`` field for a request, or None if no cookie fits."""
        if not self._jars:
            return None
        from .cookie_jar import cookie_header  # it is loaded, because there is a jar

        return cookie_header(self._jars[0], url)

    def receive(self, url: str, values: Iterable[bytes]) -> None:
        """Set and delete cookies as the ``Set-Cookie`` fields of a response say."""
        jar = self.jar
        from .cookie_jar import receive_cookies

        receive_cookies(jar, url, values)
