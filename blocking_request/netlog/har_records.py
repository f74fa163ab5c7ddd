"""Makes entries of a HAR file from the records of calls, and back."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Optional

from ..errors import ErrorCode
from ..models.call_record import CACHED, CALL, FIRST, CallRecord
from ..models.failure import Failure, QtNetworkError
from ..models.har import HarEntry, to_har
from ..models.headers import known_fields
from ..models.http_messages import Request
from ..models.redaction import redact_text
from ..models.tls import TlsSession, known_session
from .heads import request_fields

NOT_WHOLE = "is not whole here"
"""Stands in the comment of an entry with a part of a body."""


def har_objects(call: CallRecord) -> Iterator[dict[str, Any]]:
    """Yield the entries of one call as objects of JSON, without secrets: one for each request that was sent, and for
    each response of the cache. A call without them, because it has failed or is running, is one entry itself.
    """
    for record in list(call.children) or [call]:
        yield to_har(har_entry(record, call), record.redacted_names, call.secrets)


def har_entry(record: CallRecord, call: CallRecord) -> HarEntry:
    """Return the entry of a record, which may hold secrets in the bodies. ``call``: the call that it belongs to."""
    failure = record.failure
    body, problem = decoded_body(record)
    return HarEntry(
        method=record.method,
        url=record.url,
        started=record.started,
        seconds=record.seconds,
        request_headers=request_fields(record),
        request_body=record.request_body,
        request_size=record.request_size,
        status=record.status or 0,
        reason=record.reason,
        http_version=record.http_version,
        response_headers=record.response_headers.pairs,
        response_body=body,
        response_size=decoded_size(record),
        encoded_size=record.encoded_size if record.status is not None else -1,
        timings=record.timings,
        peer=record.peer,
        error="" if failure is None else failure.text,
        comment=" ".join(_comments(record, problem)),
        extra=_extra(record, call),
    )


def _comments(record: CallRecord, problem: str) -> Iterator[str]:
    if record.ended is None:
        yield "It is still running."
    if record.request_size < 0 or len(record.request_body or b"") < record.request_size:
        size = f"{record.request_size} bytes" if record.request_size >= 0 else "unknown size"
        yield f"The body of the request, of {size}, {NOT_WHOLE}: {_kept(record)}."
    if problem:
        yield problem
    elif record.response_size > len(record.response_body or b""):
        yield f"The body of the response, of {record.response_size} bytes, {NOT_WHOLE}: {_kept(record)}."


def _kept(record: CallRecord) -> str:
    return f"the log keeps {record.body_limit} bytes" if record.body_limit else "the log keeps no bodies"


def _extra(record: CallRecord, call: CallRecord) -> dict[str, Any]:
    extra: dict[str, Any] = {
        "_call": call.identifier,
        "_kind": FIRST if record is call else record.kind,
        "_engine": record.engine,
        "_thread": record.thread,
    }
    if record.kind == CACHED or record.from_cache:
        extra["_fromCache"] = "cache"
    if record.proxy:
        extra["_proxy"] = record.proxy
    if record.failure is not None:
        extra["_errorCode"] = record.failure.code.name
    if record.trace is not None and record.trace.is_reused is not None:
        extra["_connectionReused"] = record.trace.is_reused
    session = None if record.tls is None else record.tls.session
    if session is not None and session.protocol:
        extra["_tls"] = {"protocol": session.protocol, "cipher": session.cipher}
    return extra


def decoded_body(record: CallRecord) -> tuple[Optional[bytes], str]:
    """Return the kept body of the response without its content coding, and '' or why it cannot be shown.

    The requests adapter gets bodies as they came. Secrets in a compressed body could not be found.
    """
    body = record.response_body
    if record.is_decoded or not body:
        return body, ""
    coding = (record.response_headers.value(b"content-encoding") or b"").strip().lower()
    if coding in (b"", b"identity"):
        return body, ""
    if coding in (b"gzip", b"x-gzip", b"deflate"):
        for window in (47, -15):  # gzip or zlib; a deflate stream without a header, which some servers send
            try:
                decoder = zlib.decompressobj(window)
                decoded = decoder.decompress(body, record.body_limit)
            except zlib.error:
                continue
            if decoder.eof and len(body) == record.response_size:
                return decoded, ""
            size = f"{record.response_size} bytes as it came"
            return decoded, f"The body of the response, of {size}, {NOT_WHOLE}: {_kept(record)}."
    return None, f"The body of the response is not here: its content coding is {coding.decode('latin-1')}."


def decoded_size(record: CallRecord) -> int:
    """Return the size of the body without its content coding; -1 if it is not known."""
    body, problem = decoded_body(record)
    if body is record.response_body:
        return record.response_size
    return -1 if body is None or problem else len(body)


def record_of(entry: HarEntry) -> CallRecord:
    """Return the record of an entry that was loaded."""
    request = Request(entry.method, entry.url, entry.request_headers, entry.request_body)
    extra = entry.extra
    limit = max(len(entry.request_body or b""), len(entry.response_body or b""))
    identifier = extra.get("_call")
    record = CallRecord(
        CALL,
        request,
        identifier if isinstance(identifier, int) else 0,
        0.0,
        entry.started,
        str(extra.get("_thread", "")),
        limit,
    )
    record.ended = max(entry.seconds, 0.0)
    if entry.request_body is None or NOT_WHOLE in entry.comment:  # else the removal of secrets has changed its size
        record.request_size = entry.request_size
    record.status = entry.status or None
    record.reason = entry.reason
    record.http_version = entry.http_version
    record.response_headers = known_fields(entry.response_headers)
    record.response_body = entry.response_body
    record.response_size = entry.response_size if entry.response_size >= 0 else len(entry.response_body or b"")
    record.encoded_size = max(entry.encoded_size, 0)
    record.engine = str(extra.get("_engine", ""))
    record.proxy = str(extra.get("_proxy", ""))
    record.known_timings = entry.timings
    record.known_peer = entry.peer
    record.from_cache = bool(extra.get("_fromCache"))
    if entry.error:
        record.failure = Failure(
            _error_code(extra.get("_errorCode")), QtNetworkError.UnknownNetworkError, redact_text(entry.error)
        )
    tls = extra.get("_tls")
    if isinstance(tls, dict):
        session = TlsSession(str(tls.get("protocol", "")), str(tls.get("cipher", "")))
        record.tls = known_session(session)
    return record


def _error_code(name: Any) -> ErrorCode:
    return ErrorCode.__members__.get(str(name), ErrorCode.NetworkError)
