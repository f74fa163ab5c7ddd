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

    Called on the class, ``NetworkAccessManager.timeout()``, it is a method of ``NetworkAccessManager.instance()``.
    """

    def __init__(self, function: Callable[Concatenate[Any, _P], _R]) -> None:
        self._function = function
        update_wrapper(self, function)  # type: ignore[arg-type]

    def __get__(self, manager: Any, owner: Any) -> Callable[_P, _R]:
        return MethodType(self._function, owner.instance() if manager is None else manager)
