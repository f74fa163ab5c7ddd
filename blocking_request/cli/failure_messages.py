"""The message about a request that has failed, with the options that may mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import ReplyContent
from .messages import failure_text
from .options.auth import with_auth_advice
from .options.tls import with_tls_advice


def failure_message(reply: ReplyContent, values: Mapping[str, Any]) -> str:
    """Return the message about a failed request. ``values``: those of the options of its command."""
    text = with_tls_advice(failure_text(reply.errorString()), reply, values)
    return with_auth_advice(text, reply, values)
