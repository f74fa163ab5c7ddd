"""dumpState: what the calls of this process wait for."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Callable, Optional, TextIO, TypeVar

from .._names import public
from .._version import VERSION
from ..calls.running import RunningCall, drivers, running_calls, streaming_calls
from ..engines.choice import ENGINES, engine
from ..models.redaction import printable
from ..qt.binding import API, QtCore, application

_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_LIBRARY = str(Path(os.__file__).parent) + os.sep
"""The folder of Python's own modules, some of which wait in Python code."""
ATTEMPTS = 20
"""How often a list is read again that another thread changes in the meantime."""

_T = TypeVar("_T")


@public
def dumpState(file: Optional[TextIO] = None) -> None:
    """Write what the calls of this process wait for: to find out why a program hangs.

    There is a line for each call that runs: the URL without secrets, its age, its engine, the step that it waits for,
    and when it ends at the latest; and the line of the program that has called. The connections and workers of the
    engines follow. May be called in any thread, at any time, also in the handler of a Unix signal. It waits for no
    other thread, and disturbs no call. ``file``: a text file that is open for writing; None is ``sys.stderr``. If a
    program has none, as without a console, nothing is written. Raises TypeError if ``file`` cannot be written to.
    """
    target = sys.stderr if file is None else file
    if target is not None and not callable(getattr(target, "write", None)):
        raise TypeError(f'file must be a text file, as from open("state.txt", "w"), not {type(target).__name__}')
    if target is None:  # a program without a console
        return
    target.write("".join(f"{printable(line)}\n" for line in _lines()))
    target.flush()


def _lines() -> Iterator[str]:
    calls = _read(lambda: list(_calls()))
    has_application = "an application" if application() is not None else "no application"
    yield f"blocking_request {VERSION}, {API} with Qt {QtCore.qVersion()}, process {os.getpid()}, {has_application}"
    yield f"calls that run: {len(calls)}"
    frames = sys._current_frames()
    names = {thread.ident: thread.name for thread in _read(threading.enumerate)}
    for thread in sorted({call.thread for call in calls}):
        if thread:
            frame, own = frames.get(thread), ""
            if thread == threading.get_ident():
                frame = _older_than_dump_state(frame)
            else:
                own = _own_place(frame)
            place = _place(frame)
            yield f"thread {names.get(thread, 'of Qt')} ({thread:#x}){place}"
        else:
            own = ""
            yield "driven by no thread at the moment: the program uses a result, or its event loop has to run"
        for call in calls:
            if call.thread == thread:
                engine_text = f", engine {call.engine}" if call.engine else ""
                yield f"  {call.request}: for {call.seconds:.1f} s{engine_text}"
                limit = f"code of the program runs at {own}, and no timeout ends it" if own else call.limit
                yield f"    {call.state}{limit and f'; {limit}'}"
    for name in ENGINES:
        describe: Optional[Callable[[], list[str]]] = getattr(engine(name), "describe", None)
        texts = [] if describe is None else _read(describe)
        yield f"engine {name}:{'' if texts else ' no connections and no workers'}"
        yield from (f"  {text}" for text in texts)


def _calls() -> Iterator[RunningCall]:
    singles = [(call, thread, started) for call, (thread, started) in list(running_calls.items())]
    streams = [(call, 0, started) for call, started in list(streaming_calls.items())]
    for call, thread, started in (*singles, *streams):
        running = call.running_call(thread, started)
        if running is not None:
            yield running
    for driver in list(drivers):
        yield from driver.running_calls()


def _read(read: Callable[[], list[_T]]) -> list[_T]:
    """Return a list that other threads may change while it is read; an empty one if they do it again and again."""
    for _ in range(ATTEMPTS):
        try:
            return read()
        except RuntimeError:  # "dictionary changed size during iteration"
            continue
    return []


def _older_than_dump_state(frame: Optional[FrameType]) -> Optional[FrameType]:
    while frame is not None and frame.f_code is not dumpState.__code__:
        frame = frame.f_back
    return None if frame is None else frame.f_back


def _place(frame: Optional[FrameType]) -> str:
    """Return the line of the program that has called the package.

    Code that the call runs, such as a slot, is newer, and so is the handler of a signal.
    """
    newest = frame
    while frame is not None and not _is_ours(frame):
        frame = frame.f_back
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    frame = frame or newest
    return "" if frame is None else f", called at {_line(frame)}"


def _own_place(frame: Optional[FrameType]) -> str:
    """Return the line of the program that the package has called, such as that of a slot; '' if there is none."""
    place = ""
    while frame is not None and not _is_ours(frame):
        file = frame.f_code.co_filename
        if not place and not file.startswith("<frozen") and (not file.startswith(_LIBRARY) or "-packages" in file):
            place = _line(frame)
        frame = frame.f_back
    return place if frame is not None else ""


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_PACKAGE)


def _line(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
