"""The keyword arguments of a call: ``headers``, ``params`` and ``timeout``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional, Protocol, Union
from urllib.parse import urlencode

from ..models.headers import Pairs, encoded, joined_value
from ..models.redaction import hidden_repr
from ..qt.binding import QtCore, QtNetwork, field_name, type_name
from .request_attributes import RequestLike, check_request
from .settings import checked_milliseconds

_Text = Union[str, bytes]


class QtHeaders(Protocol):
    """A QHttpHeaders (Qt 6.7)."""

    def toListOfPairs(self) -> Any: ...


# Two mappings, because the keys of a Mapping are invariant: a dict of str does not fit Mapping[Union[str, bytes], ...].
HeadersLike = Union[
    Mapping[str, Optional[_Text]],
    Mapping[bytes, Optional[_Text]],
    Iterable[tuple[_Text, Optional[_Text]]],
    QtHeaders,
    None,
]
ParamsLike = Union[Mapping[str, Any], Iterable[tuple[str, Any]], None]


class CallArguments(NamedTuple):
    """The arguments of one call. They take precedence over the request, the object and the manager."""

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
            has_field = isinstance(request, QtNetwork.QNetworkRequest) and request.hasRawHeader(field_name(name))
            if has_field or name in self.names:
                return self
        others = tuple(pair for pair in self.headers if pair[0].lower() != name)
        field = b"Content-Type", content_type.encode("ascii")
        return self._replace(headers=(*others, field), omitted=self.omitted - {name})


NO_ARGUMENTS = CallArguments()


def call_arguments(headers: HeadersLike, timeout: Optional[int]) -> CallArguments:
    """Check the arguments of a call. Raises TypeError, ValueError."""
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
        fields[key] = (fields[key][0], joined_value(field, fields[key][1], text)) if key in fields else (field, text)
    return CallArguments(tuple(fields.values()), frozenset(omitted - fields.keys()), checked)


def _bytes(value: Any, what: str) -> bytes:
    if isinstance(value, str):
        try:
            return encoded(value)
        except UnicodeEncodeError:
            raise ValueError(f"the {what} of a header holds half a character (a surrogate): give it as bytes") from None
    if isinstance(value, (bytes, QtCore.QByteArray)):
        return bytes(value)
    raise TypeError(
        f"the {what} of a header is a str or bytes, not {type_name(value)}"
        + (": write str(value), or None to omit the field" if what == "value" else "")
    )


_QT_HEADERS: Any = tuple(getattr(QtNetwork, name) for name in ("QHttpHeaders",) if hasattr(QtNetwork, name))
"""Empty before Qt 6.7."""


def _pairs(value: Any, argument: str, names: tuple[type, ...]) -> list[tuple[Any, Any]]:
    """The items of a mapping, or pairs. Raises TypeError."""
    expected = f"{argument} is a mapping, or pairs of a name and a value: {argument}={{'name': 'value'}}"
    if value is None:
        return []
    if argument == "headers" and isinstance(value, _QT_HEADERS):
        return list(value.toListOfPairs())
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"{expected}; not {type_name(value)}")
    pairs = list(value.items() if isinstance(value, Mapping) else value)
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], names):
            raise TypeError(f"{expected}; one of them is not such a pair")
    return [(pair[0], pair[1]) for pair in pairs]


def encoded_params(params: ParamsLike) -> str:
    """Return the parameters as they stand in a query, encoded as requests does it; '' for none.

    Raises TypeError, ValueError.
    """
    if params is None:
        return ""
    pairs = []
    for name, value in _pairs(params, "params", (str, bytes, int, QtCore.QByteArray)):
        values = [value] if isinstance(value, _TEXTS) or not isinstance(value, Iterable) else value
        pairs += [(_plain(name), _plain(each)) for each in values if each is not None]
    try:
        return urlencode(pairs)
    except UnicodeEncodeError:
        raise ValueError("params holds half a character (a surrogate): give it as bytes") from None


_TEXTS = (str, bytes, bytearray, QtCore.QByteArray)


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, (bytearray, QtCore.QByteArray)) else value


def with_query(request: RequestLike, query: str) -> RequestLike:
    """Return the request with an encoded query added to the one of its URL.

    A request with an invalid URL is returned as it is: a later check reports the error. Raises TypeError if ``request``
    is not a QNetworkRequest, QUrl or str.
    """
    check_request(request)
    if not query:
        return request
    if isinstance(request, str):
        return _with_query(request.strip(), query)
    if isinstance(request, QtNetwork.QNetworkRequest):
        url = request.url()
        if not url.isValid():
            return request
        copy = QtNetwork.QNetworkRequest(request)
        copy.setUrl(_qurl_with_query(url, query))
        return copy
    return _qurl_with_query(request, query) if request.isValid() else request


def _qurl_with_query(url: QtCore.QUrl, query: str) -> QtCore.QUrl:
    return QtCore.QUrl.fromEncoded(_with_query(url.toEncoded().data().decode("ascii"), query).encode("ascii"))  # type: ignore[arg-type]


def _with_query(url: str, query: str) -> str:
    text, mark, fragment = url.partition("#")
    return text + _query_separator(text) + query + mark + fragment


def _query_separator(url: str) -> str:
    _, mark, query = url.partition("?")
    if not mark:
        return "?"
    return "" if not query or query.endswith("&") else "&"
