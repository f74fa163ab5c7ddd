"""Makes a Request of the caller's objects: a QNetworkRequest, a QUrl or text; bytes, a device or a file.

All errors of a request are found here, before it reaches an engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import NamedTuple, Optional

from ..engines.content_decoding import ACCEPT_ENCODING
from ..flows.cache.load_control import CacheLoadControl
from ..models.auth import AuthConfig
from ..models.connection_options import DEFAULT_CONNECTION
from ..models.failure import QtNetworkError, request_not_sent
from ..models.headers import FRAMING_FIELDS, Pairs, field_problem, is_token
from ..models.http_messages import Body, Request
from ..models.redaction import hidden_repr
from ..models.urls import is_canonical, is_web_url, normalized, split_userinfo
from ..qt.binding import QtCore, QtNetwork
from ..qt.connection_options import connection_options
from ..qt.network_request import raw_fields, unshared_copy
from .arguments import NO_ARGUMENTS, CallArguments
from .request_attributes import RequestLike, cache_load_control, expansion_threshold

_Attribute = QtNetwork.QNetworkRequest.Attribute
_Request = QtNetwork.QNetworkRequest

_STANDARD_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"))
_NEVER_EMPTY = frozenset((b"user-agent", b"accept-encoding", b"accept-language"))
"""Qt puts its own in the place of an empty one."""

_BEGIN = "the URL must begin with http:// or https://"
_LOCAL_SCHEMES = frozenset(("file", "data", "qrc"))

_Userinfo = Optional[tuple[str, str]]


class Defaults(NamedTuple):
    """The default fields of a request."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    user_agent: str
    headers: Pairs = ()


def build_request(
    request: RequestLike,
    method: str,
    body: Body,
    force_refresh: bool,
    defaults: Defaults,
    arguments: CallArguments = NO_ARGUMENTS,
) -> Request:
    """Raises RequestNotSent for a request that no engine may see."""
    qt_request = unshared_copy(request) if isinstance(request, QtNetwork.QNetworkRequest) else None
    method = _normalized_method(method or _custom_verb(qt_request))
    if not body and method in ("GET", "HEAD"):
        body = None
    url, _, is_local = checked_text(request) if isinstance(request, str) else checked_url(_qurl(request))
    if is_local and (method != "GET" or body is not None):
        text = f"{url.partition(':')[0]}: URLs can be read with GET only, not with {method}"
        raise request_not_sent(QtNetworkError.ContentOperationNotPermittedError, text)
    _check_method(method)
    if method == "HEAD" and body is not None:
        raise request_not_sent(QtNetworkError.ProtocolInvalidOperationError, "A HEAD request carries no body")
    argument_names = arguments.names
    refreshes = force_refresh
    own: Pairs = ()
    connection, threshold = DEFAULT_CONNECTION, None
    if qt_request is not None:
        connection, threshold = connection_options(qt_request), expansion_threshold(qt_request)
        refreshes = cache_load_control(qt_request, force_refresh) is CacheLoadControl.AlwaysNetwork
        own = raw_fields(qt_request)
    if not own and not argument_names:
        headers = _defaults(_NO_NAMES, method, body, refreshes, defaults)
        return Request(method, url, headers, body, qt_request, expansion_threshold=threshold, connection=connection)
    if qt_request is None:
        qt_request = _Request()
    own = tuple(pair for pair in own if pair[0].lower() not in argument_names) + arguments.headers
    own = tuple((name, value) for name, value in own if value or name.lower() not in _NEVER_EMPTY)
    for name, value in own:
        check_field(name, value)
    names = {name.lower() for name, _ in own}
    headers = tuple(pair for pair in own if pair[0].lower() not in FRAMING_FIELDS)
    omitted = arguments.omitted
    headers += _defaults(names | omitted if omitted else names, method, body, refreshes, defaults)
    decode = b"accept-encoding" not in names
    return Request(
        method,
        url,
        headers,
        body,
        qt_request,
        decode,
        omitted=omitted,
        expansion_threshold=threshold,
        connection=connection,
    )


def url_credentials(request: RequestLike) -> Optional[AuthConfig]:
    """Return user and password of the URL, or None. Raises RequestNotSent if they cannot be sent."""
    text = request if isinstance(request, str) else _qurl(request).toEncoded().data().decode("ascii", "replace")
    if "@" not in text:
        return None
    userinfo = checked_text(request)[1] if isinstance(request, str) else checked_url(_qurl(request))[1]
    return None if userinfo is None else userinfo_config(userinfo)


def userinfo_config(userinfo: tuple[str, str]) -> AuthConfig:
    try:
        return AuthConfig.basic(*userinfo)
    except ValueError as error:
        raise request_not_sent(QtNetworkError.ProtocolInvalidOperationError, f"The URL's userinfo: {error}") from None


_NO_NAMES: frozenset[bytes] = frozenset()


def checked_text(url: str) -> tuple[str, _Userinfo, bool]:
    """As ``checked_url``, of text."""
    if is_canonical(url):
        return url, None, False
    text = url.strip()
    return (*_checked_web_url(text), False) if is_web_url(text) else checked_url(_qurl(url))


def _checked_web_url(url: str) -> tuple[str, _Userinfo]:
    try:
        return split_userinfo(normalized(url))
    except ValueError as error:
        raise request_not_sent(QtNetworkError.ProtocolUnknownError, f"The URL is not valid: {error}") from None


def _qurl(request: RequestLike) -> QtCore.QUrl:
    if isinstance(request, str):
        return QtCore.QUrl(request.strip())
    return request.url() if isinstance(request, QtNetwork.QNetworkRequest) else request


def url_text(request: RequestLike) -> str:
    """The URL as the caller gave it, for messages; it may be none."""
    qurl = _qurl(request)
    text = request if isinstance(request, str) else qurl.toEncoded().data().decode("ascii", "replace")
    if qurl.isValid() and qurl.scheme() in ("http", "https") and qurl.host():
        return text
    # The parts of an invalid URL are not known: the text before an @ may be a password.
    return text.rpartition("@")[2]


def checked_url(qurl: QtCore.QUrl) -> tuple[str, _Userinfo, bool]:
    """The URL without its userinfo, the userinfo, and whether it is read without a network."""
    encoded = qurl.toEncoded().data().decode("ascii", "replace")
    scheme = qurl.scheme()
    if not qurl.isValid() and qurl.errorString():
        text = f"The URL is not valid: {qurl.errorString().partition(';')[0]}"
        if not scheme:  # as in 127.0.0.1:8000/path
            text += f"; {_BEGIN}"
        raise request_not_sent(QtNetworkError.ProtocolUnknownError, text)
    if scheme in _LOCAL_SCHEMES:
        return encoded, None, True
    if scheme not in ("http", "https"):
        raise request_not_sent(QtNetworkError.ProtocolUnknownError, f'Protocol "{scheme}" is unknown: {_BEGIN}')
    if not qurl.host():
        text = 'Host "" not found: the URL names no host'
        raise request_not_sent(QtNetworkError.HostNotFoundError, text)
    return (*_checked_web_url(encoded), False)


def without_framing(fields: Iterable[tuple[bytes, bytes]]) -> Pairs:
    """Return the header fields of a caller without Content-Length and Transfer-Encoding. Raises RequestNotSent."""
    pairs = tuple(pair for pair in fields if pair[0].lower() not in FRAMING_FIELDS)
    for name, value in pairs:
        check_field(name, value)
    return pairs


def framing(body: Body) -> Pairs:
    size = len(body) if isinstance(body, bytes) else -1 if body is None else body.size
    return ((b"Content-Length", b"%d" % size),) if size >= 0 else ()


def check_field(name: bytes, value: bytes) -> None:
    """Raises RequestNotSent for a field that may not be sent."""
    problem = field_problem(name, value)
    if problem is not None:
        raise request_not_sent(QtNetworkError.ProtocolInvalidOperationError, problem)


@lru_cache(maxsize=64)
def _check_method(method: str) -> None:
    if not is_token(method.encode("latin-1", "replace")):
        text = f"The verb {method!r} is no HTTP method: letters, digits and !#$%&'*+-.^_`|~ only (RFC 9110, 9.1)"
    elif method == "CONNECT":
        text = "CONNECT asks for a tunnel, which is a proxy's business: set a proxy instead"
    else:
        return
    raise request_not_sent(QtNetworkError.ProtocolInvalidOperationError, text)


def _normalized_method(method: str) -> str:
    """Methods are case-sensitive (RFC 9110 section 9.1), but Qt 6 and most people take ``get`` for GET."""
    upper = method.upper()
    return upper if upper in _STANDARD_METHODS else method


def _custom_verb(qt_request: Optional[QtNetwork.QNetworkRequest]) -> str:
    verb = None if qt_request is None else qt_request.attribute(_Attribute.CustomVerbAttribute)
    return verb.data().decode("latin-1") if isinstance(verb, QtCore.QByteArray) else str(verb or "")


def _defaults(names: AbstractSet[bytes], method: str, body: Body, refresh: bool, defaults: Defaults) -> Pairs:
    """The fields that the caller did not give, beside ``names``."""
    usual = _usual_defaults(defaults.user_agent)
    if not names and body is None and not refresh and not defaults.headers:
        return usual
    wanted = [(name, value) for name, value in defaults.headers if name.lower() not in names]
    if wanted:
        names = names | {name.lower() for name, _ in wanted}
    fields = [pair for pair in usual if pair[0].lower() not in names]
    fields.extend(wanted)
    fields.extend(framing(body))
    if body is not None and method == "POST" and b"content-type" not in names:
        # Qt's own default.
        fields.append((b"Content-Type", b"application/x-www-form-urlencoded"))
    if refresh and b"cache-control" not in names:
        fields.extend(((b"Cache-Control", b"no-cache"), (b"Pragma", b"no-cache")))
    return tuple(fields)


@lru_cache(maxsize=8)
def _usual_defaults(user_agent: str) -> Pairs:
    """The fields of a request without a body to which the caller gave no field."""
    return (b"User-Agent", user_agent.encode("latin-1", "replace")), (b"Accept-Encoding", ACCEPT_ENCODING)
