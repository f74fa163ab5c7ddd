"""Chooses the engine that serves a request."""

from __future__ import annotations

import os
from typing import Union

from ..environment import any_is_set, encoded_names
from ..models.failure import Failure
from ..models.http_messages import Request
from ..models.urls import has_stray_percent
from ..qt.binding import QT_VERSION
from .base import Engine
from .events import Step
from .python import engine as _python
from .python.failures import is_out_of_descriptors, unknown_failure
from .python.pre_shared_keys import supports_pre_shared_keys
from .qt import engine as _qt
from .qt.transfer_tracer import SIGNALS_CONNECTING
from .request_check import malformed

AUTO = "auto"
ENGINES = ("qt", "python")
LARGE_BODY_BYTES = 1 << 13
"""Qt 6 sends a body of at most this size in one piece with the header."""

ENVIRONMENT_VARIABLE = "BLOCKING_REQUEST_ENGINE"

_VARIABLE_NAMES = encoded_names(ENVIRONMENT_VARIABLE)

stand_ins: list[Engine] = []
"""Engines that tests put in the place of all others; the last one serves every request. Any thread may change it."""


def engine(name: str) -> Engine:
    """Return the engine of that name, which all requests of the process share, or the one that stands in for it."""
    return stand_ins[-1] if stand_ins else _engines[name]


def engine_below(stand_in: Engine) -> Engine:
    """Return the engine that would serve if a stand-in were not there: the next stand-in, or the python engine."""
    place = stand_ins.index(stand_in) if stand_in in stand_ins else 0
    return stand_ins[place - 1] if place else _engines["python"]


def register(new: Engine) -> None:
    """Add an engine. It serves the requests that name it; ``AUTO`` does not choose it. Any thread may call this."""
    _engines[new.name] = new


def choose(request: Request, wanted: str, prefers_python: bool = False) -> Union[Engine, Failure]:
    """Return the engine that serves the request, or why no engine can.

    ``wanted``: the name of an engine, or ``AUTO``; ``prefers_python``: whether ``AUTO`` tries the python engine first.
    """
    problem = malformed(request)
    if problem is not None:
        return problem
    try:
        return _choice(request, wanted, prefers_python)
    except OSError as error:  # modules and certificates are read when they are first needed
        if is_out_of_descriptors(error):
            return unknown_failure(error)
        raise


def _choice(request: Request, wanted: str, prefers_python: bool) -> Union[Engine, Failure]:
    if stand_ins or wanted != AUTO:
        pinned = engine(wanted)
        return pinned.unsupported_reason(request) or pinned
    if request.pre_shared_key is not None:
        prefers_python = supports_pre_shared_keys()  # Qt does not have them in TLS 1.3
    else:
        prefers_python = prefers_python or _is_better_without_qt(request)
    first, second = ("python", "qt") if prefers_python else ("qt", "python")
    if request.connection_credentials is not None or request.qgis:
        return engine("qt").unsupported_reason(request) or engine("qt")
    preferred = engine(first)
    refusal = preferred.unsupported_reason(request)
    if refusal is None:
        return preferred
    other = engine(second)
    other_refusal = other.unsupported_reason(request)
    if other_refusal is None:
        return other
    # For an http or https URL, Qt may only report that it lacks an application or OpenSSL. The python engine reports
    # the fault that the user can mend.
    qt_says, python_says = (refusal, other_refusal) if first == "qt" else (other_refusal, refusal)
    return python_says if request.url.startswith("http") else qt_says


def _is_better_without_qt(request: Request) -> bool:
    """Return whether ``AUTO`` prefers the python engine although Qt could serve the request."""
    body = request.body
    # A streamed body takes half as long again on Qt. Qt takes bytes that arrive on an idle connection for the next
    # response, and a cache would store that. Qt always adds some fields that this request omits.
    if request.streams or request.is_stored or request.omitted or request.avoids_qt:
        return True
    if request.connection.demands_http2:
        return True  # Qt does not say so in the TLS handshake, and waits if the server speaks HTTP/1.1
    if has_stray_percent(request.url):
        return True  # Qt sends %25 for it
    if not body:
        return False
    # Qt 5 sends header and body in two packets, and on a kept connection the second waits 40 ms for the server's
    # delayed ACK. So does Qt 6 if the body is large.
    return QT_VERSION < (6,) or not isinstance(body, bytes) or len(body) > LARGE_BODY_BYTES


def needs_python(steps: frozenset[Step]) -> bool:
    """Return whether a caller wants to know of steps that only the python engine reports."""
    return not SIGNALS_CONNECTING and bool(steps & {Step.CONNECTING, Step.REQUEST_SENT})


def checked_engine(name: str) -> str:
    """Return the name. Raises TypeError if it is not a str, and ValueError if there is no engine of that name."""
    if not isinstance(name, str):
        raise TypeError(f"an engine is named by a str, not {type(name).__name__}")
    names = [AUTO, *_engines]
    if name == "urllib3":
        raise ValueError("the engine 'urllib3' has given way to the engine 'python': give 'python', 'qt' or 'auto'")
    if name not in names:
        raise ValueError(f"there is no engine {name!r}: give {', '.join(map(repr, names[:-1]))} or {names[-1]!r}")
    return name


def engine_of_environment() -> str:
    """Return the engine that ``BLOCKING_REQUEST_ENGINE`` names. Raises ValueError if there is no such engine."""
    if not any_is_set(_VARIABLE_NAMES):
        return AUTO
    name = os.environ[ENVIRONMENT_VARIABLE]
    try:
        return checked_engine(name)
    except ValueError as error:
        raise ValueError(f"The environment variable {ENVIRONMENT_VARIABLE} is wrong: {error}") from None


def clear_connections() -> None:
    """Close the idle connections that are kept for further requests."""
    for running in list(_engines.values()):
        running.clear_connections()


def shutdown() -> None:
    """Stop every worker of every engine; the next request starts new ones."""
    for running in list(_engines.values()):
        running.shutdown()


def exit_engines() -> None:
    """Stop every worker of every engine for good: the interpreter exits."""
    for running in list(_engines.values()):
        running.exit()


# Both engines are imported with the package, by statements that tools such as PyInstaller see. An import during the
# first call would take the import lock of the module. If another thread forks the process then, the lock stays taken in
# the child.
_engines: dict[str, Engine] = {"qt": _qt.engine, "python": _python.engine}
