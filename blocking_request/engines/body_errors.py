"""What is wrong with a body that cannot be what the server meant to send."""

from __future__ import annotations

from ..models.error_texts import header_too_large
from ..models.failure import Failure, QtNetworkError, network_failure


class DamagedBody(Exception):
    """The body cannot be what the server meant to send; the text says what is wrong with it."""

    @property
    def failure(self) -> Failure:
        return damaged(str(self))


class HeaderTooLarge(DamagedBody):
    """The header of the response exceeds ``MAXIMUM_HEADER_BYTES`` or ``MAXIMUM_HEADER_LINES``."""

    @property
    def failure(self) -> Failure:
        return header_too_large()


def truncated(arrived: int, promised: int) -> Failure:
    text = f"Connection closed: {arrived} of {promised} bytes of the body arrived"
    return network_failure(QtNetworkError.RemoteHostClosedError, text)


def damaged(how: str) -> Failure:
    return network_failure(QtNetworkError.ProtocolFailure, f"Data corrupted: {how}")
