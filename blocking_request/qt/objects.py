"""Creates and deletes QObjects and QThreads safely, although Python and C++ both own them."""

from __future__ import annotations

from typing import Any, Callable

from .binding import API, QtCore, application, delete, is_deleted, sip


def release_ownership(qobject: QtCore.QObject) -> None:
    """Have Python own a QObject no more.

    When a QCoreApplication is destroyed, PyQt deletes every QObject that Python owns, in the thread that destroys the
    application, although workers still use them. A released QObject must be deleted by ``deleteLater``,
    ``delete_at_thread_end`` or ``delete_finished_thread``. PySide6 does the same in ``QCoreApplication.shutdown()``
    only, and has no such function.
    """
    if API == "PySide6":
        # Several threads may do this at once. Deleted objects are kept until then, so that no new one gets the same id.
        for key, each in list(_released.items()):
            if is_deleted(each):
                _released.pop(key, None)
        _released[id(qobject)] = qobject
    else:
        sip.transferto(qobject, None)  # type: ignore[arg-type]


_released: dict[int, QtCore.QObject] = {}
"""The released objects of PySide6, by ``id``. They would be deleted with their last reference, in any thread."""


def prime_disconnect_notify(signal: Any, slot: Callable[..., None]) -> None:
    """Have PyQt find out now whether Python overrides ``disconnectNotify`` of the sender. PyQt remembers the result.

    Otherwise PyQt finds it out while it holds a lock of Qt: it waits for the GIL then, which another thread may hold
    that waits for the lock. Symptom: the process freezes (PyQt5 5.15).
    """
    signal.connect(slot)
    signal.disconnect(slot)


def delete_at_thread_end(qobject: QtCore.QObject) -> None:
    """Delete a QObject of a thread that is about to end. That thread calls this.

    ``sip.delete`` holds the GIL. The destructor of a manager waits for its HTTP thread, and this thread may wait for
    the GIL, because it asks an application made in Python whether it overrides ``notify``. Symptom: the process freezes
    (5.15 and 6.11). So the object is deleted by ``deleteLater``. Without an application the HTTP thread does not ask,
    and Qt performs no deferred deletion, so ``sip.delete`` is used.
    """
    if application() is None:
        delete(qobject)
    else:
        qobject.deleteLater()


def detach_thread(thread: QtCore.QThread) -> None:
    """Give a new QThread to C++, and to no thread, so that any thread may delete it when it has finished.

    The thread that has created it calls this. ``sip.delete`` of an object that lives in another thread leaves the
    deletion to that thread. Symptom: a crash in ``~sipQThread`` at the end of that thread (5.15, 6.11).
    """
    release_ownership(thread)
    thread.moveToThread(None)


def start_thread(thread: QtCore.QThread) -> bool:
    """Start a thread; return whether Qt could create it. Qt itself only prints a warning to stderr."""
    thread.start()
    return has_started(thread)


def has_started(thread: QtCore.QThread) -> bool:
    """Return whether a detached thread runs or has run."""
    try:
        return thread.isRunning() or thread.isFinished()
    except RuntimeError:
        # The thread has ended, and another thread has deleted the object since the line above.
        return True


def delete_finished_thread(thread: QtCore.QThread) -> None:
    """Delete a detached QThread that has finished, or is about to. Only one thread may call this."""
    # isFinished() is true a little earlier than the thread ends. The destructor would wait for the rest with the GIL.
    if thread.wait():
        thread.moveToThread(QtCore.QThread.currentThread())
        delete(thread)


def abandon_thread(thread: QtCore.QThread) -> None:
    """Leave a detached QThread that does not end to C++, because the interpreter exits.

    PySide6 would delete it then, and the destructor of a running QThread ends the process. It deletes no object that
    has a parent, and Qt never deletes the object of the main thread.
    """
    if API == "PySide6":
        main = QtCore.QThread.currentThread()
        thread.moveToThread(main)
        thread.setParent(main)


def disconnect_destroyed(qobject: QtCore.QObject) -> None:
    """Disconnect PyQt's own slot from ``destroyed`` of a QObject that Qt has created.

    PyQt gets this signal as an event in the thread that imported PyQt. Symptoms (5.15, 6.11): if that thread runs no
    event loop, each object leaks 200 bytes. If it does, the event may come when another object has the same address,
    whose wrapper is then taken for deleted. The caller must not keep the wrapper longer than the object lives.
    """
    if API == "PySide6":
        return  # it connects nothing
    try:  # noqa: SIM105  (suppress() takes as long again)
        qobject.destroyed.disconnect()
    except TypeError:
        pass  # no slot was connected
