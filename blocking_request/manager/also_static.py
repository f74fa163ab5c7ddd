"""``also_static``: methods of the manager that can be called on the class, too."""

from __future__ import annotations

from functools import update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, Callable, Generic, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    _P = ParamSpec("_P")
else:
    _P = TypeVar("_P")

_R = TypeVar("_R")


class also_static(Generic[_P, _R]):
    """Decorates a method that is static in QgsNetworkAccessManager.

    ``NetworkAccessManager.timeout()`` is that of ``NetworkAccessManager.instance()``, and
    ``NetworkAccessManager.timeout(manager)`` that of a manager, as with any method.
    """

    def __init__(self, function: Callable[Concatenate[Any, _P], _R]) -> None:
        self._function = function
        update_wrapper(self, function)  # type: ignore[arg-type]

    def __get__(self, manager: Any, owner: Any) -> Callable[_P, _R]:
        function = self._function
        if manager is not None:
            return MethodType(function, manager)

        def call(*args: Any, **kwargs: Any) -> _R:
            if args and isinstance(args[0], owner):
                return function(*args, **kwargs)
            return function(owner.instance(), *args, **kwargs)

        return update_wrapper(call, function)
