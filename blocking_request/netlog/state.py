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
ATTEMPTS = 20
"""How often a list is read again that another thread changes in the meantime."""

_T = TypeVar("_T")


@public
def dumpState(file: Optional[TextIO] = None) -> None:
    """Write what the calls of this process wait for: to find out why a program hangs.

    There is a line for each call that runs: the URL without secrets, its age, its engine, the step that it waits for,
    and when it ends at the latest; and the line of the program that has called. The connections and workers of the
    engines follow. May be called in any thread, at any time, also in the handler of a Unix signal. It waits for no
    other thread, and disturbs no call. ``file``: None is ``sys.stderr``.
    """
    target = sys.stderr if file is None else file
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
            place = _place(frames.get(thread))
            yield f"thread {names.get(thread, 'of Qt')} ({thread:#x}){place}"
        else:
            yield "driven by no thread at the moment: the program uses a result, or its event loop has to run"
        for call in calls:
            if call.thread == thread:
                engine_text = f", engine {call.engine}" if call.engine else ""
                yield f"  {call.request}: for {call.seconds:.1f} s{engine_text}"
                yield f"    {call.state}"
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


def _place(frame: Optional[FrameType]) -> str:
    """Return the line of the program that has called the package."""
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return "" if frame is None else f", called at {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
