"""Sessions of ``requests`` over the engines of this package: a new one, or all Sessions of the process."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

import requests
from requests.adapters import HTTPAdapter

from .._names import public
from ..feedback import FeedbackLike
from ..manager.manager import NetworkAccessManager
from ..proxies.rules import environment_names_proxies
from .adapter import QtAdapter, are_alike, with_retries
from .arguments import Origins, environment_bundles, has_retries


@public
def requests_session(
    manager: Optional[NetworkAccessManager] = None,
    feedback: Optional[FeedbackLike] = None,
    authCfg: str = "",
    *,
    authOrigins: Origins = (),
) -> requests.Session:
    """Return a ``requests.Session`` whose requests a QtAdapter sends. The arguments are those of ``QtAdapter``."""
    session = _Session()
    adapter = QtAdapter(manager, feedback, authCfg, authOrigins=authOrigins)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _Session(requests.Session):
    """Reads the environment as requests does, but only if a variable is set: without one, requests spends a fifth of
    the time of a small request on it.
    """

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        if proxies or self.proxies or sys.platform != "linux" or (self.trust_env and environment_names_proxies()):
            return super().merge_environment_settings(url, proxies, stream, verify, cert)  # type: ignore[no-untyped-call]
        if self.trust_env and (verify is True or verify is None):
            verify = next((path for path in environment_bundles() if path), verify)
        return {
            "proxies": {},
            "stream": self.stream if stream is None else stream,
            "verify": self.verify if verify is None else verify,
            "cert": self.cert if cert is None else cert,
        }


_adapters_lock = threading.Lock()
_adapters: list[QtAdapter] = []
_replaced_get_adapter: Any = None
"""The method that ``_get_adapter`` stands for: requests' own, or that of a library for tests."""
_adapters_with_retries: weakref.WeakKeyDictionary[HTTPAdapter, QtAdapter] = weakref.WeakKeyDictionary()
"""For a mounted adapter that has retries, the adapter that serves in its place."""


def _get_adapter(session: requests.Session, url: str) -> Any:
    mounted = _replaced_get_adapter(session, url)
    adapters = _adapters
    # An adapter of another class was mounted on purpose: it stays.
    if not adapters or type(mounted) is not HTTPAdapter:
        return mounted
    adapter = adapters[-1]
    return _adapter_with_retries(adapter, mounted) if has_retries(mounted.max_retries) else adapter


def _adapter_with_retries(adapter: QtAdapter, mounted: HTTPAdapter) -> QtAdapter:
    known = _adapters_with_retries.get(mounted)
    if known is None or known.max_retries is not mounted.max_retries or not are_alike(known, adapter):
        known = _adapters_with_retries[mounted] = with_retries(adapter, mounted.max_retries)
    return known


@public
@contextmanager
def route_requests(
    manager: Optional[NetworkAccessManager] = None,
    feedback: Optional[FeedbackLike] = None,
    authCfg: str = "",
    *,
    authOrigins: Origins = (),
) -> Iterator[QtAdapter]:
    """Within it every ``requests`` of the process goes over our engines, in all threads: for libraries that make their
    own sessions (OWSLib, pystac-client). A plain ``HTTPAdapter`` that is mounted with ``max_retries`` lends them to the
    adapter that takes its place; an adapter of any other class stays. May be nested.
    """
    global _replaced_get_adapter
    adapter = QtAdapter(manager, feedback, authCfg, authOrigins=authOrigins)
    with _adapters_lock:
        if not _adapters:
            _replaced_get_adapter = requests.Session.get_adapter
            requests.Session.get_adapter = _get_adapter  # type: ignore
        _adapters.append(adapter)
    try:
        yield adapter
    finally:
        with _adapters_lock:
            _adapters.remove(adapter)
            if not _adapters and requests.Session.get_adapter is _get_adapter:
                requests.Session.get_adapter = _replaced_get_adapter  # type: ignore[method-assign]
