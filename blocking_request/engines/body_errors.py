"""The reasons why the caller does not get a whole body: it is corrupt, truncated, or larger than a limit."""

from __future__ import annotations

from ..models.error_texts import header_too_large
from ..models.failure import Failure, QtNetworkError, network_failure


class BodyError(Exception):
    """The body cannot be read to its end; the text says why."""

    @property
    def failure(self) -> Failure:
        return network_failure(QtNetworkError.UnknownContentError, str(self))


class CorruptBody(BodyError):
    """The body, or its framing, is damaged; the text says how."""

    @property
    def failure(self) -> Failure:
        return corrupt_body(str(self))


class UnreadableByQt(CorruptBody):
    """Qt could not read the response, which may be sound; the text says why."""


class HeaderTooLarge(BodyError):
    """The header of the response exceeds ``MAXIMUM_HEADER_BYTES`` or ``MAXIMUM_HEADER_LINES``."""

    @property
    def failure(self) -> Failure:
        return header_too_large()


def truncated(arrived: int, promised: int) -> Failure:
    text = f"Connection closed: {arrived} of {promised} bytes of the body arrived"
    return network_failure(QtNetworkError.RemoteHostClosedError, text)


def corrupt_body(reason: str) -> Failure:
    return network_failure(QtNetworkError.ProtocolFailure, f"Data corrupted: {reason}")
