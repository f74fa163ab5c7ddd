"""Converts the arguments of ``requests``: bodies, timeouts, proxies, TLS settings, origins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

import requests
from requests.models import PreparedRequest
from requests.utils import prepend_scheme_if_needed, select_proxy
from urllib3.util import Retry, Timeout

from ..bodies.upload import read_body
from ..calls.call import Call
from ..models.auth import checked_auth_cfg
from ..models.failure import RequestNotSent
from ..models.headers import Pairs, encoded
from ..models.http_messages import Body
from ..models.proxy import Proxy
from ..models.tls import TlsSettings, merged_settings
from ..models.urls import origin
from ..prepare.build_request import checked_text, framing, without_framing
from ..prepare.settings import Settings
from ..proxies.parse import proxy_of
from ..qt.binding import type_name

Origins = Union[str, Iterable[str]]


def checked_origins(auth_cfg: str, urls: Origins) -> frozenset[str]:
    """Return the origins that may be given the credentials. Raises TypeError, ValueError."""
    checked_auth_cfg(auth_cfg)
    if isinstance(urls, bytes) or not isinstance(urls, Iterable):
        raise _no_origins(urls)
    origins = [urls] if isinstance(urls, str) else list(urls)
    if bool(auth_cfg) != bool(origins):
        raise ValueError(
            "authCfg and authOrigins go together: name the origins that may be given the credentials, "
            "as in authCfg='x7k2p0a', authOrigins=['https://api.example.org']"
        )
    return frozenset(_checked_origin(url) for url in origins)


def _checked_origin(url: str) -> str:
    if not isinstance(url, str):
        raise _no_origins(url)
    try:
        text, _, is_local = checked_text(url)
    except RequestNotSent as error:
        raise ValueError(f"{url!r} is not an origin, as in 'https://api.example.org': {error.failure.text}") from None
    if is_local:
        raise ValueError(f"{url!r} is not an origin: it must begin with http:// or https://")
    return origin(text)


def _no_origins(origins: Any) -> TypeError:
    return TypeError(f"authOrigins must be URLs as str, as in ['https://api.example.org'], not {type_name(origins)}")


def check_retries(retries: Any) -> None:
    """Raise TypeError, ValueError if ``retries`` is not a rule. HTTPAdapter itself would accept it."""
    if retries is not None and not isinstance(retries, (int, Retry)):
        raise TypeError(
            f"max_retries must be an urllib3.util.Retry, a number of retries or None, not {type_name(retries)}"
        )
    if isinstance(retries, int) and retries < 0:
        raise ValueError("max_retries must not be negative")


def has_retries(rule: Retry) -> bool:
    """Return whether a rule allows any retry. That of a plain HTTPAdapter does not."""
    counts = (rule.total, rule.connect, rule.read, rule.redirect, rule.status, rule.other)
    return any(count is not None and count is not False and count > 0 for count in counts)


def named_proxy(request: PreparedRequest, proxies: Mapping[str, str]) -> Optional[Proxy]:
    named = select_proxy(request.url or "", dict(proxies))
    try:
        return None if not named else proxy_of(_with_port(named))
    except ValueError as error:
        raise requests.exceptions.InvalidProxyURL(str(error), request=request) from None


def _with_port(proxy: str) -> str:
    """Return the URL of a proxy with the scheme and the port that requests takes if they are missing."""
    url: str = prepend_scheme_if_needed(proxy, "http")  # type: ignore[no-untyped-call]
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    port = {"http": ":80", "https": ":443"}.get(scheme.lower(), "")
    has_port = ":" in authority.rpartition("@")[2].rpartition("]")[2]
    return url if has_port else f"{scheme}{separator}{authority}{port}{slash}{path}"


def check_tls_files(verify: Any, cert: Any) -> None:
    """Raise OSError, in requests' words, if a file or folder does not exist."""
    if isinstance(verify, (str, os.PathLike)) and verify and not os.path.exists(verify):
        raise OSError(f"Could not find a suitable TLS CA certificate bundle, invalid path: {verify}")
    certificate, key = cert if isinstance(cert, (tuple, list)) else (cert, None)
    for path, what in ((certificate, "certificate"), (key, "key")):
        if path and not os.path.exists(path):
            raise OSError(f"Could not find the TLS {what} file, invalid path: {path}")


def timeouts_ms(timeout: Any, settings: Settings) -> tuple[int, int]:
    """Return the milliseconds for connecting (0: no limit of its own) and between two reads. Raises ValueError."""
    if isinstance(timeout, tuple) and len(timeout) != 2:
        raise ValueError(
            f"Invalid timeout {timeout}. Pass a (connect, read) timeout tuple, "
            "or a single float to set both timeouts to the same value."
        )
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    if isinstance(timeout, Timeout):
        connect, read = timeout.connect_timeout, timeout.read_timeout
    Timeout(connect=connect, read=read)  # raises ValueError, in urllib3's words
    # An urllib3.util.Timeout has another object if it names none.
    connect, read = (value if isinstance(value, (int, float)) else None for value in (connect, read))
    read_ms = settings.timeout if read is None else max(1, round(float(read) * 1000))
    return 0 if connect is None else max(1, round(float(connect) * 1000)), read_ms


def request_body(request: PreparedRequest, call: Call) -> Body:
    body: Any = request.body
    if body is None or body == "":
        return b"" if request.headers.get("Content-Length") == "0" else None
    if isinstance(body, str):
        return body.encode("utf-8")
    return read_body(body, call.stop_reason)


def request_fields(request: PreparedRequest, body: Body) -> Pairs:
    """Return the header fields that requests has made. Raises RequestNotSent."""
    fields = without_framing((encoded(name), encoded(value)) for name, value in request.headers.items())
    return (*fields, *framing(body))


def merged_tls(base: Optional[TlsSettings], verify: Any, cert: Any) -> Optional[TlsSettings]:
    """Return the manager's TLS settings, changed as the Session demands; None without any settings."""
    if base is not None and verify in environment_bundles():
        # requests has replaced True by it. The manager's settings take precedence over it.
        verify = True
    if verify is True and cert is None:
        return base
    settings: dict[str, Any] = {}
    if verify is False:
        settings["verify"] = False
    elif verify is not True:
        settings["caFile"] = verify
    if cert is not None:
        certificate, key = cert if isinstance(cert, (tuple, list)) else (cert, None)
        settings.update(clientCertificate=certificate, clientKey=key)
    tls_settings = TlsSettings(**settings)
    return tls_settings if base is None else merged_settings(tls_settings, base)


def environment_bundles() -> tuple[Optional[str], ...]:
    return os.environ.get("REQUESTS_CA_BUNDLE"), os.environ.get("CURL_CA_BUNDLE")


def url_error(error: RequestNotSent, request: PreparedRequest) -> requests.RequestException:
    text = error.failure.text
    if text.startswith("Protocol "):
        return requests.exceptions.InvalidSchema(text, request=request)
    return requests.exceptions.InvalidURL(text, request=request)
