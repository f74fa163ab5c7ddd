"""Which engine serves a request: ``choose`` says which one, or why none can."""

from __future__ import annotations

import os
from typing import Union

from ..environment import any_is_set, encoded_names
from ..models.failure import Failure
from ..models.http_messages import Request
from ..qt.binding import QT_VERSION
from .base import Engine
from .python import engine as _python
from .qt import engine as _qt
from .request_check import malformed

AUTO = "auto"
ENGINES = ("qt", "python")
LARGE_BODY_BYTES = 1 << 13
"""Qt 6 writes as much in one piece with the header."""

ENVIRONMENT_VARIABLE = "BLOCKING_REQUEST_ENGINE"

_VARIABLE_NAMES = encoded_names(ENVIRONMENT_VARIABLE)


def engine(name: str) -> Engine:
    """Return the engine of that name, which all requests of the process share."""
    return _engines[name]


def register(new: Engine) -> None:
    """Have an engine serve the requests that name it; ``AUTO`` does not choose it. May be called from any thread."""
    _engines[new.name] = new


def choose(request: Request, wanted: str, is_one_of_many: bool = False) -> Union[Engine, Failure]:
    """Return the engine that serves the request, or why none can.

    ``wanted``: the name of an engine, or ``AUTO``; ``is_one_of_many``: whether its thread drives others beside it. The
    python engine does so without changing threads.
    """
    problem = malformed(request)
    if problem is not None:
        return problem
    if wanted != AUTO:
        pinned = engine(wanted)
        return pinned.unsupported_reason(request) or pinned
    first, second = ("python", "qt") if is_one_of_many or _is_better_without_qt(request) else ("qt", "python")
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
    # For an http URL, Qt may only report that it lacks an application or OpenSSL. The other engine reports what must be
    # mended.
    qt_says, python_says = (refusal, other_refusal) if first == "qt" else (other_refusal, refusal)
    return python_says if request.url.startswith("http") else qt_says


def _is_better_without_qt(request: Request) -> bool:
    """Qt takes bytes that arrive on an idle connection for the next response, and a cache would keep and serve it.

    Qt 5 writes header and body apart, and each waits 40 ms for the server's kernel on a kept connection. So does
    Qt 6 where the body is large. And a body that is streamed takes Qt half as long again. Some fields Qt adds always.
    """
    body = request.body
    if request.streams or request.is_stored or request.omitted:
        return True
    if not body:
        return False
    return QT_VERSION < (6,) or not isinstance(body, bytes) or len(body) > LARGE_BODY_BYTES


def checked_engine(name: str) -> str:
    """Raises TypeError and ValueError for what is no engine."""
    if not isinstance(name, str):
        raise TypeError(f"an engine is named by a str, not {type(name).__name__}")
    names = [AUTO, *_engines]
    if name == "urllib3":
        raise ValueError("the engine 'urllib3' has given way to the engine 'python': give 'python', 'qt' or 'auto'")
    if name not in names:
        raise ValueError(f"there is no engine {name!r}: give {', '.join(map(repr, names[:-1]))} or {names[-1]!r}")
    return name


def engine_of_environment() -> str:
    """What ``BLOCKING_REQUEST_ENGINE`` says; raises ValueError where that is no engine."""
    if not any_is_set(_VARIABLE_NAMES):
        return AUTO
    name = os.environ[ENVIRONMENT_VARIABLE]
    try:
        return checked_engine(name)
    except ValueError as error:
        raise ValueError(f"The environment variable {ENVIRONMENT_VARIABLE} is wrong: {error}") from None


def clear_connections() -> None:
    """Close the connections that are kept and idle."""
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


# Both are imported with the package, by statements that tools such as PyInstaller see. An import during the first call
# would take the module's import lock; a process forked in the meantime finds it taken for good.
_engines: dict[str, Engine] = {"qt": _qt.engine, "python": _python.engine}
