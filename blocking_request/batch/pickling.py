"""Pickles a QNetworkRequest, which Qt's bindings cannot: its URL, headers and attributes as a plain value."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .._names import pickled
from ..models.redaction import SECRET_PARAMETERS, hidden_repr, is_secret_field
from ..prepare.request_attributes import RequestLike
from ..qt.binding import QtCore, QtNetwork, encoded_url, enum_value
from ..qt.network_request import has_tls_configuration, raw_fields

_Request = QtNetwork.QNetworkRequest
_ATTRIBUTES = range(enum_value(_Request.Attribute.User))
"""The codes of Qt's own attributes. Attributes of the application (``User`` and above) are not pickled."""


@pickled
class PackedUrl(NamedTuple):
    """A QUrl."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    url: str

    def request(self) -> QtCore.QUrl:
        return encoded_url(self.url)


@pickled
class PackedRequest(NamedTuple):
    """A QNetworkRequest. ``transfer_timeout`` is in ms."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    url: str
    headers: tuple[tuple[bytes, bytes], ...]
    attributes: tuple[tuple[int, Any], ...]
    transfer_timeout: int
    maximum_redirects: int
    priority: int
    peer_verify_name: str

    def request(self) -> QtNetwork.QNetworkRequest:
        request = _Request(encoded_url(self.url))
        for name, value in self.headers:
            request.setRawHeader(name, value)  # type: ignore[arg-type]
        for code, value in self.attributes:
            request.setAttribute(_Request.Attribute(code), value)
        request.setTransferTimeout(self.transfer_timeout)
        request.setMaximumRedirectsAllowed(self.maximum_redirects)
        request.setPriority(_Request.Priority(self.priority))
        if self.peer_verify_name:
            request.setPeerVerifyName(self.peer_verify_name)
        return request


def packed(request: RequestLike) -> Any:
    """Return the value that is pickled for a request. Raises TypeError if the request contains a secret."""
    if isinstance(request, str):
        _check_url(request)
        return request
    url = request if isinstance(request, QtCore.QUrl) else request.url()
    text = url.toEncoded().data().decode("ascii")
    _check_url(text)
    if not isinstance(request, _Request):
        return PackedUrl(text)
    if has_tls_configuration(request):
        raise TypeError("a request with a QSslConfiguration cannot be pickled: set TlsSettings in the manager instead")
    headers = raw_fields(request)
    secret = next((name for name, _ in headers if is_secret_field(name, SECRET_PARAMETERS)), None)
    if secret is not None:
        raise TypeError(f"a request with the header {secret.decode('latin-1')} cannot be pickled, {_INSTEAD}")
    values = {code: request.attribute(_Request.Attribute(code)) for code in _ATTRIBUTES if _is_attribute(code)}
    return PackedRequest(
        url=text,
        headers=headers,
        attributes=tuple((code, _plain(value)) for code, value in values.items() if value is not None),
        transfer_timeout=request.transferTimeout(),
        maximum_redirects=request.maximumRedirectsAllowed(),
        priority=enum_value(request.priority()),
        peer_verify_name=request.peerVerifyName() if hasattr(request, "peerVerifyName") else "",
    )


def unpacked(value: Any) -> RequestLike:
    """Return the request of a value that ``packed`` has made."""
    return value.request() if isinstance(value, (PackedRequest, PackedUrl)) else value  # type: ignore[no-any-return]


_INSTEAD = (
    "because it contains a secret: store an AuthConfig in the manager's authRegistry(), send "
    "portableSettings(secrets=True), and name its id (authCfg) in the other process"
)


_AFTER_AUTHORITY = re.compile(r"[?#]")


def _may_have_userinfo(url: str) -> bool:
    """Return whether the authority of the URL may have a user and password.

    It errs on the safe side for a text that is not a valid URL, such as a mistyped one.
    """
    scheme, _, rest = _AFTER_AUTHORITY.split(url, maxsplit=1)[0].partition("/")
    return "@" in scheme or "@" in rest.removeprefix("/").partition("/")[0]


def _check_url(url: str) -> None:
    if _may_have_userinfo(url):
        raise TypeError(f"a request whose URL has a user and a password cannot be pickled, {_INSTEAD}")


def _is_attribute(code: int) -> bool:
    try:
        _Request.Attribute(code)
    except ValueError:
        return False
    return True


def _plain(value: Any) -> Any:
    """Return the number of an enum: the other process may use another binding, with other enum types."""
    return value if isinstance(value, (bool, str, bytes, QtCore.QByteArray)) else enum_value(value)
