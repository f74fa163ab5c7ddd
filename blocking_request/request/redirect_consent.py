"""Asks the slots of a BlockingNetworkRequest whether to follow a redirect, as Qt's UserVerifiedRedirectPolicy does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from ..models.urls import split_userinfo
from ..qt.binding import DIRECT_CONNECTION, QtCore, Slot, encoded_url, is_deleted
from ..qt.emit import emit, is_connected

if TYPE_CHECKING:
    from .request import BlockingNetworkRequest


class _Consent(QtCore.QObject):
    """Remembers whether ``redirectAllowed`` was emitted."""

    is_given = False

    @Slot()
    def give(self) -> None:
        self.is_given = True


def is_allowed(owner: BlockingNetworkRequest, target: str) -> Optional[bool]:
    """Emit ``redirected``; return whether ``redirectAllowed`` was emitted meanwhile, in any thread.

    None: no slot is connected. ``target``: the URL that is requested next.
    """
    if not is_connected(owner, "redirected"):
        return None
    consent = _Consent()
    try:
        # A direct connection, because the thread in which the objects live may run no event loop. It exists only now,
        # because an emission at another time allows nothing, as in Qt.
        allowed: Any = owner.redirectAllowed
        allowed.connect(consent.give, DIRECT_CONNECTION)
        try:
            emit(owner, "redirected", encoded_url(split_userinfo(target)[0]))
        finally:
            if not (is_deleted(owner) or is_deleted(consent)):
                allowed.disconnect(consent.give)
    except RuntimeError:
        if not (is_deleted(owner) or is_deleted(consent)):  # the application has ended meanwhile
            raise
    return consent.is_given
