"""The hook of this package for PyInstaller.

It excludes all but one of the Qt bindings that ``qt/binding.py`` can import, because PyInstaller refuses to build a
program with two of them. PyInstaller's own rule chooses: the binding that the program imports, else the one in the
environment variable ``QT_API``, else the first that is installed. And it includes the modules that no import statement
names.
"""

try:
    from PyInstaller.utils.hooks.qt import exclude_extraneous_qt_bindings
except ImportError:  # an older PyInstaller, whose error message names the option that is needed
    excludedimports = []
else:
    excludedimports = exclude_extraneous_qt_bindings("hook-blocking_request", ["PyQt5", "PyQt6", "PySide6"])

# Pickles name _pickled. The other modules are imported by blocking_request/__init__.py at the first use of a name.
hiddenimports = [
    "blocking_request._pickled",
    "blocking_request.batch.batch",
    "blocking_request.batch.request",
    "blocking_request.batch.result_buffer",
    "blocking_request.manager.portable",
    "blocking_request.models.timings",
    "blocking_request.netlog.state",
    "blocking_request.prepare.request_parameters",
    "blocking_request.requests_adapter",
    "blocking_request.stores.cache",
    "blocking_request.stores.cookie_jar",
    "encodings.idna",
]
