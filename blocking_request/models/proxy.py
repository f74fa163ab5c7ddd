"""A proxy as a value."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._names import public
from .auth import basic_authorization

DEFAULT_PORTS = {"http": 8080, "https": 443, "socks4": 1080, "socks5": 1080}
"""As Qt and curl have them."""


class ProxyUnusable(Exception):
    """No way through the proxy; the text says why."""


@public
@dataclass(frozen=True)
class Proxy:
    """One proxy, or none. A value: may be used from any thread."""

    kind: str
    """``"http"``: forwards http and tunnels https (RFC 9110 section 9.3.6); ``"https"``: the same over TLS;
    ``"socks5"``: RFC 1928; ``"socks4"``: SOCKS4a; ``"none"``: no proxy. SOCKS proxies look up the host. Qt serves
    ``"http"`` and ``"socks5"``."""
    host: str = ""
    port: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.kind not in ("none", *DEFAULT_PORTS):
            raise ValueError(f"a proxy is of the kind 'http', 'https', 'socks5', 'socks4' or 'none', not {self.kind!r}")
        if self.kind == "none":
            return
        if not isinstance(self.host, str):
            raise TypeError(f"a proxy's host is a str, not {type(self.host).__name__}")
        if not self.host or any(character in self.host for character in "/@ \r\n\0"):
            raise ValueError("a proxy's host is a name or an address, and not empty")
        if isinstance(self.port, bool) or not isinstance(self.port, int):
            raise TypeError(f"a proxy's port is a number, not {type(self.port).__name__}")
        if not 0 < self.port < 65536:
            raise ValueError(f"a proxy's port is a number from 1 to 65535, not {self.port!r}")

    @property
    def address(self) -> str:
        """Host and port, as they are shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_none(self) -> bool:
        return self.kind == "none"

    def forwards(self, url: str) -> bool:
        """Return whether the proxy gets the whole request. Otherwise it opens a tunnel to the server."""
        return self.kind in ("http", "https") and url.startswith("http:")

    @property
    def authorization(self) -> bytes:
        """The value of ``Proxy-Authorization`` (RFC 7617); empty without a user."""
        if not self.user:
            return b""
        return basic_authorization(self.user, self.password)


NO_PROXY = Proxy("none")
