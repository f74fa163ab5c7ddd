"""Decorators that say under which name a class or function is known, wherever its module is.

Public names say where they are imported from, whatever name the package has, as in a plugin that brings its own copy.
Pickles name values by it. It is said here, and not where the names are listed, because those lists import a module
when one of its names is first used.
"""

from __future__ import annotations

from typing import TypeVar

_T = TypeVar("_T")


def public(value: _T) -> _T:
    """Mark what ``blocking_request`` itself offers."""
    value.__module__ = __package__
    return value


def pickled(value: _T) -> _T:
    """Mark an internal value that may stand in a pickle: ``_pickled`` offers it."""
    value.__module__ = f"{__package__}._pickled"
    return value
