"""Chooses the Qt binding, and holds the differences between the bindings.

A binding that the program has imported already is used, because two Qt libraries in one process crash. Otherwise the
environment variable ``QT_API`` (``pyqt5``, ``pyqt6`` or ``pyside6``) names it; without it, PyQt5 is tried, then PyQt6,
then PySide6. Only this folder asks which binding it runs on. The program's classes are not changed.
"""

from __future__ import annotations

import os
import sys
import warnings
import weakref
from functools import cache
from typing import TYPE_CHECKING, Any, Callable, Optional

from .._command import is_command
from .._first_use import first_use
from ..models.urls import with_stray_percent_encoded
from .class_creation import make_classes

__all__ = ["API", "QT_VERSION", "QtCore", "QtNetwork", "Signal", "Slot", "sip"]

_SUPPORTED = {"pyqt5": "PyQt5", "pyqt6": "PyQt6", "pyside6": "PySide6"}


def _binding_names() -> list[str]:
    """Return the bindings to try, best first."""
    for module in list(sys.modules):  # in the order of the imports
        name, _, rest = module.partition(".")
        if rest == "QtCore" and name in _SUPPORTED.values():
            return [name]
    if "PySide2.QtCore" in sys.modules:
        raise ImportError(
            "This program has already imported PySide2, and blocking_request works with PyQt5, PyQt6 and PySide6 only: "
            "two Qt libraries in one process crash. Use one of these in the program."
        )
    wanted = os.environ.get("QT_API", "").lower()
    if not wanted:
        return list(_SUPPORTED.values())
    if wanted not in _SUPPORTED:
        names = ", ".join(map(repr, _SUPPORTED))
        raise ImportError(f"QT_API is {wanted!r}; blocking_request knows {names}. Set one of them or none.")
    return [_SUPPORTED[wanted]]


# These are plain import statements, because tools such as PyInstaller do not see a module whose name is computed.


def _import_pyqt5() -> tuple[Any, Any, Any]:
    from PyQt5 import QtCore, QtNetwork, sip

    return QtCore, QtNetwork, sip


def _import_pyqt6() -> tuple[Any, Any, Any]:
    from PyQt6 import QtCore, QtNetwork, sip  # type: ignore[import-not-found]

    return QtCore, QtNetwork, sip


def _import_pyside6() -> tuple[Any, Any, Any]:
    import PySide6  # type: ignore[import-not-found]

    if sys.version_info < (3, 12) and PySide6.__version_info__[:2] >= (6, 12):
        # Each call of a method without a result takes a reference from None. Symptom: "Fatal Python error:
        # none_dealloc" after some thousand calls (6.12.0; since Python 3.12, None has no count).
        raise ImportError(
            f"PySide6 {PySide6.__version__} counts references wrongly on Python 3.11 and older, and crashes. Install "
            "'PySide6<6.10', or use Python 3.12 or newer"
        )
    import shiboken6  # type: ignore[import-not-found]
    from PySide6 import QtCore, QtNetwork

    make_classes(QtCore, QtNetwork)
    return QtCore, QtNetwork, shiboken6


_IMPORTERS = {"PyQt5": _import_pyqt5, "PyQt6": _import_pyqt6, "PySide6": _import_pyside6}


def _is_in_subinterpreter() -> bool:
    """Return whether this is not the main interpreter of the process."""
    try:
        import _interpreters as interpreters  # type: ignore[import-not-found]  # Python 3.13
    except ImportError:
        try:
            import _xxsubinterpreters as interpreters  # type: ignore[import-not-found]
        except ImportError:
            return False  # an implementation of Python without subinterpreters
    return bool(interpreters.get_current() != interpreters.get_main())


def _import_binding() -> tuple[str, Any, Any, Any]:
    if _is_in_subinterpreter():
        # PyQt calls Python in the main interpreter only. Symptoms elsewhere: a call never returns, the process never
        # ends.
        raise ImportError(
            "blocking_request works in the main interpreter of a process only, because PyQt does, and this is a "
            "subinterpreter. Use threads or processes; with mod_wsgi set WSGIApplicationGroup %{GLOBAL}."
        )
    met, names = [], _binding_names()
    for name in names:
        try:
            return (name, *_IMPORTERS[name]())
        except ImportError as error:
            met.append(f"{name}: {error}")
    if len(names) == 1:
        if f"{names[0]}.QtCore" in sys.modules:
            raise ImportError(
                f"The program has imported {names[0]}, but blocking_request cannot import its QtNetwork ({met[0]}). "
                "If it has imported another Qt binding, too: two Qt libraries in one process do not work."
            )
        raise ImportError(
            f"QT_API is {os.environ['QT_API']!r}, but blocking_request cannot import it ({met[0]}). Install it "
            f"(python3 -m pip install {names[0]}), or set QT_API to a binding that is installed, or unset it."
        )
    raise ImportError(
        "blocking_request needs a Qt binding and found none (" + "; ".join(met) + "). Install one, for example: "
        "python3 -m pip install PyQt5 (or PyQt6, or PySide6)"
    )


if TYPE_CHECKING:
    from PyQt5 import QtCore, QtNetwork, sip
    from PyQt5.QtCore import pyqtSignal as Signal
    from PyQt5.QtCore import pyqtSlot as Slot

    API: str = "PyQt5"
else:
    _imported_before = {name for name in _SUPPORTED.values() if f"{name}.QtCore" in sys.modules}
    try:
        API, QtCore, QtNetwork, sip = _import_binding()
    except ImportError as error:
        if is_command():  # it shows a message in the place of a traceback
            sys.exit(str(error))
        raise
    Signal = QtCore.Signal if API == "PySide6" else QtCore.pyqtSignal
    Slot = QtCore.Slot if API == "PySide6" else QtCore.pyqtSlot

_is_imported_by_program = not TYPE_CHECKING and API in _imported_before
"""Whether the program imported this binding before blocking_request, which has used it for this reason."""

AUTO_CONNECTION = QtCore.Qt.ConnectionType.AutoConnection
DIRECT_CONNECTION = QtCore.Qt.ConnectionType.DirectConnection
QUEUED_CONNECTION = QtCore.Qt.ConnectionType.QueuedConnection
"""They are read here, because PySide6 makes the enums of Qt at their first use. Symptom of two threads that do so at
once: "type object 'Qt' has no attribute 'ConnectionType'" (6.12).
"""

BINDING_VERSION = str(QtCore.__version__ if API == "PySide6" else QtCore.PYQT_VERSION_STR)  # type: ignore[attr-defined]

QT_VERSION = tuple(int(part) for part in str(QtCore.qVersion()).split(".")[:3])


def type_name(value: object) -> str:
    """Return the name of a value's type for a message; for an object of another binding, with advice."""
    kind, package = type(value), _other_binding(value)
    if not package:
        return kind.__name__
    full_name = f"{kind.__module__}.{kind.__name__}"
    return f"{full_name}, which belongs to {package} while blocking_request uses {_advice(package)}"


def _advice(package: str) -> str:
    """Return the binding that is used, and how a program that has another one can help itself."""
    if _is_imported_by_program:
        return f"{API}, which this program imported first: give an object of {API}"
    if package not in _IMPORTERS:
        return f"{API}: give an object of {API}"
    return f"{API}: import {package} before blocking_request, or set QT_API={package.lower()}"


def check_binding(value: object, name: str) -> None:
    """Raise TypeError if an argument of that name is an object of another binding."""
    if _other_binding(value):
        raise TypeError(f"{name} is a {type_name(value)}")


def _other_binding(value: object) -> str:
    """Return the name of the other binding to which a value, or a base class of its type, belongs; '' if none."""
    packages = (kind.__module__.partition(".")[0] for kind in type(value).__mro__)
    return next((package for package in packages if package in _OTHER_BINDINGS), "")


_OTHER_BINDINGS = tuple(name for name in ("PyQt5", "PyQt6", "PySide2", "PySide6") if name != API)


def warn_of_other_binding() -> None:
    """Warn if the application of the program is one of another binding: it was imported after this package."""
    if QtCore.QCoreApplication.instance() is not None:
        return
    for name in _OTHER_BINDINGS:
        core = sys.modules.get(f"{name}.QtCore")
        if core is not None and core.QCoreApplication.instance() is not None:
            if _is_imported_by_program:
                reason, advice = f"which this program imported before {name}", f"do not import {API}, or use {API} only"
            else:
                reason = f"because blocking_request was imported before {name}"
                advice = f"import {name} before blocking_request, or set QT_API={name.lower()}"
            warnings.warn(
                f"This program uses {name}, but blocking_request uses {API}, {reason}. Signals do not reach slots of "
                f"{name}: {advice}",
                RuntimeWarning,
                stacklevel=3,
            )


def enum_value(member: Any) -> int:
    """Return the integer of a member of a Qt enum, which is an ``int`` on PyQt5 and an ``enum.Enum`` on PyQt6."""
    return int(member if isinstance(member, int) else member.value)


def run_event_loop(loop: QtCore.QEventLoop) -> None:
    """Run an event loop until it is quit."""
    run: Callable[[], int] = getattr(loop, "exec", None) or loop.exec_  # PyQt6 has no exec_, older PyQt5 no exec
    run()


def network_error(value: int) -> QtNetwork.QNetworkReply.NetworkError:
    """Return the member of Qt's ``NetworkError`` for an integer."""
    return QtNetwork.QNetworkReply.NetworkError(value)


def encoded_url(url: str) -> QtCore.QUrl:
    """Return a QUrl for a percent-encoded ASCII string."""
    return QtCore.QUrl(with_stray_percent_encoded(url))  # fromEncoded() does the same in twice the time


is_deleted: Callable[[QtCore.QObject], bool]
"""Whether the C++ object behind a QObject is gone, for example because the application was destroyed."""

address: Callable[[QtCore.QObject], int]
"""Returns the address of the C++ object behind a wrapper."""

is_owned_by_python: Callable[[QtCore.QObject], bool]
"""Whether Python deletes the C++ object with its wrapper."""

delete: Callable[[QtCore.QObject], None]
"""Deletes the C++ object at once, in this thread."""

field_name: Callable[[bytes], Any]
"""Returns the name of a header field as methods of Qt take it: bytes, but a str on PySide6."""

if API == "PySide6":
    field_name = bytes.decode
    is_valid: Any = sip.isValid  # type: ignore[attr-defined]
    cpp_pointers: Any = sip.getCppPointer  # type: ignore[attr-defined]
    is_deleted = lambda qobject: not is_valid(qobject)  # noqa: E731
    address = lambda qobject: int(cpp_pointers(qobject)[0])  # noqa: E731
    is_owned_by_python = sip.ownedByPython  # type: ignore[attr-defined]
    delete = sip.delete
else:
    field_name = bytes
    is_deleted = sip.isdeleted
    address = sip.unwrapinstance  # type: ignore[assignment]
    is_owned_by_python = sip.ispyowned
    delete = sip.delete


def application() -> Optional[QtCore.QCoreApplication]:
    """Return the application object, or None. Without one, Qt delivers no events in any thread."""
    return QtCore.QCoreApplication.instance()


ApplicationReference = Callable[[], Optional[QtCore.QCoreApplication]]


def application_reference(app: QtCore.QCoreApplication) -> ApplicationReference:
    """Return a reference to the application that does not keep it alive.

    An application made in Python ends with its last reference, so this one is weak. If the application was made in C++
    (QGIS), the Python object is only a wrapper, and a weak reference to it would be dead at once.
    """
    if is_owned_by_python(app):
        return weakref.ref(app)
    return lambda: None if is_deleted(app) else app


@cache
def has_tls() -> bool:
    """Return whether this Qt has TLS. PyPI's PyQt5 5.15 has none if the system has OpenSSL 3."""
    socket_class = getattr(QtNetwork, "QSslSocket", None)
    return socket_class is not None and not _lacks_openssl(socket_class) and bool(socket_class.supportsSsl())


def _lacks_openssl(socket_class: Any) -> bool:
    """Return whether Qt was built for OpenSSL 1.1 and the system lacks it, as PyPI's PyQt5 on today's Linux.

    In this case ``supportsSsl`` of Qt 5 loads OpenSSL 3 and prints a warning to stderr. A message handler could
    suppress it, but PyQt cannot restore a handler of the program that is written in C++.
    """
    if sys.platform != "linux" or QT_VERSION >= (6,) or socket_class.sslLibraryBuildVersionNumber() >> 28 != 1:
        return False
    with first_use:
        import ctypes
        from glob import escape, glob
    try:
        ctypes.CDLL("libssl.so.1.1")
        return False
    except OSError:
        pass
    folders = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    # QLibraryInfo.location() names the same folder. It is not used, because it damages the heap if several threads call
    # it first at the same time (5.15).
    folders += [os.path.join(os.path.dirname(QtCore.__file__), "Qt5", "lib"), *_LIBRARY_FOLDERS]
    return not any(glob(f"{escape(folder)}/libssl.so.1.1*") for folder in folders if folder)


_LIBRARY_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64")
"""The folders that Qt searches besides those of the dynamic linker."""
