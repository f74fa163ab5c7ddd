"""Pre-shared keys, with the program ``openssl s_server``.

Python before 3.13 has none: there the tests of the python engine check the message.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional, Union

import pytest
import trustme

from blocking_request import BatchRequest, BlockingNetworkRequest, ErrorCode, NetworkAccessManager, TlsSettings
from blocking_request.engines.python.pre_shared_keys import supports_pre_shared_keys
from blocking_request.models.failure import QtNetworkError
from blocking_request.models.pre_shared_key import PreSharedKey
from blocking_request.qt.binding import enum_value, has_tls

from ..support.marks import needs_descriptors
from ..support.names import CANCELED, NET, OK, TIMEOUT
from ..support.servers.pre_shared_key import IDENTITY, KEY, ParallelPreSharedKeyServer, PreSharedKeyServer
from ..support.servers.raw import always
from ..support.servers.tls import Start, redirecting
from ..support.waiting import eventually

Answer = Any
AnyServer = Union[PreSharedKeyServer, ParallelPreSharedKeyServer]
Serve = Callable[..., PreSharedKeyServer]

WRONG_KEY = b"wrong"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers with a pre-shared key. They end with the test."""
    servers: list[PreSharedKeyServer] = []

    def start(*options: str, **more: Any) -> PreSharedKeyServer:
        servers.append(PreSharedKeyServer(*(options or ("-tls1_2",)), **more))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def parallel() -> Iterator[ParallelPreSharedKeyServer]:
    """A server that serves many connections at a time."""
    server = ParallelPreSharedKeyServer("-tls1_2")
    yield server
    server.close()


class Client:
    """A request, and a handler that returns one answer after another, the last one again and again."""

    def __init__(self, engine: str, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, int]] = []
        self.threads: set[int] = set()
        self.manager = NetworkAccessManager()
        self.manager.setEngine(engine)
        self.manager.setTimeout(10_000)
        self.manager.setPreSharedKeyHandler(self.handle)
        self.request = BlockingNetworkRequest(self.manager)

    def handle(self, hint: str, host: str, attempt: int) -> Answer:
        self.asked.append((hint, host, attempt))
        self.threads.add(threading.get_ident())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def get(self, server: AnyServer) -> ErrorCode:
        return self.request.get(server.url)

    @property
    def message(self) -> str:
        return self.request.errorMessage()


def has_no_keys(engine: str, server: AnyServer) -> bool:
    """Return whether the engine has no pre-shared keys here; check its message if it has none."""
    if engine == "qt" or supports_pre_shared_keys():
        return False
    assert sys.version_info < (3, 13)
    client = Client(engine, (IDENTITY, KEY))
    assert client.get(server) is NET
    assert client.message == (
        "SSL handshake failed: the server refused the handshake; it may want a pre-shared key: use Python 3.13 or "
        f"newer, or setEngine('qt') with a Qt that has TLS ({server.url})"
    )
    assert client.asked == []
    return True


# -- keys that are accepted


@pytest.mark.parametrize("hint", ["", "the cellar"])
def test_handler_is_asked_once_and_its_key_used_again(engine: str, serve: Serve, hint: str) -> None:
    server = serve("-tls1_2", hint=hint)
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, KEY))
    for _ in range(3):
        assert client.get(server) is OK, client.message
    reply = client.request.reply()
    assert (reply.body, reply.engine(), reply.sessionProtocol()) == (b"secret", engine, "TLSv1.2")
    assert "PSK" in reply.sessionCipher()
    assert (reply.peerCertificate(), reply.peerCertificateChain(), reply.sslErrors()) == (None, (), ())
    assert client.asked == [(hint, f"127.0.0.1:{server.port}", 1)]
    assert client.threads == {threading.get_ident()}
    assert server.connections == 1
    client.manager.clearConnectionCache()
    assert client.get(server) is OK
    assert (len(client.asked), server.connections) == (1, 2)
    client.manager.clearAccessCache()
    assert client.get(server) is OK
    assert len(client.asked) == 2


@pytest.mark.parametrize("identity", [IDENTITY, IDENTITY.encode(), bytearray(b"me")])
def test_forms_of_an_identity(engine: str, serve: Serve, identity: Any) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    assert Client(engine, (identity, bytearray(KEY))).get(server) is OK
    assert b"client identity not what we expected" not in server.log


def test_identity_that_is_not_utf_8(engine: str, serve: Serve) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, (b"\xff", KEY))
    code = client.get(server)
    if engine == "qt":
        assert code is OK and b"identity not what we expected" in server.log
    else:
        assert code is NET and "only if it is UTF-8: use setEngine('qt')" in client.message


@pytest.mark.parametrize("options", [("-tls1_3",), ("-no_ssl3",)], ids=["only TLS 1.3", "TLS 1.2 and 1.3"])
def test_server_with_tls_1_3(engine: str, serve: Serve, options: tuple[str, ...]) -> None:
    server = serve(*options)
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, KEY))
    code = client.get(server)
    assert client.asked == [("", f"127.0.0.1:{server.port}", 1)]
    if engine == "python":
        assert code is OK and client.request.reply().sessionProtocol() == "TLSv1.3"
    elif options == ("-tls1_3",):
        assert code is NET
        assert "Qt has no pre-shared keys with TLS 1.3: use Python 3.13 or newer" in client.message
    else:
        assert code is OK and client.request.reply().sessionProtocol() == "TLSv1.2", client.message


def test_hint_that_comes_after_the_first_question(engine: str, serve: Serve) -> None:
    """With TLS 1.3 allowed, Qt is refused before it has seen the hint, and Python offers its key before."""
    server = serve("-no_ssl3", hint="the cellar")
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, KEY))
    assert client.get(server) is OK
    assert [hint for hint, _, _ in client.asked] == (["", "the cellar"] if engine == "qt" else [""])
    client.manager.clearConnectionCache()
    assert client.get(server) is OK
    assert len(client.asked) == (2 if engine == "qt" else 1)


def test_auto_takes_the_engine_that_can(serve: Serve) -> None:
    server = serve()
    client = Client("auto", (IDENTITY, KEY))
    if not has_tls() and has_no_keys("python", server):
        assert client.get(server) is NET and "use Python 3.13 or newer" in client.message
        return
    engine = "python" if supports_pre_shared_keys() else "qt"
    for body in (b"x", b"x" * 100_000):
        assert client.request.post(server.url, body) is OK, client.message
        assert client.request.reply().engine() == engine
    batch = client.manager.getMany([server.url])
    assert [(result.code, result.reply.engine()) for result in batch] == [(OK, engine)]


def test_body_is_sent_once(engine: str, serve: Serve, tmp_path: Path) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, KEY))
    assert client.request.post(server.url, b"one body") is OK
    path = tmp_path / "body"
    path.write_bytes(b"another body")
    client.manager.clearAccessCache()
    with path.open("rb") as file:
        assert client.request.put(server.url, file) is OK, client.message
    # The response may come before the program has printed the body.
    assert eventually(lambda: server.log.count(b"one body") == server.log.count(b"another body") == 1)
    assert len(server.requests) == 2


def test_stream_and_download(engine: str, serve: Serve, tmp_path: Path) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, KEY))
    with client.request.stream(server.url) as stream:
        assert b"".join(stream) == b"secret"
    client.manager.clearAccessCache()
    assert client.request.download(server.url, tmp_path / "file") is OK
    assert (tmp_path / "file").read_bytes() == b"secret"
    assert len(client.asked) == 2


def test_batch_asks_once(engine: str, parallel: ParallelPreSharedKeyServer) -> None:
    if has_no_keys(engine, parallel):
        return
    client = Client(engine, (IDENTITY, KEY))
    requests = [BatchRequest(f"{parallel.url}/{number}") for number in range(12)]
    results = list(client.manager.sendMany(requests))
    assert [result.code for result in results] == [OK] * 12, results[0].reply.errorString()
    assert len(client.asked) == 1
    assert client.threads == {threading.get_ident()}


def test_callers_in_several_threads(engine: str, parallel: ParallelPreSharedKeyServer) -> None:
    if has_no_keys(engine, parallel):
        return
    client = Client(engine, (IDENTITY, KEY))
    codes: list[ErrorCode] = []
    callers = [
        threading.Thread(target=lambda: codes.append(BlockingNetworkRequest(client.manager).get(parallel.url)))
        for _ in range(6)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert codes == [OK] * 6
    assert 1 <= len(client.asked) <= 6
    assert threading.get_ident() not in client.threads


def test_key_stays_at_its_origin(engine: str, serve: Serve) -> None:
    one, other = serve(hint="one"), serve(hint="other")
    if has_no_keys(engine, one):
        return
    client = Client(engine, (IDENTITY, KEY), None)
    assert client.get(one) is OK
    assert client.get(other) is NET
    assert client.asked == [("one", f"127.0.0.1:{one.port}", 1), ("other", f"127.0.0.1:{other.port}", 1)]


# -- keys that are refused


def test_wrong_key(engine: str, serve: Serve) -> None:
    server = serve(hint="H")
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, WRONG_KEY))
    assert client.get(server) is NET
    assert client.message == (
        f"SSL handshake failed: the server did not accept the pre-shared key (bad record mac) ({server.url})"
    )
    assert enum_value(client.request.reply().error()) == QtNetworkError.SslHandshakeFailedError
    assert client.asked == [("H", f"127.0.0.1:{server.port}", attempt) for attempt in (1, 2, 3)]
    client.answers = [(IDENTITY, WRONG_KEY), (IDENTITY, KEY)]
    assert client.get(server) is OK
    assert [attempt for _, _, attempt in client.asked[3:]] == [1, 2]
    assert len(server.requests) == 1


def test_wrong_identity(engine: str, serve: Serve) -> None:
    server = serve("-tls1_3")
    if has_no_keys(engine, server):
        return
    client = Client(engine, ("somebody", KEY))
    assert client.get(server) is NET
    if engine == "python":
        assert "the server did not accept the pre-shared key (handshake failure)" in client.message
    server = serve("-tls1_2")  # s_server only prints a warning then
    assert client.get(server) is OK
    assert b"got 'somebody' expected 'me'" in server.log


def test_key_that_the_server_accepts_no_more(engine: str, serve: Serve) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, KEY), (IDENTITY, b"new key"))
    assert client.get(server) is OK
    server.close()
    new = serve("-tls1_2", key=b"new key", port=server.port)
    client.manager.clearConnectionCache()
    assert client.get(new) is OK, client.message
    assert [attempt for _, _, attempt in client.asked] == [1, 1]


def test_handler_gives_up(engine: str, serve: Serve) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, None)
    for _ in range(2):
        assert client.get(server) is NET
        assert client.message == (
            f"SSL handshake failed: the server wants a pre-shared key, and none was given ({server.url})"
        )
    assert len(client.asked) == 2
    assert server.requests == []


def test_handler_raises(engine: str, serve: Serve) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, KeyError("no such key"), (IDENTITY, KEY))
    with pytest.raises(KeyError, match="no such key"):
        client.get(server)
    assert client.get(server) is OK


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        ("a key", TypeError, r"a pre-shared key handler returns \(identity, key\) or None, not str"),
        (KEY, TypeError, "or None, not bytes"),
        ((IDENTITY, KEY, 1), TypeError, "or None, not tuple"),
        ((1, KEY), TypeError, "the identity of a pre-shared key must be a str or bytes, not int"),
        ((IDENTITY, KEY.hex()), TypeError, r"must be bytes, not str: use bytes.fromhex\(\) for hexadecimal digits"),
        ((IDENTITY, None), TypeError, "a pre-shared key must be bytes, not NoneType"),
        ((IDENTITY, b""), ValueError, "must have 1 to 512 bytes, not 0"),
        ((IDENTITY, b"k" * 513), ValueError, "must have 1 to 512 bytes, not 513"),
        (("i" * 256, KEY), ValueError, "must have at most 255 bytes, and no zero byte"),
        (("a\0b", KEY), ValueError, "and no zero byte"),
    ],
)
def test_wrong_answers(engine: str, serve: Serve, answer: Any, error: type[Exception], text: str) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, answer, (IDENTITY, KEY))
    with pytest.raises(error, match=text) as caught:
        client.get(server)
    assert KEY.hex() not in str(caught.value) and repr(KEY) not in str(caught.value)
    assert client.get(server) is OK


@pytest.mark.parametrize("size", [1, 512])
def test_lengths_of_keys(engine: str, serve: Serve, size: int) -> None:
    key = b"k" * size
    server = serve("-tls1_2", key=key)
    if has_no_keys(engine, server):
        return
    client = Client(engine, ("i" * 255, key))
    assert client.get(server) is OK, client.message
    assert b"got 'iii" in server.log


@pytest.mark.parametrize("handler", ["a key", (IDENTITY, KEY), 1])
def test_handler_that_is_none(handler: Any) -> None:
    with pytest.raises(TypeError, match=r"a pre-shared key handler must be callable, \w+ is not"):
        NetworkAccessManager().setPreSharedKeyHandler(handler)


# -- other managers, and no handler


def test_no_handler(engine: str, serve: Serve) -> None:
    server = serve()
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    assert manager.preSharedKeyHandler() is None
    request = BlockingNetworkRequest(manager)
    assert request.get(server.url) is NET
    wanted = "the server wants a pre-shared key, and none was given"
    refused = "the server refused the handshake; it may want a client certificate, and none was given"
    assert (wanted if engine == "qt" else refused) in request.errorMessage()


def test_kept_connection_is_for_equal_keys_only(engine: str, parallel: ParallelPreSharedKeyServer) -> None:
    if has_no_keys(engine, parallel):
        return
    client = Client(engine, (IDENTITY, KEY))
    assert client.manager.preSharedKeyHandler() == client.handle
    assert client.get(parallel) is OK
    strangers = [Client(engine, None), Client(engine, (IDENTITY, WRONG_KEY)), Client(engine, None)]
    strangers[2].manager.setPreSharedKeyHandler(None)
    for stranger in strangers:
        assert stranger.get(parallel) is NET
    assert parallel.handshakes == 1
    assert client.get(parallel) is OK
    assert parallel.handshakes == 1
    for handler in (None, strangers[0].handle):  # the key is forgotten with its handler
        client.manager.setPreSharedKeyHandler(handler)
        assert client.get(parallel) is NET
    client.manager.setPreSharedKeyHandler(client.handle)
    assert client.get(parallel) is OK
    assert len(client.asked) == 2


# -- time


def test_slow_handler(engine: str, serve: Serve) -> None:
    """The idle timeout does not run while the handler does, the deadline does."""
    server = serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, KEY))

    def slow(*question: Any) -> Answer:
        time.sleep(0.5)
        return client.handle(*question)

    client.manager.setPreSharedKeyHandler(slow)
    client.manager.setTimeout(400)
    assert client.get(server) is OK, client.message
    client.manager.clearAccessCache()
    client.manager.setDeadline(300)
    assert client.get(server) is TIMEOUT
    assert len(server.requests) == 1


def test_cancel_from_another_thread_while_the_handler_runs(engine: str, serve: Serve) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, KEY))

    def handler(*question: Any) -> Answer:
        canceler = threading.Thread(target=client.request.abort)
        canceler.start()
        canceler.join()
        return client.handle(*question)

    client.manager.setPreSharedKeyHandler(handler)
    assert client.get(server) is CANCELED
    assert server.requests == []
    client.manager.setPreSharedKeyHandler(client.handle)
    assert client.get(server) is OK


def test_handler_that_makes_a_call(engine: str, serve: Serve) -> None:
    server, other = serve(), serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, KEY))

    def handler(hint: str, host: str, attempt: int) -> Answer:
        if host.endswith(str(server.port)):
            assert BlockingNetworkRequest(client.manager).get(other.url) is OK
        return client.handle(hint, host, attempt)

    client.manager.setPreSharedKeyHandler(handler)
    assert client.get(server) is OK
    assert [len(each.requests) for each in (server, other)] == [1, 1]


# -- certificates


def test_server_with_a_trusted_certificate_is_not_asked_about(engine: str, start: Start) -> None:
    authority = trustme.CA()
    server = start(authority.issue_cert("127.0.0.1"))
    client = Client(engine, (IDENTITY, KEY))
    client.manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    assert client.request.get(server.url) is OK, client.message
    client.manager.setTlsSettings(None)
    assert client.request.get(server.url) is NET
    assert "is not known here" in client.message
    assert client.asked == []


def test_certificate_beside_a_key(engine: str, serve: Serve, tmp_path: Path) -> None:
    """With RSA-PSK both are checked (RFC 4279 section 4)."""
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    file = str(tmp_path / "server.pem")
    server = serve("-tls1_2", "-cert", file, "-key", file, "-cipher", "RSA-PSK-AES256-GCM-SHA384")
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, KEY))
    assert client.get(server) is NET
    assert "is not known here" in client.message
    client.manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    assert client.get(server) is OK, client.message
    certificate = client.request.reply().peerCertificate()
    assert certificate is not None and "127.0.0.1" in certificate.names()
    client.manager.setTlsSettings(None)
    client.manager.setSslErrorHandler(lambda errors, chain: errors)
    client.manager.clearAccessCache()
    assert client.get(server) is OK, client.message
    assert len(client.asked) == 2


def test_pinned_certificate_of_a_server_without_one(engine: str, serve: Serve) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, KEY))
    client.manager.setTlsSettings(TlsSettings(pinnedFingerprints=("0" * 64,)))
    assert client.get(server) is NET
    assert "the certificate's fingerprint is none, which is not pinned" in client.message
    assert server.requests == []


def test_redirect_from_a_server_with_a_certificate(engine: str, start: Start, serve: Serve) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    authority = trustme.CA()
    first = start(authority.issue_cert("127.0.0.1"), redirecting)
    client = Client(engine, (IDENTITY, KEY))
    client.manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    assert client.request.get(f"{first.url}/to/{server.url}") is OK, client.message
    assert [host for _, host, _ in client.asked] == [f"127.0.0.1:{server.port}"]


def test_plain_http_is_not_asked_about(engine: str) -> None:
    from ..support.servers.raw import RawServer

    server = RawServer(always(b"plain"))
    client = Client(engine, (IDENTITY, KEY))
    try:
        assert client.request.get(server.url) is OK
    finally:
        server.close()
    assert client.asked == []


# -- secrets and resources


def test_key_is_shown_nowhere(engine: str, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    caplog.set_level(logging.DEBUG)
    client = Client(engine, ("the identity", b"the key itself"), ("the identity", KEY))
    assert client.get(server) is OK
    reply = client.request.reply()
    settings = client.manager._settings
    shown = [repr(reply), repr(settings), repr(client.manager), repr(reply.__dict__), caplog.text, client.message]
    shown += [repr(client.manager.portableSettings(secrets=True)), repr(PreSharedKey("", b"the identity", KEY))]
    pickled = pickle.dumps(reply)
    for secret in ("the key itself", "the identity", repr(KEY)[2:-1], KEY.hex()):
        assert not any(secret in text for text in shown)
        assert secret.encode() not in pickled
    assert KEY not in pickled
    copy = pickle.loads(pickled)
    assert copy.sessionCipher() == reply.sessionCipher() != ""


def module_handler(hint: str, host: str, attempt: int) -> Optional[tuple[str, bytes]]:
    return IDENTITY, KEY


@pytest.mark.parametrize("secrets", [False, True])
def test_portable_settings_have_the_handler_and_no_key(engine: str, serve: Serve, secrets: bool) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, None)
    client.manager.setPreSharedKeyHandler(module_handler)
    assert client.get(server) is OK
    client.manager.clearConnectionCache()
    pickled = pickle.dumps(client.manager.portableSettings(secrets=secrets))
    assert KEY not in pickled
    request = BlockingNetworkRequest(pickle.loads(pickled).manager())
    assert request.get(server.url) is OK, request.errorMessage()


@needs_descriptors
def test_refused_keys_leave_no_descriptor(engine: str, serve: Serve) -> None:
    server = serve()
    if has_no_keys(engine, server):
        return
    client = Client(engine, (IDENTITY, WRONG_KEY))
    counts = []
    for _ in range(8):
        assert client.get(server) is NET
        client.manager.clearConnectionCache()
        counts.append(len(os.listdir("/proc/self/fd")))
    assert max(counts[4:]) <= counts[3] + 8  # the workers of Qt end a moment later
