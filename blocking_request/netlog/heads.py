"""The head of a request of a log, as it was sent."""

from __future__ import annotations

from typing import Optional

from ..engines.qt.sent_head import qt_sent_head
from ..errors import ErrorCode
from ..models.call_record import CallRecord
from ..models.headers import Pairs
from ..models.sent_head import SentHead, parse_head


def sent_head(record: CallRecord) -> Optional[SentHead]:
    """Return the head, without credentials in its fields; None if it is not known, or if it was not sent.

    For the qt engine it is not known over HTTP/2, and in QGIS, which adds fields of its own.
    """
    head = record.known_head
    if head is None:
        if record.engine != "qt" or record.is_of_qgis or record.from_cache or not _is_http1(record):
            return None
        has_body = record.request_size != 0 or record.request_body is not None
        return qt_sent_head(record.method, record.url, record.request_headers, has_body, record.is_forwarded)
    return head if isinstance(head, SentHead) else parse_head(head)


def _is_http1(record: CallRecord) -> bool:
    """Return whether Qt has sent, or is about to send, a request over HTTP/1.1."""
    if record.http_version or not record.url.startswith("http:"):
        return record.http_version == "HTTP/1.1"
    failure = record.failure
    return failure is None or failure.code in (ErrorCode.TimeoutError, ErrorCode.CanceledError)


def request_fields(record: CallRecord) -> Pairs:
    """Return the fields as they were sent; those that were to be sent if that is not known."""
    head = sent_head(record)
    return record.request_headers if head is None else head.fields
