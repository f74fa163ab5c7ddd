"""CallerSignal: which slots it calls, in which thread, with how many arguments, and for how long."""

from __future__ import annotations

import gc
import threading
from typing import Callable

import pytest

from blocking_request.qt.binding import QtCore, Signal, Slot, delete
from blocking_request.qt.caller_signal import CallerSignal


class Receiver(QtCore.QObject):
    passed_on = Signal(bool)
    without_arguments = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []

    def plain(self) -> None:
        self.heard.append("plain")

    @Slot(bool)
    def decorated(self, value: bool) -> None:
        self.heard.append(value)

    @Slot()
    def decorated_without_arguments(self) -> None:
        self.heard.append("decorated")


def test_slots_with_fewer_arguments() -> None:
    signal, receiver, timer = CallerSignal(), Receiver(), QtCore.QTimer()
    timer.start(60_000)
    signal.connect(lambda: receiver.heard.append("lambda"))
    signal.connect(receiver.plain)
    signal.connect(receiver.decorated)
    signal.connect(receiver.decorated_without_arguments)
    signal.connect(timer.stop)
    signal.emit(True, 2)
    assert receiver.heard == ["lambda", "plain", True, "decorated"]
    assert not timer.isActive()


def test_type_error_of_a_slot_reaches_the_caller() -> None:
    signal, calls = CallerSignal(), []

    def slot(*values: object) -> None:
        calls.append(values)
        raise TypeError("of the slot")

    signal.connect(slot)
    with pytest.raises(TypeError, match="of the slot"):
        signal.emit(1)
    assert calls == [(1,)]
    signal.disconnect()
    signal.connect(lambda one, two: None)
    with pytest.raises(TypeError, match="two"):
        signal.emit(1)


@pytest.mark.parametrize("name", ["passed_on", "without_arguments"])
def test_signal_of_a_deleted_object(name: str) -> None:
    """Symptom: a crash (PyQt5 5.15, PyQt6 6.11)."""
    signal, receiver = CallerSignal(), Receiver()
    heard: list[tuple[object, ...]] = []
    getattr(receiver, name).connect(lambda *values: heard.append(values))
    signal.connect(getattr(receiver, name))
    signal.emit(True)
    assert heard == [(True,) if name == "passed_on" else ()]
    delete(receiver)
    for _ in range(2):
        signal.emit(True)
    assert len(heard) == 1 and not signal


@pytest.mark.parametrize("slot", ["plain", "decorated", "deleteLater"])
def test_method_of_a_deleted_object(slot: str) -> None:
    signal, receiver = CallerSignal(), Receiver()
    signal.connect(getattr(receiver, slot))
    delete(receiver)
    signal.emit(True)
    assert not signal


def test_slots_of_deleted_objects_are_dropped() -> None:
    signal = CallerSignal()
    for _ in range(50):
        receiver = Receiver()
        signal.connect(receiver.plain)
        signal.connect(receiver.passed_on)  # type: ignore[arg-type]
        delete(receiver)
        signal.emit(True)
    assert len(signal._slots) <= 2


def in_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(20)


@pytest.mark.parametrize("slot", ["plain", "decorated", "decorated_without_arguments"])
def test_methods_run_in_the_thread_of_their_object(slot: str) -> None:
    signal, receiver = CallerSignal(), Receiver()
    signal.connect(getattr(receiver, slot))
    in_thread(lambda: signal.emit(True))
    assert receiver.heard == []
    QtCore.QCoreApplication.processEvents()
    assert len(receiver.heard) == 1


def test_method_of_cpp_runs_in_the_thread_of_its_object() -> None:
    signal, timer = CallerSignal(), QtCore.QTimer()
    signal.connect(timer.setSingleShot)
    in_thread(lambda: signal.emit(True))
    assert not timer.isSingleShot()
    QtCore.QCoreApplication.processEvents()
    assert timer.isSingleShot()


def test_object_deleted_before_its_slot_runs() -> None:
    signal, receiver = CallerSignal(), Receiver()
    heard = receiver.heard
    signal.connect(receiver.plain)
    in_thread(lambda: signal.emit(True))
    del receiver
    gc.collect()
    QtCore.QCoreApplication.processEvents()
    assert heard == []


def test_exception_of_a_slot_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported there, and does not end the process."""
    reported: list[object] = []
    monkeypatch.setattr("sys.excepthook", lambda kind, *_: reported.append(kind))
    signal, receiver = CallerSignal(), Receiver()
    receiver.heard = None  # type: ignore[assignment]
    signal.connect(receiver.plain)
    in_thread(lambda: signal.emit(True))
    QtCore.QCoreApplication.processEvents()
    assert reported == [AttributeError]


def test_disconnect_one_of_two_connections() -> None:
    signal, heard = CallerSignal(), []

    def slot(value: object) -> None:
        heard.append(value)

    receiver = Receiver()
    for each in (slot, receiver.decorated):
        signal.connect(each)
        signal.connect(each)
        signal.disconnect(each)
    signal.emit(True)
    assert heard == receiver.heard == [True]


def test_callable_that_has_a_method_emit() -> None:
    heard: list[object] = []

    class Bus:
        def __call__(self, value: object) -> None:
            heard.append(value)

        def emit(self, name: str, value: object) -> None:
            raise AssertionError("it is called, as a function")

    signal = CallerSignal()
    signal.connect(Bus())
    signal.emit(1)
    assert heard == [1]


def test_signal_of_this_kind_as_a_slot() -> None:
    first, second = CallerSignal(), CallerSignal()
    heard: list[object] = []
    first.connect(second)  # type: ignore[arg-type]
    second.connect(heard.append)
    first.emit(1)
    assert heard == [1]
    first.disconnect(second)  # type: ignore[arg-type]
    assert not first


def test_connection_type() -> None:
    signal, receiver = CallerSignal(), Receiver()
    kinds = QtCore.Qt.ConnectionType
    signal.connect(receiver.plain, kinds.AutoConnection)
    signal.connect(receiver.decorated, kinds.DirectConnection)
    in_thread(lambda: signal.emit(True))
    assert receiver.heard == [True]
    QtCore.QCoreApplication.processEvents()
    assert receiver.heard == [True, "plain"]
    for kind in (kinds.QueuedConnection, "direct"):
        with pytest.raises(TypeError, match="connectionType must be AutoConnection or DirectConnection"):
            signal.connect(receiver.plain, kind)


def test_exception_in_a_slot_of_a_connected_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported, as in slots of our own signals. By itself PyQt would end the process."""
    reported: list[object] = []
    monkeypatch.setattr("sys.excepthook", lambda kind, *_: reported.append(kind))
    signal, receiver = CallerSignal(), Receiver()
    receiver.passed_on.connect(lambda _: receiver.heard.remove(None))
    signal.connect(receiver.passed_on)  # type: ignore[arg-type]
    signal.emit(True)
    assert reported == [ValueError]
