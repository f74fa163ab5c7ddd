"""The keyword arguments of a call: ``headers``, ``params`` and ``timeout``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional, Union
from urllib.parse import urlencode

from .headers import Pairs, encoded
from .qt import QtCore, QtNetwork
from .redaction import hidden_repr
from .request_attributes import RequestLike, check_request
from .settings import checked_milliseconds
from .urls import is_canonical

_Text = Union[str, bytes]
HeadersLike = Union[Mapping[_Text, Optional[_Text]], Iterable[tuple[_Text, Optional[_Text]]], None]
ParamsLike = Union[Mapping[str, Any], Iterable[tuple[str, Any]], None]


class CallArguments(NamedTuple):
    """What one call says beside its request. It takes precedence over the request, the object and the manager."""

    headers: Pairs = ()
    """Each name once."""
    omitted: frozenset[bytes] = frozenset()
    """Names of fields, in lower case, that are not sent even if they are a default."""
    timeout: Optional[int] = None
    """The idle timeout in ms; 0: none; None: not given."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    @property
    def names(self) -> frozenset[bytes]:
        """The names of all fields that are given or omitted, in lower case."""
        if not self.headers:
            return self.omitted
        return self.omitted.union(name.lower() for name, _ in self.headers)

    def with_content_type(self, content_type: str, request: RequestLike, replaces: bool) -> CallArguments:
        """With this ``Content-Type``; only if neither the request nor the call has one, unless it ``replaces`` it."""
        name = b"content-type"
        if not replaces:
            has_own = isinstance(request, QtNetwork.QNetworkRequest) and request.hasRawHeader(name)  # type: ignore[arg-type]
            if has_own or name in self.names:
                return self
        others = tuple(pair for pair in self.headers if pair[0].lower() != name)
        field = b"Content-Type", content_type.encode("ascii")
        return self._replace(headers=(*others, field), omitted=self.omitted - {name})


NO_ARGUMENTS = CallArguments()


def call_arguments(headers: HeadersLike, timeout: Optional[int]) -> CallArguments:
    """Raises TypeError, ValueError."""
    if headers is None and timeout is None:
        return NO_ARGUMENTS
    checked = None if timeout is None else checked_milliseconds(timeout, "timeout")
    fields: dict[bytes, tuple[bytes, bytes]] = {}
    omitted = set()
    for name, value in _pairs(headers, "headers", (str, bytes, QtCore.QByteArray)):
        field = _bytes(name, "name")
        key = field.lower()
        if value is None:
            omitted.add(key)
            continue
        text = _bytes(value, "value")
        if key in fields:
            # A field that comes twice is a list (RFC 9110 section 5.3), cookies are another (RFC 6265 section 4.2.1).
            text = fields[key][1] + (b"; " if key == b"cookie" else b", ") + text
        fields[key] = fields.get(key, (field,))[0], text
    return CallArguments(tuple(fields.values()), frozenset(omitted - fields.keys()), checked)


def _bytes(given: Any, what: str) -> bytes:
    if isinstance(given, str):
        return encoded(given)
    if isinstance(given, (bytes, QtCore.QByteArray)):
        return bytes(given)
    raise TypeError(
        f"the {what} of a header is a str or bytes, not {type(given).__name__}"
        + (": write str(value), or None to omit the field" if what == "value" else "")
    )


def _pairs(given: Any, argument: str, names: tuple[type, ...]) -> list[tuple[Any, Any]]:
    """The items of a mapping, or pairs. Raises TypeError."""
    expected = f"{argument} is a mapping, or pairs of a name and a value: {argument}={{'name': 'value'}}"
    if given is None:
        return []
    if isinstance(given, (str, bytes)) or not isinstance(given, (Mapping, Iterable)):
        raise TypeError(f"{expected}; {type(given).__name__} is neither")
    pairs = list(given.items() if isinstance(given, Mapping) else given)
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], names):
            raise TypeError(f"{expected}; one of them is not such a pair")
    return [(pair[0], pair[1]) for pair in pairs]


def encoded_params(params: ParamsLike) -> str:
    """Parameters as they stand in a query, encoded as requests does it; '' for none. Raises TypeError."""
    if params is None:
        return ""
    pairs = []
    for name, value in _pairs(params, "params", (str, bytes, int)):
        values = [value] if isinstance(value, (str, bytes)) or not isinstance(value, Iterable) else value
        pairs += [(name, each) for each in values if each is not None]
    return urlencode(pairs)


def with_query(request: RequestLike, query: str) -> RequestLike:
    """The request with an encoded query added to the one of its URL. Raises TypeError for what is no request."""
    check_request(request)
    if not query:
        return request
    if isinstance(request, str) and is_canonical(request):
        return request + _joint(request) + query
    if isinstance(request, QtNetwork.QNetworkRequest):
        copy = QtNetwork.QNetworkRequest(request)
        copy.setUrl(_qurl_with_query(request.url(), query))
        return copy
    return _qurl_with_query(QtCore.QUrl(request.strip() if isinstance(request, str) else request), query)


def _qurl_with_query(url: QtCore.QUrl, query: str) -> QtCore.QUrl:
    if not url.isValid():
        return url  # a later check reports the error
    text, mark, fragment = url.toEncoded().data().decode("ascii").partition("#")
    return QtCore.QUrl.fromEncoded((text + _joint(text) + query + mark + fragment).encode("ascii"))  # type: ignore[arg-type]


def _joint(url: str) -> str:
    _, mark, query = url.partition("?")
    if not mark:
        return "?"
    return "" if not query or query.endswith("&") else "&"
