"""Decorators that set the ``__module__`` of a class or function to the module that offers its name.

Users see this name in ``help()``, and pickles store it. So a class can move between internal modules, and the package
can have another name, as in a plugin with its own copy. The decorators stand at the definitions, and not at the lists
of names, because these lists import a module only when one of its names is used.
"""

from __future__ import annotations

from typing import TypeVar

_T = TypeVar("_T")


def public(value: _T) -> _T:
    """Mark a name that ``blocking_request`` offers."""
    value.__module__ = __package__
    return value


def pickled(value: _T) -> _T:
    """Mark an internal class or function that pickles name. ``_pickled`` offers it."""
    value.__module__ = f"{__package__}._pickled"
    return value
