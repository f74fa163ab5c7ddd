"""A hook of PyInstaller: of the Qt bindings that ``qt/binding.py`` can import, take the one of the program; and take
the modules that no import statement names.

PyInstaller refuses to build a program with two Qt bindings. Its own rule chooses: the binding that the program itself
imports, then the environment variable ``QT_API``, then the first that is installed.
"""

try:
    from PyInstaller.utils.hooks.qt import exclude_extraneous_qt_bindings
except ImportError:  # an older PyInstaller; its message says which option to give
    excludedimports = []
else:
    excludedimports = exclude_extraneous_qt_bindings("hook-blocking_request", ["PyQt5", "PyQt6"])

# The first is named by pickles, and the others are imported when blocking_request/__init__.py is asked for their names.
hiddenimports = [
    "blocking_request._pickled",
    "blocking_request.batch.batch",
    "blocking_request.batch.request",
    "blocking_request.batch.result_buffer",
    "blocking_request.manager.portable",
    "blocking_request.prepare.request_parameters",
    "blocking_request.requests_adapter",
    "blocking_request.stores.cache",
    "blocking_request.stores.cookie_jar",
    "encodings.idna",
]
