"""Reads the attributes of a QNetworkRequest that say how to send it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional, Union

from ..flows.cache.load_control import CacheLoadControl
from ..flows.redirects import RedirectPolicy, RedirectRules
from ..qt.binding import QtCore, QtNetwork, enum_value, type_name

_Attribute = QtNetwork.QNetworkRequest.Attribute

RequestLike = Union[QtNetwork.QNetworkRequest, QtCore.QUrl, str]


def check_request(request: RequestLike) -> None:
    """Raise TypeError if ``request`` is not a QNetworkRequest, QUrl or str."""
    if not isinstance(request, (str, QtCore.QUrl, QtNetwork.QNetworkRequest)):
        raise TypeError(f"request must be a QNetworkRequest, a QUrl or a str, not {type_name(request)}")


def verb_text(verb: Any) -> str:
    """Return a verb as text. Raises TypeError if it is neither text nor bytes."""
    if isinstance(verb, str):
        return verb
    if isinstance(verb, (bytes, bytearray, QtCore.QByteArray)):
        return bytes(verb).decode("latin-1")
    raise TypeError(f"verb must be bytes or str, not {type_name(verb)}")


def check_options(force_refresh: Any, feedback: Any) -> None:
    """Raise TypeError if ``force_refresh`` is no bool and no number, or ``feedback`` is not a feedback object."""
    if not isinstance(force_refresh, int):
        raise TypeError(f"forceRefresh must be a bool, not {type(force_refresh).__name__}")
    if isinstance(feedback, type):
        raise TypeError(f"feedback must be an object, not a class: give an instance, {feedback.__name__}()")
    if feedback is not None and not hasattr(feedback, "isCanceled"):
        raise TypeError(
            f"feedback must be a Feedback or have isCanceled(), and {type(feedback).__name__} has no isCanceled()"
        )


def redirect_rules(request: RequestLike, default: RedirectRules) -> RedirectRules:
    """Return the rules with the limit and the policy of the request; ``default`` has the policy if it sets none."""
    if not isinstance(request, QtNetwork.QNetworkRequest):
        return default
    rules = replace(default, limit=request.maximumRedirectsAllowed())
    policy = request.attribute(_Attribute.RedirectPolicyAttribute)
    if policy is not None:
        return replace(rules, policy=RedirectPolicy(enum_value(policy)))
    old_switch = getattr(_Attribute, "FollowRedirectsAttribute", None)  # Qt 5 only
    if old_switch is not None and request.attribute(old_switch) is False:
        return replace(rules, policy=RedirectPolicy.Manual)
    return rules


def transfer_timeout(request: RequestLike) -> int:
    """Return the request's own idle timeout in ms; 0 if it has none."""
    return request.transferTimeout() if isinstance(request, QtNetwork.QNetworkRequest) else 0


_HAS_THRESHOLD = hasattr(QtNetwork.QNetworkRequest, "decompressedSafetyCheckThreshold")
_DEFAULT_THRESHOLD = QtNetwork.QNetworkRequest().decompressedSafetyCheckThreshold() if _HAS_THRESHOLD else 0  # type: ignore[attr-defined]


def expansion_threshold(request: RequestLike) -> Optional[int]:
    """Return the request's own threshold for the check of decompression (Qt 6.2), in bytes; -1: it is not checked.

    None: it has Qt's default, or cannot have one.
    """
    if not _HAS_THRESHOLD or not isinstance(request, QtNetwork.QNetworkRequest):
        return None
    threshold: int = request.decompressedSafetyCheckThreshold()  # type: ignore[attr-defined]
    return None if threshold == _DEFAULT_THRESHOLD else threshold


def is_automatic(request: RequestLike, attribute: QtNetwork.QNetworkRequest.Attribute) -> bool:
    """Return whether an attribute of the type ``LoadControl`` is Automatic, or is not set."""
    if not isinstance(request, QtNetwork.QNetworkRequest):
        return True
    control = request.attribute(attribute)
    return control is None or enum_value(control) == enum_value(QtNetwork.QNetworkRequest.LoadControl.Automatic)


_LOAD_CONTROLS: dict[Any, CacheLoadControl] = {each.value: each for each in CacheLoadControl}


def cache_load_control(request: RequestLike, force_refresh: bool) -> CacheLoadControl:
    """Return how a request uses the cache."""
    if force_refresh:
        return CacheLoadControl.AlwaysNetwork
    if not isinstance(request, QtNetwork.QNetworkRequest):
        return CacheLoadControl.PreferCache
    control = request.attribute(_Attribute.CacheLoadControlAttribute)
    value = getattr(control, "value", control)
    if not isinstance(value, int):
        return CacheLoadControl.PreferCache
    return _LOAD_CONTROLS.get(value, CacheLoadControl.PreferCache)


def may_store_response(request: RequestLike) -> bool:
    """Return whether the cache may store the response."""
    if not isinstance(request, QtNetwork.QNetworkRequest):
        return True
    control = request.attribute(_Attribute.CacheSaveControlAttribute)
    return True if control is None else bool(control)
