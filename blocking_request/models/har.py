"""Entries of HAR 1.2, the format of the developer tools of browsers: plain values, to and from JSON without secrets.

A file has one entry a line, so that it can be written entry by entry, and compared by a version control system. HAR
keeps bodies as they were decoded. Our own fields begin with an underscore, as the format demands.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Optional
from urllib.parse import parse_qsl, urlsplit

from .._version import VERSION
from .body_redaction import redact_body
from .exchange_redaction import redacted_fields
from .headers import Pairs, content_type
from .known_secrets import Secrets
from .redaction import SECRET_PARAMETERS, redact_text, redact_url
from .timings import Timings


@dataclass(frozen=True)
class HarEntry:
    """One request and its response. The values may hold secrets; ``to_har`` removes them."""

    method: str
    url: str
    started: float
    """In seconds since 1970."""
    seconds: float = 0.0
    request_headers: Pairs = ()
    request_body: Optional[bytes] = None
    """None: there is none, or it is not kept."""
    request_size: int = -1
    """The size of the body that was sent, in bytes; -1 if it is not known."""
    status: int = 0
    """0: there was no response."""
    reason: str = ""
    http_version: str = ""
    """``"HTTP/1.1"``, ``"HTTP/2"``, or ``""`` if it is not known."""
    response_headers: Pairs = ()
    response_body: Optional[bytes] = None
    """Decoded. None: it is not kept."""
    response_size: int = -1
    """The size of the decoded body, in bytes; -1: that of ``response_body``."""
    encoded_size: int = -1
    """The size of the body as it came, in bytes; -1 if it is not known."""
    timings: Timings = field(default_factory=Timings)
    peer: Optional[tuple[str, int]] = None
    """The address and the port of the other end."""
    error: str = ""
    """Why there was no usable response."""
    comment: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further values that JSON can hold, by names that begin with an underscore. They must not hold secrets."""

    def __repr__(self) -> str:
        return f"<HarEntry {self.method} {redact_url(self.url).partition('?')[0].partition('#')[0]} {self.status}>"


def secrets_of(entry: HarEntry, redacted_names: tuple[str, ...] = ()) -> Secrets:
    """Return the secrets of the request of an entry."""
    secrets = Secrets(redacted_names)
    secrets.add(entry.url, entry.request_headers, entry.request_body)
    return secrets


def to_har(entry: HarEntry, redacted_names: tuple[str, ...] = (), secrets: Optional[Secrets] = None) -> dict[str, Any]:
    """Return the entry as an object of JSON, without secrets. ``redacted_names``: the user's own secret names.

    ``secrets``: those of the requests of the call; None: those of this request. The values of cookies that the
    response sets are found here.
    """
    sent = secrets_of(entry, redacted_names) if secrets is None else secrets
    # A replayed response sets no cookies with their values, so these must not change the form of the request.
    secrets = sent.with_fields(entry.response_headers)
    request_headers = redacted_fields(entry.request_headers, redacted_names, sent)
    response_headers = redacted_fields(entry.response_headers, redacted_names, secrets)
    result: dict[str, Any] = {
        "startedDateTime": _moment_text(entry.started),
        "time": entry.seconds * 1000,
        "request": _request(entry, request_headers, redacted_names, sent),
        "response": _response(entry, response_headers, redacted_names, secrets),
        "cache": {},
        "timings": _timings(entry),
    }
    if entry.peer is not None:
        address, port = entry.peer
        result["serverIPAddress"] = address.partition("%")[0]  # without the zone, which is no part of the address
        result["connection"] = str(port)
    if entry.error:
        result["_error"] = secrets.hide_in_text(redact_text(entry.error, redacted_names))
    if entry.comment:
        result["comment"] = redact_text(entry.comment, redacted_names)
    result.update(entry.extra)
    return result


def to_har_request(entry: HarEntry, redacted_names: tuple[str, ...], secrets: Optional[Secrets]) -> dict[str, Any]:
    """Return the request of an entry as an object of JSON. The arguments are those of ``to_har``."""
    sent = secrets_of(entry, redacted_names) if secrets is None else secrets
    return _request(entry, redacted_fields(entry.request_headers, redacted_names, sent), redacted_names, sent)


def _request(
    entry: HarEntry, headers: list[tuple[str, str]], redacted_names: tuple[str, ...], secrets: Secrets
) -> dict[str, Any]:
    url = redact_url(entry.url, (*SECRET_PARAMETERS, *redacted_names)).partition("#")[0]
    url = secrets.hide_in_url(url)
    request: dict[str, Any] = {
        "method": entry.method,
        "url": url,
        "httpVersion": entry.http_version,
        "cookies": _request_cookies(headers),
        "headers": _named(headers),
        "queryString": _named(_query_of(url)),
        "headersSize": -1,
        "bodySize": entry.request_size,
    }
    body = entry.request_body
    if body is not None:
        kind = content_type(entry.request_headers)
        request["postData"] = {
            "mimeType": kind,
            **_body(secrets.hide(redact_body(body, kind, redacted_names)), "_encoding"),
        }
        if entry.request_size < 0:
            request["bodySize"] = len(body)
    return request


def _response(
    entry: HarEntry, headers: list[tuple[str, str]], redacted_names: tuple[str, ...], secrets: Secrets
) -> dict[str, Any]:
    kind, body, size = content_type(entry.response_headers), entry.response_body, entry.response_size
    content: dict[str, Any] = {"size": max(size, 0), "mimeType": kind}
    if body is not None:
        redacted = redact_body(body, kind, redacted_names, is_response=True)
        content.update(_body(secrets.hide(redacted), "encoding"))
        if size < 0:
            content["size"] = len(body)
    if entry.encoded_size >= 0 and content["size"] != entry.encoded_size:
        content["compression"] = content["size"] - entry.encoded_size
    return {
        "status": entry.status,
        "statusText": secrets.hide_in_text(redact_text(entry.reason, redacted_names)),
        "httpVersion": entry.http_version,
        "cookies": _response_cookies(headers),
        "headers": _named(headers),
        "content": content,
        "redirectURL": next((value for name, value in headers if name.lower() == "location"), ""),
        "headersSize": -1,
        "bodySize": entry.encoded_size,
    }


def _query_of(url: str) -> list[tuple[str, str]]:
    """Return the parameters of a URL; none if it is not valid. A call with such a URL has failed, and is logged."""
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return []


def _named(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _body(body: bytes, encoding: str) -> dict[str, str]:
    """Return the members for a body. ``encoding``: the name of the member that tells how its bytes became a text."""
    try:
        return {"text": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"text": b64encode(body).decode("ascii"), encoding: "base64"}


def _request_cookies(headers: list[tuple[str, str]]) -> list[dict[str, Any]]:
    texts = [value for name, value in headers if name.lower() == "cookie"]
    pairs = (part.strip().partition("=") for text in texts for part in text.split(";"))
    return [{"name": name, "value": value} for name, _, value in pairs]


def _response_cookies(headers: list[tuple[str, str]]) -> list[dict[str, Any]]:
    cookies = []
    for field_name, text in headers:
        if field_name.lower() == "set-cookie":
            pair, *attributes = (part.strip() for part in text.split(";"))
            name, _, value = pair.partition("=")
            known = {key.strip().lower(): value.strip() for key, _, value in (a.partition("=") for a in attributes)}
            cookie: dict[str, Any] = {"name": name, "value": value}
            cookie.update((key, known[key]) for key in ("path", "domain") if key in known)
            cookies.append({**cookie, "httpOnly": "httponly" in known, "secure": "secure" in known})
    return cookies


def _timings(entry: HarEntry) -> dict[str, float]:
    """Return the timings, whose sum is the time of the entry. ``wait`` gets what no step has taken."""
    timings = entry.timings
    connect = [each for each in (timings.connect, timings.tls) if each is not None]  # HAR counts TLS into connect
    result = {
        "blocked": _or_unknown(timings.blocked),
        "dns": _or_unknown(timings.lookUp),
        "connect": sum(connect) if connect else -1,
        "ssl": _or_unknown(timings.tls),
        "send": timings.send or 0.0,
        "receive": timings.receive or 0.0,
    }
    known = sum(value for name, value in result.items() if name != "ssl" and value > 0)
    return {**result, "wait": max(entry.seconds * 1000 - known, 0.0)}


def _or_unknown(milliseconds: Optional[float]) -> float:
    return -1 if milliseconds is None else milliseconds


LATEST_MOMENT = 253_370_764_800.0
"""The beginning of the year 9999, in seconds since 1970. ``datetime`` knows no year after it, in any time zone."""


def _moment_text(seconds: float) -> str:
    """Return a moment in the form of ISO 8601. A virtual clock may be in any year."""
    moment = datetime.fromtimestamp(min(max(seconds, 0.0), LATEST_MOMENT), timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# -- whole documents

END = "\n]}}\n"
"""The end of a document, after the last entry."""


def beginning(creator: str = "blocking_request", comment: str = "") -> str:
    """Return the beginning of a document. Entries follow, each from ``line``, and ``END``."""
    head = {"version": "1.2", "creator": {"name": creator, "version": VERSION}}
    text = json.dumps({**head, "comment": comment} if comment else head, ensure_ascii=False)
    return f'{{"log": {text[:-1]}, "entries": ['


def line(entry: Mapping[str, Any], is_first: bool) -> str:
    """Return the text of one entry, an object from ``to_har``, and before it the separator from the one before."""
    try:
        text = json.dumps(entry, ensure_ascii=False, allow_nan=False)
    except ValueError:  # a number that JSON does not have (RFC 8259 section 6), which a caller's filter has put in
        text = json.dumps(_with_finite_numbers(entry), ensure_ascii=False, allow_nan=False)
    return ("\n" if is_first else ",\n") + text


def _with_finite_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_finite_numbers(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_finite_numbers(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def document(entries: Iterable[Mapping[str, Any]], comment: str = "") -> str:
    """Return the text of a whole document."""
    lines = (line(entry, place == 0) for place, entry in enumerate(entries))
    return "".join((beginning(comment=comment), *lines, END))
