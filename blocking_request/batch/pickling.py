"""A QNetworkRequest as a value that can be pickled; Qt's own cannot."""

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
"""Qt's own; what somebody has put in for themselves means nothing to us."""


@pickled
class PackedUrl(NamedTuple):
    def __repr__(self) -> str:
        return hidden_repr(self)

    url: str

    def request(self) -> QtCore.QUrl:
        return encoded_url(self.url)


@pickled
class PackedRequest(NamedTuple):
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
    """What goes into a pickle for a request. Raises TypeError for one with secrets in it."""
    if isinstance(request, str):
        _check_url(request)
        return request
    url = request if isinstance(request, QtCore.QUrl) else request.url()
    text = url.toEncoded().data().decode("ascii")
    _check_url(text)
    if not isinstance(request, _Request):
        return PackedUrl(text)
    if has_tls_configuration(request):
        raise TypeError("a request with a QSslConfiguration is not pickled: give the manager TlsSettings")
    headers = raw_fields(request)
    secret = next((name for name, _ in headers if is_secret_field(name, SECRET_PARAMETERS)), None)
    if secret is not None:
        raise TypeError(f"a request with the field {secret.decode('latin-1')} is not pickled, {_INSTEAD}")
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
    return value.request() if isinstance(value, (PackedRequest, PackedUrl)) else value  # type: ignore[no-any-return]


_INSTEAD = (
    "because it holds a secret: store an AuthConfig in the manager's authRegistry(), send "
    "portableSettings(secrets=True), and name its id (authCfg) in the other process"
)


_AFTER_AUTHORITY = re.compile(r"[?#]")


def _may_have_userinfo(url: str) -> bool:
    """Whether an ``@`` stands where an authority may be, also in a text that is not a URL: it may be mistyped."""
    scheme, _, rest = _AFTER_AUTHORITY.split(url, maxsplit=1)[0].partition("/")
    return "@" in scheme or "@" in rest.removeprefix("/").partition("/")[0]


def _check_url(url: str) -> None:
    if _may_have_userinfo(url):
        raise TypeError(f"a request whose URL has a user and a password is not pickled, {_INSTEAD}")


def _is_attribute(code: int) -> bool:
    try:
        _Request.Attribute(code)
    except ValueError:
        return False
    return True


def _plain(value: Any) -> Any:
    """An enum as its number: the types of two bindings differ."""
    return value if isinstance(value, (bool, str, bytes, QtCore.QByteArray)) else enum_value(value)
