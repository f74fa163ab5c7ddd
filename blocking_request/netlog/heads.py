"""The head of a request of a log, as it was sent."""

from __future__ import annotations

from typing import Optional

from ..engines.qt.sent_head import qt_sent_head
from ..models.call_record import CallRecord
from ..models.headers import Pairs
from ..models.sent_head import SentHead, taken_apart


def sent_head(record: CallRecord) -> Optional[SentHead]:
    """Return the head, without credentials in its fields; None if it is not known, or if it was not sent.

    For the qt engine it is not known over HTTP/2, and in QGIS, which adds fields of its own.
    """
    head = record.sent_head
    if head is None:
        is_known = record.engine == "qt" and record.http_version == "HTTP/1.1" and not record.is_of_qgis
        if not is_known or record.from_cache:
            return None
        has_body = record.request_size != 0 or record.request_body is not None
        return qt_sent_head(record.method, record.url, record.request_headers, has_body, record.is_forwarded)
    return head if isinstance(head, SentHead) else taken_apart(head)


def request_fields(record: CallRecord) -> Pairs:
    """Return the fields as they were sent; those that were to be sent if that is not known."""
    head = sent_head(record)
    return record.request_headers if head is None else head.fields
