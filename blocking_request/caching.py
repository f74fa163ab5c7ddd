"""The manager's cache in the flow of a call, and what it validates beside that."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Optional

from .cache.identity import identity_of
from .call import Call
from .exchange import Exchange
from .feedback import FeedbackLike
from .flows import Send
from .flows.cache import CacheRules, with_cache
from .flows.cache_reuse import Load
from .trace import Watcher, logger

if TYPE_CHECKING:
    from .progress import ProgressTeller
    from .settings import Settings


def cached(settings: Settings, load: Load, saves: bool, send: Send) -> Send:
    """``send`` with the manager's cache above it."""
    assert settings.cache is not None
    later = partial(_validate_later, settings=settings, send=send)
    return partial(with_cache, rules=CacheRules(settings.cache, identity_of, time.time, load, saves, later), send=send)


_validated: set[tuple[int, str]] = set()
"""The store and URL of what is just being validated beside a call."""


def _validate_later(exchange: Exchange, rules: CacheRules, settings: Settings, send: Send) -> None:
    """In a thread of its own; of several who want the same, the first does it."""
    key = id(rules.store), exchange.url
    if key in _validated:
        return
    _validated.add(key)

    def validate() -> None:
        try:
            call = Call(settings.engine or "auto", settings.timeout, settings.deadline, _NobodyListens(), None)
            call.run(with_cache(exchange._replace(streams=False), rules, send))
        except Exception as error:
            logger.debug("%s could not be validated: %s", exchange.shown_url, type(error).__name__)
        finally:
            _validated.discard(key)

    threading.Thread(target=validate, name="blocking_request validation", daemon=True).start()


class _NobodyListens:
    """Whose code a call runs that nobody waits for."""

    _watchers: tuple[Watcher, ...] = ()

    def _progress_teller(self, feedback: Optional[FeedbackLike]) -> Optional[ProgressTeller]:
        return None

    def _tell_redirect(self, exchange: Exchange) -> None:
        pass
