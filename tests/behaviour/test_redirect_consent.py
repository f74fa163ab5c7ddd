"""UserVerifiedRedirectPolicy with the signals of Qt: ``redirected`` asks, ``redirectAllowed`` consents."""

from __future__ import annotations

import threading
import weakref
from pathlib import Path

import pytest

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, NetworkRequestError
from blocking_request.models.failure import QtNetworkError
from blocking_request.qt.binding import DIRECT_CONNECTION, QtCore, QtNetwork, Signal, enum_value

from ..support.interpreter import without_garbage_collector
from ..support.names import CANCELED, NET, OK, Attribute, Serve
from ..support.servers.raw import Connection, RawServer

Policy = QtNetwork.QNetworkRequest.RedirectPolicy
HOPS = ["/2", "/1", "/end"]


def counting_down(connection: Connection) -> None:
    """Redirect /3 to /2, /2 to /1 and /1 to /end."""
    while (request := connection.read_request()) is not None:
        path = request.split(b" ")[1].decode()
        if path == "/end":
            connection.respond(b"there")
        else:
            target = {"/3": "/2", "/2": "/1", "/1": "/end"}[path]
            connection.respond(
                b"moved", "302 Found", f"Location: http://user:secret@{connection_host(request)}{target}\r\n"
            )


def connection_host(request: bytes) -> str:
    return request.partition(b"Host: ")[2].partition(b"\r\n")[0].decode()


@pytest.fixture
def server(serve: Serve) -> RawServer:
    return serve(counting_down)


@pytest.fixture
def asking(manager: NetworkAccessManager, request_of: BlockingNetworkRequest) -> BlockingNetworkRequest:
    """A request whose manager has the policy ``UserVerifiedRedirectPolicy``."""
    manager.setRedirectPolicy(Policy.UserVerifiedRedirectPolicy)
    return request_of


def paths_requested(server: RawServer) -> list[str]:
    return [request.split(b" ")[1].decode() for request in server.requests]


def test_slot_allows_each_redirect(asking: BlockingNetworkRequest, server: RawServer) -> None:
    heard: list[tuple[str, int]] = []

    def allow(url: QtCore.QUrl) -> None:
        assert url.userInfo() == ""
        heard.append((url.path(), threading.get_ident()))
        asking.redirectAllowed.emit()

    asking.redirected.connect(allow)
    assert asking.get(f"{server.url}/3") is OK and asking.reply().body == b"there"
    assert heard == [(path, threading.get_ident()) for path in HOPS]


def test_signal_connected_to_signal(asking: BlockingNetworkRequest, server: RawServer) -> None:
    asking.redirected.connect(asking.redirectAllowed)
    assert asking.get(f"{server.url}/3") is OK and len(asking.reply().history()) == 3


def test_signal_of_another_object_allows(asking: BlockingNetworkRequest, server: RawServer) -> None:
    class Dialog(QtCore.QObject):
        accepted = Signal()

    dialog = Dialog()
    dialog.accepted.connect(asking.redirectAllowed)
    asking.redirected.connect(lambda _: dialog.accepted.emit())
    assert asking.get(f"{server.url}/3") is OK


def test_redirect_that_no_slot_allows(asking: BlockingNetworkRequest, server: RawServer) -> None:
    heard: list[str] = []
    asking.redirected.connect(lambda url: heard.append(url.path()))
    assert asking.get(f"{server.url}/3") is NET
    assert enum_value(asking.reply().error()) == QtNetworkError.InsecureRedirectError
    assert (
        "needs the user's consent and did not get it" in asking.errorMessage() and "secret" not in asking.errorMessage()
    )
    assert asking.reply().statusCode() == 302
    assert heard == ["/2"] and paths_requested(server) == ["/3"]


def test_redirect_without_slot(asking: BlockingNetworkRequest, server: RawServer) -> None:
    asking.finished.connect(lambda: None)
    assert asking.get(f"{server.url}/3") is NET and "set a redirect handler" in asking.errorMessage()


def test_each_redirect_needs_its_own_consent(asking: BlockingNetworkRequest, server: RawServer) -> None:
    """``redirectAllowed`` has no effect at another time, and counts once if it is emitted twice."""

    def allow(url: QtCore.QUrl) -> None:
        if url.path() == "/2":
            asking.redirectAllowed.emit()
            asking.redirectAllowed.emit()

    asking.redirected.connect(allow)
    asking.metaDataChanged.connect(asking.redirectAllowed)
    asking.redirectAllowed.emit()
    assert asking.get(f"{server.url}/3") is NET
    assert paths_requested(server) == ["/3", "/2"]


def test_policy_of_the_request(request_of: BlockingNetworkRequest, server: RawServer) -> None:
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(f"{server.url}/3"))
    request.setAttribute(Attribute.RedirectPolicyAttribute, enum_value(Policy.UserVerifiedRedirectPolicy))
    assert request_of.get(request) is NET
    request_of.redirected.connect(request_of.redirectAllowed)
    assert request_of.get(request) is OK


def test_handler_takes_precedence(
    manager: NetworkAccessManager, asking: BlockingNetworkRequest, server: RawServer
) -> None:
    heard: list[str] = []
    manager.setRedirectHandler(lambda _, target: target.path() != "/end")
    asking.redirected.connect(lambda url: heard.append(url.path()))
    asking.redirected.connect(asking.redirectAllowed)
    assert asking.get(f"{server.url}/3") is NET
    assert heard == ["/2", "/1"]


@pytest.mark.parametrize("policy", [Policy.NoLessSafeRedirectPolicy, Policy.SameOriginRedirectPolicy])
def test_other_policies_need_no_consent(
    manager: NetworkAccessManager, request_of: BlockingNetworkRequest, server: RawServer, policy: Policy
) -> None:
    heard: list[str] = []
    manager.setRedirectPolicy(policy)
    request_of.redirected.connect(lambda url: heard.append(url.path()))
    assert request_of.get(f"{server.url}/3") is OK and heard == HOPS


def test_cancel_in_the_slot(asking: BlockingNetworkRequest, server: RawServer) -> None:
    for allows in (False, True):

        def cancel(_: QtCore.QUrl, allows: bool = allows) -> None:
            asking.abort()
            if allows:
                asking.redirectAllowed.emit()

        asking.redirected.connect(cancel)
        assert asking.get(f"{server.url}/3") is CANCELED
        asking.redirected.disconnect(cancel)
    assert paths_requested(server) == ["/3", "/3"]


def test_exception_in_the_slot(
    asking: BlockingNetworkRequest, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[type[BaseException]] = []
    monkeypatch.setattr("sys.excepthook", lambda kind, *_: reported.append(kind))

    def fail(_: QtCore.QUrl) -> None:
        raise LookupError

    asking.redirected.connect(fail)
    assert asking.get(f"{server.url}/3") is NET and reported == [LookupError]


def test_consent_from_another_thread(asking: BlockingNetworkRequest, server: RawServer) -> None:
    def ask_elsewhere(_: QtCore.QUrl) -> None:
        thread = threading.Thread(target=asking.redirectAllowed.emit)
        thread.start()
        thread.join()

    asking.redirected.connect(ask_elsewhere)
    assert asking.get(f"{server.url}/3") is OK


def test_call_in_another_thread_than_its_object(asking: BlockingNetworkRequest, server: RawServer) -> None:
    """The thread in which the object lives is blocked: it runs no event loop."""
    codes: list[object] = []

    def call() -> None:
        def allow(_: QtCore.QUrl) -> None:
            asking.redirectAllowed.emit()

        # PySide6 would run the slot in the thread of the object.
        asking.redirected.connect(allow, DIRECT_CONNECTION)  # type: ignore[call-arg]
        codes.append(asking.get(f"{server.url}/3"))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert codes == [OK]


def test_streams_and_downloads(asking: BlockingNetworkRequest, server: RawServer, tmp_path: Path) -> None:
    with pytest.raises(NetworkRequestError, match="consent"), asking.stream(f"{server.url}/3"):
        pass
    asking.redirected.connect(asking.redirectAllowed)
    with asking.stream(f"{server.url}/3") as chunks:
        assert b"".join(chunks) == b"there"
    assert asking.download(f"{server.url}/3", str(tmp_path / "file")) is OK
    assert (tmp_path / "file").read_bytes() == b"there"


def test_batches_have_no_signal_to_ask(manager: NetworkAccessManager, server: RawServer) -> None:
    manager.setRedirectPolicy(Policy.UserVerifiedRedirectPolicy)
    (result,) = manager.getMany([f"{server.url}/3"])
    assert result.code is NET and "set a redirect handler" in result.reply.errorString()


def test_manager_does_not_keep_the_request(manager: NetworkAccessManager, server: RawServer) -> None:
    manager.setRedirectPolicy(Policy.UserVerifiedRedirectPolicy)
    request = BlockingNetworkRequest(manager)
    request.redirected.connect(request.redirectAllowed)
    assert request.get(f"{server.url}/3") is OK
    dropped = weakref.ref(request)
    with without_garbage_collector():
        del request
        assert dropped() is None
