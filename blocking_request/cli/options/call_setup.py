"""CallSetup: the manager and the requests that the options of a command make."""

from __future__ import annotations

from dataclasses import dataclass, field

from ... import NetworkAccessManager
from ...qt.binding import QtCore, QtNetwork
from .values import check_text


@dataclass
class CallSetup:
    """What the options of one command set. Each group of options applies its values to it."""

    manager: NetworkAccessManager = field(default_factory=NetworkAccessManager)
    prototype: QtNetwork.QNetworkRequest = field(default_factory=QtNetwork.QNetworkRequest)
    """The request of every URL, without the URL."""

    def request_of(self, url: str) -> QtNetwork.QNetworkRequest:
        """Return the request for a URL. Raises click.UsageError."""
        check_text(url, "URL")
        request = QtNetwork.QNetworkRequest(self.prototype)
        request.setUrl(QtCore.QUrl(url))
        return request
