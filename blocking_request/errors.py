"""ErrorCode, and the exceptions that ``ReplyContent.raiseForError()`` raises."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from ._names import public

if TYPE_CHECKING:
    from .reply import ReplyContent


@public
class ErrorCode(IntEnum):
    """The outcome of a call. The first four have the values of QgsBlockingNetworkRequest's; ``str()`` is the name."""

    # str() and format() of an IntEnum differ between the versions of Python. Here they are the same on all.
    def __str__(self) -> str:
        return self.name

    def __format__(self, specification: str) -> str:
        as_number = specification[-1:] in tuple("bcdeEfFgGnoxX%")
        return format(int(self) if as_number else self.name, specification)

    NoError = 0
    """The status is below 400, and the body is complete; it may be empty."""
    NetworkError = 1
    """No usable response: a failed name look-up, connection, TLS handshake or proxy; a protocol error; an incomplete or
    corrupt body; or a request that cannot be sent. ``ReplyContent.error()`` says which."""
    TimeoutError = 2
    """The idle timeout or the deadline has passed."""
    ServerExceptionError = 3
    """The status is 400 or more (RFC 9110 sections 15.5 and 15.6)."""
    CanceledError = 4
    """The call was cancelled by ``abort()``, by its feedback, or because the application quits."""


@public
class RequestError(Exception):
    """Base class of the exceptions that ``ReplyContent.raiseForError()`` raises.

    ``str()`` is the ``errorString()`` of the reply. The attribute ``reply`` is the ReplyContent.
    """

    def __init__(self, message: str, reply: ReplyContent) -> None:
        super().__init__(message)
        self.reply = reply

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.reply)


@public
class NetworkRequestError(RequestError):
    """Raised for ``ErrorCode.NetworkError``."""


@public
class RequestTimeoutError(RequestError, TimeoutError):
    """Raised for ``ErrorCode.TimeoutError``. It is also a builtin ``TimeoutError``."""


@public
class ServerExceptionError(RequestError):
    """Raised for ``ErrorCode.ServerExceptionError``: the status is 400 or more. ``reply`` has the body."""


@public
class RequestCanceledError(RequestError):
    """Raised for ``ErrorCode.CanceledError``."""


EXCEPTIONS: dict[ErrorCode, type[RequestError]] = {
    ErrorCode.NetworkError: NetworkRequestError,
    ErrorCode.TimeoutError: RequestTimeoutError,
    ErrorCode.ServerExceptionError: ServerExceptionError,
    ErrorCode.CanceledError: RequestCanceledError,
}
