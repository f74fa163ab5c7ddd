"""A hook of PyInstaller: of the two Qt bindings that ``qt.py`` can import, take the one of the program.

PyInstaller refuses to build a program with two Qt bindings. Its own rule chooses: the binding that the program itself
imports, then the environment variable ``QT_API``, then the first that is installed.
"""

try:
    from PyInstaller.utils.hooks.qt import exclude_extraneous_qt_bindings
except ImportError:  # an older PyInstaller; its message says which option to give
    excludedimports = []
else:
    excludedimports = exclude_extraneous_qt_bindings("hook-blocking_request", ["PyQt5", "PyQt6"])
