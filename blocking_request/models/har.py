"""Entries of HAR 1.2, the format of the developer tools of browsers: plain values, to and from JSON without secrets.

A file has one entry a line, so that it can be written entry by entry, and compared by a version control system. HAR
keeps bodies as they were decoded. Our own fields begin with an underscore, as the format demands.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Optional
from urllib.parse import parse_qsl, urlsplit

from .._version import VERSION
from .body_redaction import redact_body
from .exchange_redaction import redacted_fields
from .headers import Pairs
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
        "queryString": _named(parse_qsl(urlsplit(url).query, keep_blank_values=True)),
        "headersSize": -1,
        "bodySize": entry.request_size,
    }
    body = entry.request_body
    if body is not None:
        kind = _content_type(entry.request_headers)
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
    kind, body, size = _content_type(entry.response_headers), entry.response_body, entry.response_size
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
        "statusText": secrets.hide_in_text(entry.reason),
        "httpVersion": entry.http_version,
        "cookies": _response_cookies(headers),
        "headers": _named(headers),
        "content": content,
        "redirectURL": next((value for name, value in headers if name.lower() == "location"), ""),
        "headersSize": -1,
        "bodySize": entry.encoded_size,
    }


def _named(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _body(body: bytes, encoding: str) -> dict[str, str]:
    """Return the members for a body. ``encoding``: the name of the member that tells how its bytes became a text."""
    try:
        return {"text": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"text": b64encode(body).decode("ascii"), encoding: "base64"}


def _content_type(fields: Pairs) -> str:
    return next((value.decode("latin-1") for name, value in fields if name.lower() == b"content-type"), "")


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


def _moment_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# -- whole documents

END = "\n]}}\n"
"""The end of a document, after the last entry."""


def beginning(creator: str = "blocking_request", comment: str = "") -> str:
    """Return the beginning of a document. Entries follow, each from ``line``, and ``END``."""
    head = {"version": "1.2", "creator": {"name": creator, "version": VERSION}}
    text = json.dumps({**head, "comment": comment} if comment else head, ensure_ascii=False)
    return f'{{"log": {text[:-1]}, "entries": ['


def line(entry: Mapping[str, Any], is_first: bool) -> str:
    """Return the text of one entry, an object from ``to_har``, with what separates it from the one before."""
    return ("\n" if is_first else ",\n") + json.dumps(entry, ensure_ascii=False)


def document(entries: Iterable[Mapping[str, Any]], comment: str = "") -> str:
    """Return the text of a whole document."""
    lines = (line(entry, place == 0) for place, entry in enumerate(entries))
    return "".join((beginning(comment=comment), *lines, END))


def entries_of(text: str) -> list[HarEntry]:
    """Return the entries of a document, also of one that a browser has saved.

    Raises ValueError, which says what is wrong with it.
    """
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    log = parsed.get("log") if isinstance(parsed, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it is not HAR: it has no log.entries")
    return [_checked_entry(entry, number) for number, entry in enumerate(entries)]


def _checked_entry(entry: Any, number: int) -> HarEntry:
    try:
        return from_har(entry)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"the entry {number} is not one of HAR 1.2: {what}") from None


def from_har(entry: Mapping[str, Any]) -> HarEntry:
    """Return the entry of an object of JSON. Raises KeyError, TypeError, ValueError or AttributeError."""
    request, response = entry["request"], entry["response"]
    post, content = request.get("postData") or {}, response.get("content") or {}
    sent = _bytes(post, post.get("_encoding") or post.get("encoding"))
    kept = _bytes(content, content.get("encoding"))
    if sent is None and post.get("params"):
        sent = "&".join(f"{each['name']}={each.get('value', '')}" for each in post["params"]).encode()
    port = str(entry.get("connection") or "")
    address = entry.get("serverIPAddress")
    return HarEntry(
        method=str(request["method"]),
        url=str(request["url"]),
        started=_moment(entry.get("startedDateTime")),
        seconds=float(entry.get("time") or 0) / 1000,
        request_headers=_pairs(request),
        request_body=sent,
        request_size=int(request.get("bodySize", -1)),
        status=int(response.get("status") or 0),
        reason=str(response.get("statusText") or ""),
        http_version=str(response.get("httpVersion") or ""),
        response_headers=_pairs(response),
        response_body=kept,
        response_size=int(content.get("size", -1)),
        encoded_size=int(response.get("bodySize", -1)),
        timings=_read_timings(entry.get("timings") or {}),
        peer=(str(address), int(port) if port.isdecimal() else 0) if address else None,
        error=str(entry.get("_error") or response.get("_error") or ""),
        comment=str(entry.get("comment") or ""),
        extra={name: value for name, value in entry.items() if name.startswith("_") and name != "_error"},
    )


def _bytes(body: Mapping[str, Any], encoding: Any) -> Optional[bytes]:
    text = body.get("text")
    if text is None:
        return None
    return b64decode(text, validate=True) if encoding == "base64" else str(text).encode("utf-8", "surrogatepass")


def _pairs(message: Mapping[str, Any]) -> Pairs:
    """Return the header fields. Browsers join the values of a field by a line end, and have pseudo-fields of HTTP/2."""
    return tuple(
        (str(each["name"]).encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for each in message.get("headers") or ()
        if not str(each["name"]).startswith(":")
        for value in str(each.get("value", "")).split("\n")
    )


def _read_timings(timings: Mapping[str, Any]) -> Timings:
    def known(name: str) -> Optional[float]:
        value = timings.get(name)
        return None if value is None or float(value) < 0 else float(value)

    connect, tls = known("connect"), known("ssl")
    if connect is not None and tls is not None:
        connect = max(connect - tls, 0.0)
    return Timings(known("blocked"), known("dns"), connect, tls, known("send"), known("wait"), known("receive"))


_FRACTION = re.compile(r"\.(\d+)")


def _moment(text: Any) -> float:
    """Return the seconds since 1970; 0.0 if it is no moment."""
    # Python before 3.11 knows neither the letter Z nor fractions of other than three or six digits.
    text = _FRACTION.sub(lambda match: f".{match[1]:0<6.6}", str(text)).replace("Z", "+00:00")
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
