"""CallSetup: the manager and the requests that the options of a command make."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Optional

import click

from ... import AuthConfig, BlockingNetworkRequest, NetworkAccessManager
from ...models.failure import RequestNotSent
from ...models.redaction import hidden_repr
from ...prepare.arguments import call_arguments
from ...prepare.build_request import check_field, checked_text
from ...qt.binding import QtCore, QtNetwork
from .url import complete_url
from .values import check_text, is_pipe

AUTH_ID = "command"
"""The id of the credentials in the registry of the manager, for batches."""


def _check_local_file(url: QtCore.QUrl) -> None:
    """Raise click.FileError for a pipe or device: Qt would wait for it without an end, and without a timeout."""
    path = url.toLocalFile()
    if path and is_pipe(path):
        raise click.FileError(path, "it is a pipe or device")


@dataclass
class CallSetup:
    """What the options of one command set. Each group of options applies its values to it."""

    manager: NetworkAccessManager = field(default_factory=NetworkAccessManager)
    prototype: QtNetwork.QNetworkRequest = field(default_factory=QtNetwork.QNetworkRequest)
    """The request of every URL, without the URL."""
    headers: list[tuple[bytes, Optional[bytes]]] = field(default_factory=list)
    """The fields in their order. A field whose value is None is not sent, even if it is a default."""
    query: list[tuple[Any, bytes]] = field(default_factory=list)
    auth: Optional[AuthConfig] = None
    cookies: list[tuple[str, str]] = field(default_factory=list)
    """The cookies that each host gets."""
    cookie_file: Optional[str] = None
    """The file that gets the cookies at the end."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    def blocking_request(self) -> BlockingNetworkRequest:
        """Return the object that sends one request."""
        blocking = BlockingNetworkRequest(self.manager)
        blocking.setAuthConfig(self.auth)
        return blocking

    def auth_cfg(self) -> str:
        """Return the id of the credentials for a batch; '' if there are none."""
        return "" if self.auth is None else self.manager.authRegistry().store(self.auth, AUTH_ID)

    def request_of(self, url: str) -> QtNetwork.QNetworkRequest:
        """Return the request for a URL, and set the cookies of -b for its host. Raises click.UsageError."""
        check_text(url, "URL")
        request = QtNetwork.QNetworkRequest(self.prototype)
        complete = complete_url(url)
        request.setUrl(QtCore.QUrl(complete))
        _check_local_file(request.url())
        for name, value in self.cookies:
            try:
                self.manager.cookieJar().setCookie(request.url(), name, value)
            except ValueError as error:
                raise click.UsageError(f"-b: {error}") from None
        return request

    @staticmethod
    def can_send(url: str) -> bool:
        """Return whether a URL is valid."""
        try:
            checked_text(complete_url(url))
        except RequestNotSent:
            return False
        return True

    def add_default_header(self, name: str, value: Optional[str]) -> None:
        """Send a header field unless -H sets or removes it. Raises click.UsageError."""
        if name.lower().encode() not in {each.lower() for each, _ in self.headers}:
            self.add_header(name.encode(), None if value is None else os.fsencode(value))

    def add_header(self, name: bytes, value: Optional[bytes]) -> None:
        """Send one more header field. Raises click.UsageError if it is not valid."""
        try:
            check_field(name, value or b"")
            call_arguments([*self.headers, (name, value)], None)
        except RequestNotSent as error:
            raise click.UsageError(error.failure.text) from None
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        self.headers.append((name, value))

    def save_cookies(self) -> None:
        """Write the file of ``-c``. Raises OSError."""
        if self.cookie_file is None:
            return
        try:
            self.manager.cookieJar().save(self.cookie_file, sessionCookies=True)
        except OSError as error:
            # The error may name a temporary file beside it.
            raise OSError(error.errno, f"the cookies cannot be written: {error.strerror}", self.cookie_file) from None
