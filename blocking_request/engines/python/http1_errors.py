"""The errors of a response of HTTP/1, and descriptions of bytes that are not HTTP/1."""

from __future__ import annotations

import re
from typing import Union

from ...errors import ErrorCode
from ...models.error_texts import interim_status
from ...models.failure import Failure, QtNetworkError
from ...models.redaction import printable
from ..body_errors import BodyError, CorruptBody

_OTHER_VERSION = re.compile(rb"HTTP/[0-9][0-9.]*")
_FIRST_LINE = re.compile(rb"[^\n]{1,40}")


class NotHttp(CorruptBody):
    """The bytes of the server are not a response of HTTP/1; the text describes them."""


class CutOff(BodyError):
    """The connection ended within the header or between the chunks of a body."""

    @property
    def failure(self) -> Failure:
        return Failure(ErrorCode.NetworkError, QtNetworkError.RemoteHostClosedError, str(self), is_cut_off=True)


class NoFinalResponse(BodyError):
    """The server has sent interim responses only, or a status below 100."""

    def __init__(self, status: int) -> None:
        super().__init__(interim_status(status).text)
        self.status = status

    @property
    def failure(self) -> Failure:
        return interim_status(self.status)


def described(data: Union[bytes, bytearray]) -> str:
    """Describe bytes that are not a response of HTTP/1."""
    version = _OTHER_VERSION.match(data)
    if data.startswith(b"HTTP/1."):
        return f"the response is not HTTP/1: its status line is '{shown(data)}'"
    if version is not None:
        return f"the server speaks {shown(version[0])}, which is not spoken here"
    if data.startswith((b"\x15\x03", b"\x16\x03")):
        return "the response is not HTTP/1: it is TLS; if the server expects TLS there, use https://"
    if data.startswith(b"\0\0") and data[3:5] == b"\4\0":
        return "the response is not HTTP/1: it is HTTP/2"
    return f"the response is not HTTP/1: it begins with '{shown(data)}'"


def shown(data: Union[bytes, bytearray]) -> str:
    """Return the first line, or its beginning, so that a terminal can show it."""
    line = _FIRST_LINE.search(data)
    return printable(line[0].rstrip(b"\r").decode("latin-1")) if line is not None else ""
