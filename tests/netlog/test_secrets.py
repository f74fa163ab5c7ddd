"""No output of a log contains a secret: HAR, cURL, Python, log lines, reprs, texts."""

from __future__ import annotations

import html
import json
import logging
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import requests

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, QtAdapter, RequestError
from blocking_request.models.known_secrets import Secrets
from blocking_request.netlog import NetworkEntry, NetworkLog
from blocking_request.netlog.entry import record_of_entry
from blocking_request.netlog.har_file import HarFile
from blocking_request.trace import add_recorder, remove_recorder

from ..support.names import OK, ROOT, Serve
from ..support.secret_requests import SECRET, VISIBLE, log_in, secretive, send_secrets
from ..support.servers.raw import Connection, always

SPECIAL = "p&ss <w\u00f6rd>/" + "\"12'"
"""A secret that other formats write in another way."""


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


def check(text: str, secret: str = SECRET) -> None:
    where = [line[max(line.find(secret) - 150, 0) :][:300] for line in text.splitlines() if secret in line]
    assert not where, where[:3]
    assert VISIBLE in text


def test_secrets_of_a_call(manager: NetworkAccessManager, outputs: tuple[NetworkLog, Any], serve: Serve) -> None:
    _, all_texts = outputs
    send_secrets(manager, serve(secretive).url)
    check(all_texts())


@pytest.mark.parametrize("kind", ["Basic", "Digest"])
def test_secrets_of_a_login(
    kind: str, manager: NetworkAccessManager, outputs: tuple[NetworkLog, Any], serve: Serve
) -> None:
    _, all_texts = outputs
    log_in(kind, manager, serve)
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
    assert "bWU6aHVudGVy" not in text  # me:hunter2... in base64
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
    assert "bWU6aHVudGVy" not in text
    check(text)


def repeating(connection: Connection) -> None:
    """Respond with a redirect, and then with a response. Each part of both repeats the secret, without a name."""
    fields = (
        f'X-Echo: it was {SECRET}\r\nETag: "{SECRET}"\r\nContent-Disposition: inline; filename={SECRET}\r\n'
        f"Content-Type: text/html\r\nX-{VISIBLE}: {VISIBLE}\r\n"
    )
    forms = (SECRET, quote(SPECIAL), quote(SPECIAL, safe=""), quote_plus(SPECIAL), html.escape(SPECIAL), SPECIAL)
    body = f"<p>{VISIBLE} you have sent {' '.join(forms)} {json.dumps(SPECIAL)}</p>".encode()
    while (request := connection.read_request()) is not None:
        if b" /old" in request:
            location = f"Location: /{VISIBLE}/{SECRET}?x={SECRET}#y={SECRET}\r\n"
            connection.respond(body, f"302 Found {SECRET}", location + fields)
        elif b" /wrong" in request:
            connection.respond(body, f"403 Your password {SECRET} is wrong", fields)
        else:
            connection.respond(body, f"200 {SECRET}", fields)


PLACES: dict[str, dict[str, Any]] = {
    "URL": {"url": f"?token={SECRET}&api_key={quote_plus(SPECIAL)}"},
    "fragment": {"url": f"#access_token={SECRET}&id_token={quote(SPECIAL)}"},
    "user": {"user": f"me:{SECRET}@", "headers": {"X-Api-Key": SPECIAL}},
    "own name of a parameter": {"url": f"?mine={SECRET}&mine={quote(SPECIAL)}"},
    "bearer": {"headers": {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SPECIAL}},
    "key": {"headers": {"X-Api-Key": SECRET, "X-Mine-Key": SPECIAL}},
    "cookie": {"headers": {"Cookie": f"a=1; b={SECRET}; c={SPECIAL}"}},
    "form": {"form": {"password": SECRET, "client_secret": SPECIAL}},
    "JSON": {"json": {"deep": [{"password": SECRET}], "token": {"value": SPECIAL}}},
    "multipart": {"form": {"password": SECRET, "api_key": SPECIAL}, "files": {"a": ("a.txt", b"x")}},
    "XML": {"data": f"<a><password>{SECRET}</password><b token='{html.escape(SPECIAL)}'/></a>", "kind": "text/xml"},
}


@pytest.mark.parametrize("place", PLACES)
def test_secrets_that_the_server_repeats(
    place: str, manager: NetworkAccessManager, outputs: tuple[NetworkLog, Any], serve: Serve, tmp_path: Path
) -> None:
    _, all_texts = outputs
    given = PLACES[place]
    headers = {"X-Visible": VISIBLE, **given.get("headers", {})}
    if "kind" in given:
        headers["Content-Type"] = given["kind"]
    host = serve(repeating).url.partition("//")[2]
    request = BlockingNetworkRequest(manager)
    for path in ("/old", "/wrong", "/new"):
        url = f"http://{given.get('user', '')}{host}{path}{given.get('url', '')}"
        arguments = {name: given[name] for name in ("form", "json", "files") if name in given}
        data = given["data"].encode() if "data" in given else None
        if data is None and not arguments:
            request.get(url, headers=headers)
            with suppress(RequestError), request.stream(url, headers=headers) as chunks:
                b"".join(chunks)
            request.download(url, tmp_path / "file", headers=headers)
            list(manager.getMany([url], headers=headers))
        else:
            request.post(url, data, headers=headers, **arguments)
        assert request.reply().statusCode() in (200, 403)
        # The password of a URL is sent after a 401 only: a server that does not ask does not know it.
        assert SECRET not in request.errorMessage() or place == "user"
    text = all_texts()
    assert text.count("***") > 20 and "you have sent *** ***" in text
    check(text)
    check(text, SPECIAL)
    check(text, quote(SPECIAL))
    check(text, html.escape(SPECIAL))
    check(text, json.dumps(json.dumps(SPECIAL)[1:-1])[1:-1])


def test_secrets_that_a_proxy_repeats(
    manager: NetworkAccessManager, outputs: tuple[NetworkLog, Any], serve: Serve
) -> None:
    _, all_texts = outputs
    manager.setProxy(f"http://me:{SECRET}@127.0.0.1:{serve(repeating).port}")
    assert BlockingNetworkRequest(manager).get(f"http://{VISIBLE}.example/old") is OK
    check(all_texts())


def test_secrets_that_the_server_sets_and_repeats(
    manager: NetworkAccessManager, outputs: tuple[NetworkLog, Any], serve: Serve
) -> None:
    """A cookie of a login, which another response of the same call shows."""
    _, all_texts = outputs

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if b" /login" in request:
                connection.respond(b"", "302 Found", f"Location: /new\r\nSet-Cookie: sid={SECRET}; Path=/\r\n")
            else:
                connection.respond(f"{VISIBLE}, your session is {SECRET}".encode(), headers=f"X-Session: {SECRET}\r\n")

    assert BlockingNetworkRequest(manager).get(serve(handle).url + "/login") is OK
    check(all_texts())


def test_secrets_of_a_form_without_kept_bodies(
    manager: NetworkAccessManager, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """A log without bodies, and the DEBUG log alone, know the secrets of a login all the same."""
    caplog.set_level(logging.DEBUG, "blocking_request")
    url = serve(repeating).url
    request = BlockingNetworkRequest(manager)
    assert request.post(f"{url}/old", form={"password": SECRET, "a": VISIBLE}) is OK
    with NetworkLog(manager, bodies=0) as log:
        assert request.post(f"{url}/old", form={"password": SECRET, "a": VISIBLE}) is OK
        assert request.post(f"{url}/old", json={"a": VISIBLE * 100_000, "password": SECRET}) is OK
    check("\n".join((*caplog.messages[:6], *texts_of(log.entries()[0]), log.entries()[0].asCurl())))


def test_many_secrets() -> None:
    secrets = Secrets()
    started = time.process_time()
    for number in range(1000):
        secrets.add(f"http://h/?token=secret-{number:08}", ((b"Accept", b"*/*"),))
        assert secrets.values()
    assert len(secrets.values()) == 1000 and time.process_time() - started < 5
    assert secrets.hide(b"it is secret-00000007") == b"it is ***"


def test_short_words_are_not_hidden(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    """A text is not spoiled by a secret that is a usual word."""
    url = serve(always(b"the key is the only thing", headers="X-Kept: yes\r\n")).url
    assert BlockingNetworkRequest(manager).get(f"{url}/?key=only&token=thing", headers={"Cookie": "a=yes"}) is OK
    (entry,) = log.entries()
    assert entry.responseBody() == b"the key is the only thing"
    assert ("x-kept", "yes") in [(name.lower(), value) for name, value in entry.responseHeaders()]  # Qt 6 changes case
    assert entry.url().endswith("/?key=***&token=***")


def test_cookie_that_is_the_host(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    url = serve(always(b"body")).url
    host = url.partition("//")[2]
    assert BlockingNetworkRequest(manager).get(f"{url}/a/{host}", headers={"Cookie": f"site={host}"}) is OK
    (entry,) = log.entries()
    assert entry.url() == f"{url}/a/***" and entry.asCurl().startswith(f"curl '{url}/a/***'")


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
        def response_started(self, request: object, call: object) -> None: ...
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


def test_secrets_on_the_command_line(serve: Serve, tmp_path: Path) -> None:
    server = serve(repeating)
    path = tmp_path / "calls.har"
    fields = [f"Authorization: Bearer {SECRET}", f"X-Api-Key: {SPECIAL}", f"Cookie: a={SECRET}"]
    command = [sys.executable, "-m", "blocking_request", "get", "-v", "--har", str(path), "-o", str(tmp_path / "body")]
    arguments = [argument for field in fields for argument in ("-H", field)]
    for url in ("/old", "/wrong", "/new"):
        done = subprocess.run(
            [*command, *arguments, f"{server.url}{url}?token={SECRET}"],
            capture_output=True,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
        text = done.stderr.decode() + path.read_text()
        assert "> GET" in text and "< X-Echo: it was ***" in text
        assert url != "/wrong" or "server replied: Your password *** is wrong (403)" in text
        check(text)


@pytest.mark.parametrize("url", [f"?user={SECRET}", f"?user={SECRET}&next=/a@b", f"#user={SECRET}", f"/?user={SECRET}"])
def test_secret_in_a_url_without_a_path(
    url: str, manager: NetworkAccessManager, outputs: tuple[NetworkLog, Any], serve: Serve
) -> None:
    _, all_texts = outputs
    headers = {"Authorization": f"Bearer {SECRET}", "X-Visible": VISIBLE}
    assert BlockingNetworkRequest(manager).get(serve(always(b"body")).url + url, headers=headers) is OK
    check(all_texts())


@pytest.mark.parametrize(
    "query", ["user[password]=", "user%5Bpassword%5D=", "a%5b0%5D[pass%77ord]=", "p%61ssword=", "token[]=", "mine[1]="]
)
def test_encoded_names_of_parameters(
    query: str, manager: NetworkAccessManager, outputs: tuple[NetworkLog, Any], serve: Serve
) -> None:
    _, all_texts = outputs
    url = f"{serve(repeating).url}/old?{query}{SECRET}&a={VISIBLE}#{query}{SECRET}"
    assert BlockingNetworkRequest(manager).get(url) is OK
    check(all_texts())


def test_secrets_that_a_server_repeats_in_utf_16(
    manager: NetworkAccessManager, log: NetworkLog, serve: Serve, tmp_path: Path
) -> None:
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        body = f"you have sent {SECRET}".encode(encoding)
        assert BlockingNetworkRequest(manager).get(f"{serve(always(body)).url}/?token={SECRET}") is OK
        assert log.entries()[-1].responseBody() == "you have sent ***".encode(encoding)


def test_secrets_in_the_repr_of_a_reply(manager: NetworkAccessManager, serve: Serve) -> None:
    request = BlockingNetworkRequest(manager)
    for path in ("new", "wrong"):
        request.get(f"{serve(repeating).url}/{path}?token={SECRET}")
        assert SECRET not in repr(request) + repr(request.reply()) and "***" in repr(request.reply())
