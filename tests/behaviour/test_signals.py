"""The signals at the end of a call, and how the reply tells the outcome."""

from __future__ import annotations

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback, NetworkAccessManager, NetworkRequestError
from blocking_request.qt.binding import QtCore, QtNetwork, delete

from ..support.names import Serve
from ..support.servers.raw import Connection

NetworkError = QtNetwork.QNetworkReply.NetworkError


def respond(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        if request.startswith(b"GET /ok"):
            connection.respond(b"hello")
        elif request.startswith(b"GET /missing"):
            connection.respond(b"no", status="404 Not Found")
        elif request.startswith(b"GET /unchanged"):
            connection.send(b"HTTP/1.1 304 Not Modified\r\n\r\n")
        else:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            return


@pytest.mark.parametrize(
    ("path", "error", "outcome"),
    [
        ("/ok", None, (True, True, False)),
        ("/unchanged", None, (False, False, False)),
        ("/missing", NetworkError.ContentNotFoundError, (False, False, False)),
        ("/cut", NetworkError.RemoteHostClosedError, (True, False, True)),
    ],
)
def test_error_occurred(
    blocking: BlockingNetworkRequest, serve: Serve, path: str, error: object, outcome: tuple[bool, bool, bool]
) -> None:
    """The signals come in Qt's order, and ``reply()`` has the response in each slot."""
    server = serve(respond)
    seen: list[object] = []
    blocking.errorOccurred.connect(lambda value: seen.extend(("errorOccurred", value, blocking.reply().error())))
    blocking.downloadFinished.connect(lambda: seen.append("downloadFinished"))
    blocking.finished.connect(lambda: seen.append("finished"))
    blocking.get(server.url + path)
    before = [] if error is None else ["errorOccurred", error, error]
    assert seen == [*before, "downloadFinished", "finished"]
    reply = blocking.reply()
    assert (reply.isHttpStatusSuccess(), reply.isSuccess(), reply.hasError()) == outcome


def test_error_occurred_without_a_connection(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(respond)
    errors: list[object] = []
    blocking.errorOccurred.connect(errors.append)
    feedback = Feedback()
    feedback.cancel()
    assert blocking.get(server.url, feedback=feedback) is ErrorCode.CanceledError
    assert blocking.get("nonsense") is ErrorCode.NetworkError
    assert blocking.get(server.url + "/ok") is ErrorCode.NoError
    assert errors == [NetworkError.OperationCanceledError, NetworkError.ProtocolUnknownError]


def test_error_occurred_of_a_stream(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """It comes with the end of the body. A stream that is left early is canceled."""
    server = serve(respond)
    errors: list[object] = []
    blocking.errorOccurred.connect(errors.append)
    with blocking.stream(server.url + "/cut") as chunks:
        assert errors == []
        with pytest.raises(NetworkRequestError):
            b"".join(chunks)
        assert errors == [NetworkError.RemoteHostClosedError]
    with blocking.stream(server.url + "/ok"):
        pass
    assert blocking.reply().errorCode() is ErrorCode.CanceledError
    assert errors == [NetworkError.RemoteHostClosedError, NetworkError.OperationCanceledError]


def test_request_that_another_thread_deletes_before_a_signal(engine: str, serve: Serve) -> None:
    """The end of the application does so. Symptom: RuntimeError out of get() (PySide6)."""
    server = serve(respond)

    class Deleted(BlockingNetworkRequest):
        def isSignalConnected(self, signal: QtCore.QMetaMethod) -> bool:
            if self.is_late:
                delete(self)
            return super().isSignalConnected(signal)

        is_late = False

    for is_late in (False, True):
        request = Deleted()
        request.redirected.connect(lambda _: None)  # without any slot the signals are not asked for theirs
        request.is_late = is_late
        assert request.get(server.url + "/ok") is ErrorCode.NoError
        assert request.reply().body == b"hello"


def test_subclass_with_a_method_of_the_name_of_a_signal(engine: str, serve: Serve) -> None:
    class Shadowing(BlockingNetworkRequest):
        def finished(self) -> None:  # type: ignore[override]
            pass

    request, seen = Shadowing(), []
    request.downloadFinished.connect(lambda: seen.append("downloadFinished"))
    assert request.get(serve(respond).url + "/ok") is ErrorCode.NoError
    assert seen == ["downloadFinished"]


def test_subclass_with_its_own_connect_notify(engine: str, serve: Serve) -> None:
    class Silent(BlockingNetworkRequest):
        def connectNotify(self, signal: QtCore.QMetaMethod) -> None:
            pass

    request, seen = Silent(), []
    request.finished.connect(lambda: seen.append("finished"))
    assert request.get(serve(respond).url + "/ok") is ErrorCode.NoError
    assert seen == ["finished"]


def test_first_slot_is_connected_during_a_call(manager: NetworkAccessManager, serve: Serve) -> None:
    request = BlockingNetworkRequest(manager)
    seen: list[str] = []
    manager.requestAboutToBeCreated.connect(lambda _: request.metaDataChanged.connect(lambda: seen.append("headers")))
    manager.finished.connect(lambda _: request.finished.connect(lambda: seen.append("finished")))
    assert request.get(serve(respond).url + "/ok") is ErrorCode.NoError
    assert seen == ["headers", "finished"]
