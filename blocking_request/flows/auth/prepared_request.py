"""Converts a Request into the ``PreparedRequest`` that an auth object of requests signs, and back.

Only the differences come back: a field that the auth object has left alone keeps its place, its bytes, and its lines if
it has several. The framing of the body stays ours.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional
from urllib.parse import urlsplit

from requests.hooks import default_hooks
from requests.models import PreparedRequest
from requests.structures import CaseInsensitiveDict

from ...models.failure import QtNetworkError, RequestNotSent, request_not_sent
from ...models.headers import FRAMING_FIELDS, Fields, Pairs, encoded, field_problem, is_token, known_fields
from ...models.http_messages import Body, Request
from ...models.redaction import hidden_repr
from ...models.urls import is_canonical, normalized, origin, split_userinfo, without_parameters


class SignedRequest(NamedTuple):
    """A request with the changes of an auth object."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    request: Request
    added_parameters: frozenset[str]
    """The parts of the query that were added."""


def prepared_request(request: Request) -> PreparedRequest:
    """Return a request as a PreparedRequest, which may be changed. Its body is bytes, None, or an Upload."""
    prepared = PreparedRequest()
    prepared.method = request.method
    prepared.url = request.url
    prepared.headers = CaseInsensitiveDict(_shown_fields(request.headers).values())
    prepared.body = request.body  # type: ignore[assignment]
    prepared.hooks = default_hooks()  # type: ignore[no-untyped-call]
    prepared.prepare_cookies({})  # type: ignore[no-untyped-call]
    return prepared


def signed_request(prepared: PreparedRequest, request: Request) -> SignedRequest:
    """Return ``request`` with the changes that ``prepared``, which was made of it, has.

    Raises TypeError for values of wrong types, and RequestNotSent if the changed request may not be sent.
    """
    url = _url(prepared.url, request)
    body = _body(prepared.body, request.body)
    headers, changed_names = _headers(prepared.headers, request.headers)
    if body is not request.body:
        headers = tuple(pair for pair in headers if pair[0].lower() not in FRAMING_FIELDS)
        headers += () if body is None else ((b"Content-Length", b"%d" % len(body)),)  # type: ignore[arg-type]
    kept = {name.lower() for name, _ in headers}
    removed = frozenset(name.lower() for name, _ in request.headers) - kept - FRAMING_FIELDS
    added = frozenset(_parameters(url)) - frozenset(_parameters(request.url))
    # The values may be credentials: no message and no log shows them, and no other user gets the stored response.
    secret_names = (*changed_names, *(part.partition("=")[0] for part in added))
    signed = request._replace(
        method=_method(prepared.method, request),
        url=url,
        headers=headers,
        body=body,
        omitted=request.omitted | removed,
        redacted_names=(*request.redacted_names, *sorted({*secret_names} - {*request.redacted_names, ""})),
    )
    return SignedRequest(signed, added)


def without_parameters_in_location(fields: Fields, parameters: frozenset[str]) -> Fields:
    """Return the fields of a response; some parameters are left out of the query in ``Location``.

    A server may repeat the query of the request there. A signature must not go to another host, or twice to its own.
    """
    if not parameters or not fields.has(b"location"):
        return fields
    return known_fields(
        tuple(
            (name, _without(value, parameters) if name.lower() == b"location" else value)
            for name, value in fields.pairs
        )
    )


def _without(location: bytes, parameters: frozenset[str]) -> bytes:
    return without_parameters(location.decode("latin-1"), parameters).encode("latin-1")


def _parameters(url: str) -> list[str]:
    return urlsplit(url).query.split("&")


def _shown_fields(headers: Pairs) -> dict[str, tuple[str, str]]:
    """Return name and value of the fields by name in lower case; values of several lines are joined."""
    shown: dict[str, tuple[str, str]] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        earlier = shown.get(name.lower())
        shown[name.lower()] = (name, value) if earlier is None else (earlier[0], f"{earlier[1]}, {value}")
    return shown


def _headers(fields: Any, given: Pairs) -> tuple[Pairs, list[str]]:
    """Return the fields to send, and the names of those that differ from the given ones."""
    shown = {name: encoded(value) for name, (_, value) in _shown_fields(given).items()}
    changed: dict[str, tuple[bytes, bytes]] = {}
    kept: set[str] = set()
    for field, value in fields.items():
        name = encoded(field)
        lowered = name.decode("latin-1").lower()
        if not isinstance(value, (str, bytes)):
            raise TypeError(f"the header field {lowered} must be a str or bytes, not {type(value).__name__}")
        if shown.get(lowered) == encoded(value):
            kept.add(lowered)
        elif name.lower() not in FRAMING_FIELDS:
            changed[lowered] = name, encoded(value)
    for pair in changed.values():
        problem = field_problem(*pair)
        if problem is not None:
            raise _not_sent(problem)
    old = tuple(
        pair for pair in given if pair[0].lower() in FRAMING_FIELDS or (pair[0].decode("latin-1").lower() in kept)
    )
    return (*old, *changed.values()), list(changed)


def _url(value: Any, request: Request) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        raise TypeError(f"the url of a request must be a str, not {type(value).__name__}")
    if text == request.url:
        return text
    try:
        url, userinfo = (text, None) if is_canonical(text) else split_userinfo(normalized(text))
        crosses = origin(url) != origin(request.url)
    except ValueError:
        raise _not_sent("The auth object has made a URL that is not valid") from None
    if userinfo is not None:
        raise _not_sent("The auth object has put a user and a password into the URL: have it set Authorization instead")
    if crosses:
        raise _not_sent("The auth object has changed the URL to another origin, which must not get its credentials")
    return url


def _body(value: Any, given: Body) -> Body:
    is_unchanged: bool = value is given
    if is_unchanged:
        return given
    if isinstance(value, str):
        value = value.encode("utf-8")
    if isinstance(value, (bytearray, memoryview)):
        value = bytes(value)
    if value is not None and not isinstance(value, bytes):
        raise TypeError(f"an auth object may put bytes or a str in the place of the body, not {type(value).__name__}")
    result: Optional[bytes] = value
    # An auth object may write "" for None.
    if result == given or not (result or given):
        return given
    return result


def _method(value: Any, request: Request) -> str:
    if value == request.method:
        return request.method
    if not isinstance(value, str) or not is_token(value.encode("latin-1", "replace")) or value.upper() == "CONNECT":
        raise _not_sent("The auth object has made a request without a valid method")
    return value


def _not_sent(text: str) -> RequestNotSent:
    return request_not_sent(QtNetworkError.ProtocolInvalidOperationError, text)
