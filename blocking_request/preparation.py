"""From what the caller gave (a QNetworkRequest, a QUrl or text; bytes, a device or a file) to an Exchange.

Everything that is wrong with a request is found here, before anything reaches a wire.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from requests.auth import _basic_auth_str

from .engines.body import ACCEPT_ENCODING
from .errors import Failure, QtNetworkError, network_failure
from .exchange import Exchange
from .flows.redirects import RedirectPolicy, RedirectRules
from .headers import Pairs
from .qt import QtCore, QtNetwork, enum_value
from .urls import CACHED_URL_LENGTH, split_userinfo

if TYPE_CHECKING:
    from typing_extensions import TypeGuard

_Attribute = QtNetwork.QNetworkRequest.Attribute
_Request = QtNetwork.QNetworkRequest

RequestLike = Union[QtNetwork.QNetworkRequest, QtCore.QUrl, str]
Data = Any
"""bytes-like, QByteArray, an open QIODevice, a binary file, or None."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_STANDARD_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"))
_FORBIDDEN_IN_VALUE = re.compile(rb"[\r\n\0]")
_FRAMING_FIELDS = frozenset((b"content-length", b"transfer-encoding"))
"""Ours to say: a length that does not fit the body hangs or truncates the request."""

_NEVER_EMPTY = frozenset((b"user-agent", b"accept-encoding", b"accept-language"))
"""Qt puts its own in the place of an empty one."""

_BYTES_LIKE = (bytes, bytearray, memoryview, QtCore.QByteArray)

_LOCAL_SCHEMES = frozenset(("file", "data", "qrc"))
_DEVICE_CHUNK = 1 << 20
_DEVICE_WAIT_MS = 50


_Userinfo = Optional[tuple[str, str]]


class Unsendable(Exception):
    """The request cannot be sent; ``failure`` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


def check_types(request: RequestLike, data: Data) -> None:
    """Raises TypeError for what is no request or no body."""
    if not isinstance(request, (QtNetwork.QNetworkRequest, QtCore.QUrl, str)):
        raise TypeError(f"request must be a QNetworkRequest, a QUrl or a str, not {type(request).__name__}")
    if isinstance(data, str):
        raise TypeError("data must be bytes, not str: encode it first, data.encode('utf-8')")
    if isinstance(data, io.TextIOBase):
        raise TypeError("data is a file opened as text: open it in binary mode, open(path, 'rb')")
    if not (data is None or isinstance(data, (*_BYTES_LIKE, QtCore.QIODevice)) or hasattr(data, "read")):
        raise TypeError(
            "data must be bytes-like, a QByteArray, an open QIODevice, a binary file or None, "
            f"not {type(data).__name__}"
        )


def prepare(request: RequestLike, method: str, body: Optional[bytes], force_refresh: bool, user_agent: str) -> Exchange:
    """Raises Unsendable for a request that no wire may see."""
    if body is None and _is_kept(request):
        return _plain_exchange(request, method, force_refresh, user_agent)
    return _prepare(request, method, body, force_refresh, user_agent)


def _prepare(
    request: RequestLike, method: str, body: Optional[bytes], force_refresh: bool, user_agent: str
) -> Exchange:
    native = _copy(request) if isinstance(request, QtNetwork.QNetworkRequest) else None
    method = _spelled(method or _custom_verb(native))
    if not body and method in ("GET", "HEAD"):
        body = None
    url, userinfo, is_local = _checked_text(request) if _is_kept(request) else _checked_url(_qurl(request))
    if is_local and (method != "GET" or body is not None):
        text = f"{url.partition(':')[0]}: URLs can be read with GET only, not with {method}"
        raise _unsendable(QtNetworkError.ContentOperationNotPermittedError, text)
    _check_method(method)
    if method == "HEAD" and body is not None:
        raise _unsendable(QtNetworkError.ProtocolInvalidOperationError, "A HEAD request carries no body")
    if native is None:
        headers = _defaults(_NO_NAMES, method, body, force_refresh, user_agent, userinfo)
        return Exchange(method, url, headers, body)
    fields = ((name.data(), native.rawHeader(name).data()) for name in native.rawHeaderList())
    own = tuple((name, value) for name, value in fields if value or name.lower() not in _NEVER_EMPTY)
    for name, value in own:
        _check_field(name, value)
    if _load_control(native) == _ALWAYS_CACHE:
        raise _unsendable(QtNetworkError.ContentNotFoundError, "Not in the cache")
    names = {name.lower() for name, _ in own}
    headers = tuple(pair for pair in own if pair[0].lower() not in _FRAMING_FIELDS)
    refresh = force_refresh or _load_control(native) == _ALWAYS_NETWORK
    headers += _defaults(names, method, body, refresh, user_agent, userinfo)
    return Exchange(method, url, headers, body, native, decode=b"accept-encoding" not in names)


def _copy(request: QtNetwork.QNetworkRequest) -> QtNetwork.QNetworkRequest:
    """A copy that shares nothing with the caller's.

    Qt writes into a request when it is asked for its TLS configuration: the default one of that moment, which would
    then be taken for the request's own (5.15, 6.11).
    """
    copy = _Request(request)
    copy.setPriority(copy.priority())
    return copy


_NO_NAMES: frozenset[bytes] = frozenset()


@lru_cache(maxsize=256)
def _plain_exchange(url: str, method: str, force_refresh: bool, user_agent: str) -> Exchange:
    """For the many that ask the same URL again: an Exchange is a value and may be sent any number of times."""
    return _prepare(url, method, None, force_refresh, user_agent)


def _is_kept(request: RequestLike) -> TypeGuard[str]:
    """Whether what becomes of a URL may be kept for the next time: not if it is large, or has a password in it."""
    return isinstance(request, str) and "@" not in request and len(request) <= CACHED_URL_LENGTH


@lru_cache(maxsize=256)
def _checked_text(url: str) -> tuple[str, _Userinfo, bool]:
    return _checked_url(_qurl(url))


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
    # Nobody can tell what stands where: what precedes an @ may be a password.
    return text.rpartition("@")[2]


def _checked_url(qurl: QtCore.QUrl) -> tuple[str, _Userinfo, bool]:
    """The URL without its userinfo, the userinfo, and whether it is read without a network."""
    encoded = qurl.toEncoded().data().decode("ascii", "replace")
    scheme = qurl.scheme()
    if not qurl.isValid() and qurl.errorString():
        text = f"The URL is not valid: {qurl.errorString().partition(';')[0]}"
        raise _unsendable(QtNetworkError.ProtocolUnknownError, text)
    if scheme in _LOCAL_SCHEMES:
        return encoded, None, True
    if scheme not in ("http", "https"):
        text = f'Protocol "{scheme}" is unknown'
        if not scheme:
            text += ": the URL must begin with http:// or https://"
        raise _unsendable(QtNetworkError.ProtocolUnknownError, text)
    if not qurl.host():
        text = "Host  not found: the URL names no host"
        raise _unsendable(QtNetworkError.HostNotFoundError, text)
    return (*split_userinfo(encoded), False)


def _check_field(name: bytes, value: bytes) -> None:
    if not _TOKEN.fullmatch(name.decode("latin-1")):
        text = f"The header name {name!r} is not allowed: letters, digits and !#$%&'*+-.^_`|~ only (RFC 9110, 5.1)"
    elif _FORBIDDEN_IN_VALUE.search(value):
        # The value itself may be a secret and is not shown.
        text = (
            f"The value of the header {name.decode('latin-1')} holds a line end or NUL, which would split the request"
        )
    else:
        return
    raise _unsendable(QtNetworkError.ProtocolInvalidOperationError, text)


@lru_cache(maxsize=64)
def _check_method(method: str) -> None:
    if not _TOKEN.fullmatch(method):
        text = f"The verb {method!r} is no HTTP method: letters, digits and !#$%&'*+-.^_`|~ only (RFC 9110, 9.1)"
    elif method == "CONNECT":
        text = "CONNECT asks for a tunnel, which is a proxy's business: set a proxy instead"
    else:
        return
    raise _unsendable(QtNetworkError.ProtocolInvalidOperationError, text)


def _spelled(method: str) -> str:
    """Methods are case-sensitive (RFC 9110 section 9.1), but Qt 6 and most people take ``get`` for GET."""
    upper = method.upper()
    return upper if upper in _STANDARD_METHODS else method


def _custom_verb(native: Optional[QtNetwork.QNetworkRequest]) -> str:
    verb = None if native is None else native.attribute(_Attribute.CustomVerbAttribute)
    return verb.data().decode("latin-1") if isinstance(verb, QtCore.QByteArray) else str(verb or "")


_ALWAYS_CACHE = enum_value(_Request.CacheLoadControl.AlwaysCache)
_ALWAYS_NETWORK = enum_value(_Request.CacheLoadControl.AlwaysNetwork)


def _load_control(native: Optional[QtNetwork.QNetworkRequest]) -> Optional[int]:
    control = None if native is None else native.attribute(_Attribute.CacheLoadControlAttribute)
    return None if control is None else enum_value(control)


def _defaults(
    names: AbstractSet[bytes],
    method: str,
    body: Optional[bytes],
    refresh: bool,
    user_agent: str,
    userinfo: _Userinfo,
) -> Pairs:
    fields: list[tuple[bytes, bytes]] = []
    if b"user-agent" not in names:
        fields.append((b"User-Agent", user_agent.encode("latin-1", "replace")))
    if b"accept-encoding" not in names:
        fields.append((b"Accept-Encoding", ACCEPT_ENCODING))
    if body is not None:
        fields.append((b"Content-Length", b"%d" % len(body)))
        if method == "POST" and b"content-type" not in names:
            # Qt's own default.
            fields.append((b"Content-Type", b"application/x-www-form-urlencoded"))
    if refresh and b"cache-control" not in names:
        fields.extend(((b"Cache-Control", b"no-cache"), (b"Pragma", b"no-cache")))
    if userinfo is not None and b"authorization" not in names:
        fields.append((b"Authorization", _basic_auth_str(*(part.encode() for part in userinfo)).encode("latin-1")))
    return tuple(fields)


_DEFAULT_RULES = RedirectRules()


def redirect_rules(request: RequestLike) -> RedirectRules:
    """What the request's redirect attributes say."""
    if not isinstance(request, QtNetwork.QNetworkRequest):
        return _DEFAULT_RULES
    limit = request.maximumRedirectsAllowed()
    policy = request.attribute(_Attribute.RedirectPolicyAttribute)
    if policy is not None:
        return RedirectRules(RedirectPolicy(enum_value(policy)), limit)
    old_switch = getattr(_Attribute, "FollowRedirectsAttribute", None)  # Qt 5 only
    if old_switch is not None and request.attribute(old_switch) is False:
        return RedirectRules(RedirectPolicy.Manual, limit)
    return RedirectRules(limit=limit)


def transfer_timeout(request: RequestLike) -> int:
    """The request's own idle timeout in ms; 0 where it has none."""
    return request.transferTimeout() if isinstance(request, QtNetwork.QNetworkRequest) else 0


def read_body(data: Data, ended_early: Callable[[], Optional[Failure]]) -> Optional[bytes]:
    """The bytes of what the caller wants sent, read in the caller's thread.

    A sequential device may keep us waiting for its data; ``ended_early`` is asked meanwhile whether to go on. Raises
    TypeError for what is no body, Unsendable for a device or file that cannot be read.
    """
    if data is None or isinstance(data, bytes):
        return data
    if isinstance(data, _BYTES_LIKE):
        return bytes(data)
    if isinstance(data, QtCore.QIODevice):
        return _read_device(data, ended_early)
    try:
        content = data.read()
    except (OSError, ValueError) as error:
        raise _unreadable(f"The file that is to be sent cannot be read: {error}") from error
    if not isinstance(content, _BYTES_LIKE):
        raise TypeError(f"data.read() must give bytes, not {type(content).__name__}: open the file in binary mode")
    return bytes(content)


def _read_device(device: QtCore.QIODevice, ended_early: Callable[[], Optional[Failure]]) -> bytes:
    if not device.isReadable():
        state = "open for writing only" if device.isOpen() else "closed"
        raise _unreadable(
            f"The QIODevice that is to be sent is {state}: open it first, device.open(QIODevice.OpenModeFlag.ReadOnly)"
        )
    if isinstance(device, QtNetwork.QNetworkReply) and not device.isFinished():
        raise _unreadable("The QNetworkReply that is to be sent has not finished, and cannot while this thread blocks")
    pieces: list[bytes] = []
    while True:
        piece = device.read(_DEVICE_CHUNK)
        if piece:
            pieces.append(bytes(piece))
            continue
        if piece is None and not device.isSequential():
            raise _unreadable(f"The QIODevice that is to be sent cannot be read: {device.errorString()}")
        if piece is None or not device.isSequential():
            return b"".join(pieces)
        failure = ended_early()
        if failure is not None:
            raise Unsendable(failure)
        started = time.monotonic()
        ready = device.waitForReadyRead(_DEVICE_WAIT_MS) or device.bytesAvailable() > 0
        # A no that comes at once means that there will be no more; after the whole wait it means not yet.
        if not ready and time.monotonic() - started < _DEVICE_WAIT_MS / 2000:
            return b"".join(pieces)


def _unreadable(text: str) -> Unsendable:
    return _unsendable(QtNetworkError.ProtocolInvalidOperationError, text)


def _unsendable(error: QtNetworkError, text: str) -> Unsendable:
    return Unsendable(network_failure(error, text))
