"""ErrorCode, and the exceptions that ``ReplyContent.raiseForError()`` raises."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from ._names import public

if TYPE_CHECKING:
    from .reply import ReplyContent


@public
class ErrorCode(IntEnum):
    """What a blocking call came to; the first four have the values of QGIS's class. Text shows the name."""

    # The formats of an IntEnum differ between the versions of Python; here they are all the same.
    def __str__(self) -> str:
        return self.name

    def __format__(self, specification: str) -> str:
        as_number = specification[-1:] in tuple("bcdeEfFgGnoxX%")
        return format(int(self) if as_number else self.name, specification)

    NoError = 0
    """A status below 400 and a complete body, an empty one too."""
    NetworkError = 1
    """No usable answer: name, connection, TLS, proxy, protocol, a corrupt body, or a request that cannot be sent."""
    TimeoutError = 2
    """The idle timeout or the deadline has passed."""
    ServerExceptionError = 3
    """The server answered with a status of 400 or more."""
    CanceledError = 4
    """Cancelled by ``abort()``, by a feedback, or because the application quits."""


@public
class RequestError(Exception):
    """Base of what ``ReplyContent.raiseForError()`` raises; ``reply`` is the reply it was called on."""

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
    """Raised for ``ErrorCode.TimeoutError``; also a builtin ``TimeoutError``."""


@public
class ServerExceptionError(RequestError):
    """Raised for ``ErrorCode.ServerExceptionError``: the server answered with a status of 400 or more."""


@public
class RequestCanceledError(RequestError):
    """Raised for ``ErrorCode.CanceledError``."""


EXCEPTIONS: dict[ErrorCode, type[RequestError]] = {
    ErrorCode.NetworkError: NetworkRequestError,
    ErrorCode.TimeoutError: RequestTimeoutError,
    ErrorCode.ServerExceptionError: ServerExceptionError,
    ErrorCode.CanceledError: RequestCanceledError,
}
