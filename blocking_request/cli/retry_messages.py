"""Messages about requests that are sent again."""

from __future__ import annotations

from ..models.call_record import RETRY, CallRecord
from ..netlog.entry import NetworkEntry
from ..trace import CallRecorder
from .messages import failure_text, show_message


class RetryRecorder(CallRecorder):
    """A recorder that tells why a request is sent again. --verbose tells it with the other requests."""

    wants_trace = False

    def request_started(self, request: CallRecord, call: CallRecord) -> None:
        if request.kind == RETRY:
            failed = NetworkEntry(call.children[-2])
            status = f"status {failed.statusCode()} {failed.reasonPhrase()}".rstrip()
            show_message(f"Trying again: {failure_text(failed.errorString()) or status}")
