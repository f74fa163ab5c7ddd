"""The result of the parser for a response, for each way to split its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from blocking_request.engines.body_errors import BodyError
from blocking_request.engines.python.failures import ConnectionLost
from blocking_request.engines.python.http1 import ResponseParser


class Outcome(NamedTuple):
    """``error``: class of the exception; ``rest``: bytes behind the body; ``keeps``: the connection can be reused."""

    error: str = ""
    status: int = 0
    body: bytes = b""
    rest: bytes = b""
    is_complete: bool = False
    keeps: bool = False


class Parsed(NamedTuple):
    outcome: Outcome
    parser: ResponseParser
    error: Optional[Exception]


def parsed(pieces: Iterable[bytes], method: str = "GET") -> Parsed:
    """Parse a response whose connection ends behind the last piece."""
    parser, body = ResponseParser(method), bytearray()
    error: Optional[Exception] = None
    behind = iter(pieces)
    try:
        _receive(parser, behind, body)
    except (BodyError, ConnectionLost) as raised:
        error = raised
    is_complete = parser.is_complete and error is None
    outcome = Outcome(
        type(error).__name__ if error is not None else "",
        parser.head.status if parser.head is not None else 0,
        bytes(body),
        b"".join([parser.rest, *behind]) if is_complete else b"",
        is_complete,
        parser.keeps_connection and is_complete,
    )
    return Parsed(outcome, parser, error)


def _receive(parser: ResponseParser, pieces: Iterator[bytes], body: bytearray) -> None:
    for piece in pieces:
        if parser.head is None:
            if not parser.receive_head(piece):
                continue
            piece = parser.rest
        for part in parser.receive_body(piece):
            body += part
        if parser.is_complete:
            return
    parser.receive_end()


def outcome(data: bytes, method: str = "GET") -> Outcome:
    return parsed([data], method).outcome


def splits(data: bytes, short: int = 300) -> Iterator[list[bytes]]:
    """Yield the data byte by byte and, if it is short, split in two at each position."""
    yield [data[at : at + 1] for at in range(len(data))]
    if len(data) <= short:
        for at in range(1, len(data)):
            yield [data[:at], data[at:]]
