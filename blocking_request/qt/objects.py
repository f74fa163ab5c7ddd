"""Lifetime of QObjects and QThreads: what differs between the bindings, or between Python and C++."""

from __future__ import annotations

from typing import Any, Callable

from .binding import QtCore, application, sip


def release_ownership(qobject: QtCore.QObject) -> None:
    """Take a QObject out of PyQt's hands.

    When a QCoreApplication is destroyed, PyQt deletes every QObject that Python owns, in the thread that destroys it,
    although workers still use them. A QObject that was released must be deleted by ``delete_at_thread_end`` or
    ``delete_finished_thread``.
    """
    sip.transferto(qobject, None)  # type: ignore[arg-type]


def prime_disconnect_notify(signal: Any, slot: Callable[..., None]) -> None:
    """Have PyQt ask now whether Python overrides ``disconnectNotify`` of who sends the signal: it remembers a no.

    Later it asks under a lock of Qt's, with the GIL wanted by another thread that wants the lock (symptom: a freeze of
    the process; PyQt5 5.15).
    """
    signal.connect(slot)
    signal.disconnect(slot)


def delete_at_thread_end(qobject: QtCore.QObject) -> None:
    """Delete a QObject of a thread that is about to end; called in that thread.

    Not at once and here, because ``sip.delete`` holds the GIL: a manager waits in its destructor for its HTTP thread,
    and that thread may want the GIL to ask a Python-made application whether it overrides ``notify`` (symptom: the
    process freezes; 5.15 and 6.11). Without an application nothing is asked, and no deferred deletion happens either.
    """
    if application() is None:
        sip.delete(qobject)
    else:
        qobject.deleteLater()


def detach_thread(thread: QtCore.QThread) -> None:
    """Give a new QThread to C++, and to no thread: any thread may delete it once it has finished.

    For the thread that has made it.

    An object that lives in a thread can be deleted there only: ``sip.delete`` elsewhere leaves it to that thread, whose
    end then deletes it when its wrapper is no more (symptom: a crash in ``~sipQThread``; 5.15, 6.11).
    """
    release_ownership(thread)
    thread.moveToThread(None)


def start_thread(thread: QtCore.QThread) -> bool:
    """False where Qt could not make a thread, which it says on the error output only."""
    thread.start()
    return has_started(thread)


def has_started(thread: QtCore.QThread) -> bool:
    """Whether it runs or has run. Of a thread that was freed."""
    try:
        return thread.isRunning() or thread.isFinished()
    except RuntimeError:
        # It has run and ended, and another thread has deleted it: all since the line above.
        return True


def delete_finished_thread(thread: QtCore.QThread) -> None:
    """Delete a QThread that was freed and has finished, or is about to. Called by one thread only."""
    # A finishing thread is finished for isFinished() and still waited for, under the GIL, by the destructor.
    if thread.wait():
        thread.moveToThread(QtCore.QThread.currentThread())
        sip.delete(thread)


def disconnect_destroyed(qobject: QtCore.QObject) -> None:
    """Have PyQt forget that it wants to hear of the end of a QObject that Qt has made.

    PyQt hears of it by an event in the thread that imported it. Symptoms (5.15, 6.11): where that thread runs no event
    loop, 200 bytes are lost for each object; where it does, the event may come when another object lives at the same
    place, whose wrapper is then taken for deleted. The caller must not keep the wrapper longer than the object lives.
    """
    try:  # noqa: SIM105  (suppress() takes as long again)
        qobject.destroyed.disconnect()
    except TypeError:
        pass  # nothing was connected
