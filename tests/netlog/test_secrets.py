"""No output of a log contains a secret: HAR, cURL, Python, log lines, reprs, texts."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from blocking_request import AuthConfig, BlockingNetworkRequest, NetworkAccessManager, QtAdapter
from blocking_request.netlog import NetworkEntry, NetworkLog
from blocking_request.netlog.entry import record_of_entry
from blocking_request.netlog.har_file import HarFile
from blocking_request.trace import add_recorder, remove_recorder

from ..support.names import OK, Serve
from ..support.servers.raw import Connection, asking

SECRET = "hunter2"
VISIBLE = "plainly"


def secretive(connection: Connection) -> None:
    """Respond with a redirect with secrets, and then with secrets in each part of a response."""
    fields = (
        f"Set-Cookie: sid={SECRET}; Path=/\r\nContent-Type: application/json\r\n"
        f"Link: <http://u:{SECRET}@h/?token={SECRET}>; rel=next\r\nX-Mine-Key: {SECRET}\r\nX-{VISIBLE}: {VISIBLE}\r\n"
    )
    while (request := connection.read_request()) is not None:
        if b" /old" in request:
            location = f"Location: /new?api_key={SECRET}#access_token={SECRET}\r\n"
            connection.respond(b"", "302 Found", location + fields)
        else:
            connection.respond(f'{{"access_token": "{SECRET}", "name": "{VISIBLE}"}}'.encode(), headers=fields)


def texts_of(entry: NetworkEntry) -> Iterator[str]:
    yield repr(entry)
    yield repr(record_of_entry(entry))
    for name in vars(NetworkEntry):
        if not name.startswith("_"):
            yield f"{name}: {getattr(entry, name)()!r}"
    for child in entry.children():
        yield from texts_of(child)


@pytest.fixture
def outputs(
    manager: NetworkAccessManager, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[tuple[NetworkLog, Any]]:
    """A log, and a function that returns all its texts, those of a HAR file and of the log of Python."""
    caplog.set_level(logging.DEBUG, "blocking_request")
    manager.setSecretParameters(["mine", "X-Mine-*"])
    file = HarFile(str(tmp_path / "calls.har"), 1 << 16)
    add_recorder(file)
    with NetworkLog(manager) as log:

        def all_texts() -> str:
            log.saveHar(tmp_path / "saved.har")
            loaded = NetworkLog()
            loaded.close()
            loaded.loadHar(tmp_path / "saved.har")
            everything = [*log.entries(), *loaded.entries()]
            texts = [text for entry in everything for text in texts_of(entry)]
            files = [path.read_text() for path in (tmp_path / "calls.har", tmp_path / "saved.har")]
            return "\n".join((*texts, *files, log.toHar(), repr(log), *caplog.messages))

        yield log, all_texts
    remove_recorder(file)


def check(text: str) -> None:
    where = [line[max(line.find(SECRET) - 150, 0) :][:300] for line in text.splitlines() if SECRET in line]
    assert not where, where[:3]
    assert VISIBLE in text


def test_secrets_of_a_call(manager: NetworkAccessManager, outputs: tuple[NetworkLog, Any], serve: Serve) -> None:
    _, all_texts = outputs
    host = serve(secretive).url.partition("//")[2]
    url = f"http://me:{SECRET}@{host}/old?token={SECRET}&mine={SECRET}&shown={VISIBLE}#access_token={SECRET}"
    headers = {
        "Authorization": f"Bearer {SECRET}",
        "Cookie": f"a={SECRET}; b={SECRET}",
        "X-Api-Key": SECRET,
        "X-Mine-Key": SECRET,
        "Referer": f"http://u:{SECRET}@h/?token={SECRET}",
        f"X-{VISIBLE}": VISIBLE,
    }
    request = BlockingNetworkRequest(manager)
    assert request.get(url, headers=headers) is OK
    assert request.post(url, form={"password": SECRET, "client_secret": SECRET, "a": VISIBLE}, headers=headers) is OK
    assert request.put(url, json={"password": SECRET, "inner": {"token": SECRET}, "a": VISIBLE}, headers=headers) is OK
    assert request.post(url, form={"password": SECRET}, files={"a": ("a.txt", VISIBLE.encode())}) is OK
    with request.stream(url, headers=headers) as chunks:
        b"".join(chunks)
    assert len(list(manager.getMany([url, url]))) == 2
    check(all_texts())


@pytest.mark.parametrize("kind", ["Basic", "Digest"])
def test_secrets_of_a_login(
    kind: str, manager: NetworkAccessManager, outputs: tuple[NetworkLog, Any], serve: Serve
) -> None:
    _, all_texts = outputs
    request = BlockingNetworkRequest(manager)
    make = AuthConfig.basic if kind == "Basic" else AuthConfig.digest
    request.setAuthConfig(make(VISIBLE, SECRET))
    challenge = 'realm="plainly", nonce="n", algorithm=MD5, qop="auth"' if kind == "Digest" else 'realm="plainly"'
    assert request.get(serve(asking(f"{kind} {challenge}")).url + f"/?token={SECRET}&shown={VISIBLE}") is OK
    text = all_texts()
    assert f"{kind} ***" in text and "response=" not in text and "cGxhaW5seTp" not in text
    check(text)


def test_secrets_of_a_proxy(manager: NetworkAccessManager, outputs: tuple[NetworkLog, Any], serve: Serve) -> None:
    log, all_texts = outputs
    proxy = serve(secretive)
    manager.setProxy(f"http://me:{SECRET}@127.0.0.1:{proxy.port}")
    assert BlockingNetworkRequest(manager).get(f"http://{VISIBLE}.example/?token={SECRET}") is OK
    (entry,) = log.entries()
    assert entry.proxy() == f"http://127.0.0.1:{proxy.port}"
    assert entry.requestLine().startswith(f"GET http://{VISIBLE}.example/?token=*** HTTP/1.1")
    text = all_texts()
    assert "bWU6aHVudGVyMg" not in text  # me:hunter2 in base64
    check(text)


def test_secrets_of_the_requests_adapter(
    manager: NetworkAccessManager, outputs: tuple[NetworkLog, Any], serve: Serve
) -> None:
    _, all_texts = outputs
    session = requests.Session()
    session.mount("http://", QtAdapter(manager))
    url = serve(secretive).url
    session.get(f"{url}/old?token={SECRET}&shown={VISIBLE}", auth=("me", SECRET), cookies={"a": SECRET})
    text = all_texts()
    assert "bWU6aHVudGVyMg" not in text
    check(text)


def test_secrets_of_failures(manager: NetworkAccessManager, outputs: tuple[NetworkLog, Any], serve: Serve) -> None:
    _, all_texts = outputs
    request = BlockingNetworkRequest(manager)
    for url in (
        f"http://me:{SECRET}@127.0.0.1:1/?token={SECRET}",
        f"ftp://me:{SECRET}@{VISIBLE}/?token={SECRET}",
        f"http://me:{SECRET}@[{VISIBLE}/?token={SECRET}",
        f"http://me:{SECRET}@h:port/?token={SECRET}",
    ):
        assert request.get(url, headers={"Authorization": f"Bearer {SECRET}"}) is not OK
    list(manager.getMany([f"http://me:{SECRET}@h:port/?token={SECRET}"]))
    check(all_texts())


def test_secrets_in_tracebacks(manager: NetworkAccessManager, serve: Serve) -> None:
    """A traceback with the values of variables, as pytest and error reports have it."""

    class Failing:
        body_limit = 100
        wants_trace = True

        def wants(self, owner: object) -> bool:
            return True

        def call_started(self, call: object) -> None: ...
        def request_started(self, request: object, call: object) -> None: ...
        def call_ended(self, call: object) -> None: ...

        def request_ended(self, request: object, call: object) -> None:
            raise ZeroDivisionError

    recorder = Failing()
    add_recorder(recorder)
    try:
        with pytest.raises(ZeroDivisionError) as caught:
            headers = {"Authorization": f"Bearer {SECRET}"}
            BlockingNetworkRequest(manager).get(serve(secretive).url, headers=headers)
    finally:
        remove_recorder(recorder)
    stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    frames = [frame for frame in stack if frame.filename.endswith(("trace.py", "call_record.py"))]
    assert frames and all(SECRET not in value for frame in frames for value in (frame.locals or {}).values())
