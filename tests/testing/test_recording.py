"""Recording: exchanges in a file, replayed without a server and without secrets."""

from __future__ import annotations

import gzip
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
import requests
from urllib3.util import Retry

from blocking_request import (
    AuthConfig,
    BatchRequest,
    BlockingNetworkRequest,
    NetworkAccessManager,
    requests_session,
)
from blocking_request.engines import choice
from blocking_request.qhttp import Http
from blocking_request.testing import FakeReplies, Recording, makeReply
from blocking_request.testing.seen_secrets import SeenSecrets

from ..support.names import CANCELED, NET, OK, ROOT, SERVER, TIMEOUT, Serve
from ..support.servers.raw import Connection, always

URL = "https://api.example.org/items"
SECRET = "s3cret-s3cret-s3cret"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "recording.har"


@pytest.fixture
def manager() -> NetworkAccessManager:
    made = NetworkAccessManager()
    made.setTimeout(10_000)
    return made


@pytest.fixture
def blocking(manager: NetworkAccessManager) -> BlockingNetworkRequest:
    return BlockingNetworkRequest(manager)


def entries(path: Path) -> list[dict[str, Any]]:
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    found: list[dict[str, Any]] = document["log"]["entries"]
    return found


def test_real_exchange_is_recorded_and_replayed(serve: Serve, blocking: Any, path: Path) -> None:
    server = serve(always("é".encode(), headers="Content-Type: text/plain; charset=utf-8\r\nX-A: b\r\n"))
    with Recording(path) as recording:
        assert recording.isRecording and blocking.get(server.url) is OK and blocking.reply().engine() == "python"
        assert (recording.recordedCount, recording.playedCount) == (1, 0)
    (entry,) = entries(path)
    assert entry["response"]["content"]["text"] == "é" and entry["serverIPAddress"] == "127.0.0.1"
    assert entry["timings"]["connect"] >= 0 and entry["response"]["httpVersion"] == "HTTP/1.1"
    server.close()
    with Recording(path) as recording:
        assert not recording.isRecording and blocking.get(server.url) is OK and blocking.reply().engine() == "fake"
        assert blocking.reply().text() == "é" and blocking.reply().headers["x-a"] == "b"
        assert recording.allPlayed and (recording.recordedCount, recording.playedCount) == (0, 1)
        assert blocking.get(server.url) is NET  # each exchange is replayed once
    assert choice.stand_ins == []
    assert [each.name for each in path.parent.iterdir()] == ["recording.har"]


def test_modes(blocking: Any, path: Path) -> None:
    with FakeReplies() as fake:
        fake.get("/*", lambda request: makeReply(body=f"{request.url[-1]}{fake.callCount}"))

        def text(url: str) -> str:
            blocking.get(url)
            return str(blocking.reply().text() or blocking.errorMessage())

        with Recording(path, "none") as recording:
            assert not recording.isRecording and text("http://h/a?token=x") == (
                f"The recording {path} does not exist, and the mode 'none' records none: use the mode 'once' "
                "(http://h/a?token=***)"
            )
            assert recording.unmatched == ["GET http://h/a?token=***"]
        with Recording(path, "once"):
            assert text("http://h/a") == "a1"
        with Recording(path, "once"):
            assert text("http://h/a") == "a1" and "records none: use the mode 'new' once" in text("http://h/b")
        with Recording(path, "new"):
            assert text("http://h/a") == "a1" and text("http://h/b") == "b2" and text("http://h/a") == "a3"
        with Recording(path, mode="none"):
            assert (text("http://h/a"), text("http://h/a"), text("http://h/b")) == ("a1", "a3", "b2")
            message = text("http://h/a")
            assert message == (
                "The recording recording.har has no exchange for this GET request that was not replayed yet, and the "
                "mode 'none' records none: use the mode 'new' once, or delete the file (http://h/a)"
            )
        with Recording(path, "all"):
            assert text("http://h/a") == "a4"
        with Recording(path, "all"):
            pass  # nothing was sent: the file stays
        assert len(entries(path)) == 1 and fake.callCount == 4
        with Recording(path, "none", allowRepeats=True):
            assert [text("http://h/a") for _ in range(3)] == ["a4"] * 3


def test_matching(blocking: Any, path: Path) -> None:
    with FakeReplies() as fake, Recording(path):
        fake.add(None, None, lambda request: makeReply(body=b"%d " % fake.callCount + request.body))
        blocking.post(URL, b"a")
        blocking.post(URL, b"b")
        blocking.put(URL, b"a")
        blocking.get(URL, headers={"Accept-Language": "de"})
        blocking.get(URL, headers={"Accept-Language": "fr"})
        blocking.get(f"{URL}?page=2")
        blocking.post(URL, None, form={"a": "b"}, files={"f": ("name", b"content")})
        blocking.post(URL, b"\xff\0")
    with Recording(path, "none", matchHeaders=["Accept-language"]):
        assert blocking.post(URL, b"b") is OK and blocking.reply().text() == "2 b"
        assert blocking.put(URL, b"a") is OK and blocking.reply().text() == "3 a"
        assert blocking.put(URL, b"a") is NET
        assert blocking.get(URL, headers={"Accept-Language": "fr"}) is OK and blocking.reply().text() == "5 "
        assert blocking.get(URL, headers={"Accept-Language": "it"}) is NET
        assert blocking.post(URL, None, form={"a": "b"}, files={"f": ("name", b"content")}) is OK
        assert blocking.post(URL, b"\xff\0") is OK and blocking.reply().body == b"8 \xff\0"
        assert blocking.get(f"{URL}?page=3") is NET and f"GET {URL}?page=2" in blocking.errorMessage()
    with Recording(path, "none", matchBody=False):
        assert blocking.post(URL, b"x") is OK and blocking.reply().text() == "1 a"


def test_policies_see_the_recorded_exchanges(blocking: Any, manager: NetworkAccessManager, path: Path) -> None:
    def run() -> list[Any]:
        manager.cookieJar().clear()
        found = [blocking.get("https://h/old"), blocking.reply().text(), len(blocking.reply().history())]
        found += [blocking.get("https://h/busy"), blocking.reply().attempts(), blocking.reply().text()]
        found += [blocking.get("https://h/private"), blocking.reply().text()]
        found += [blocking.get("https://h/down"), blocking.errorMessage(), blocking.reply().error()]
        found += [blocking.get("https://h/missing"), blocking.errorMessage()]
        found += [blocking.get("https://h/gzip"), blocking.reply().body, blocking.head("https://h/head")]
        return [*found, blocking.reply().rawHeader(b"Content-Length")]

    manager.setRetry(Retry(2, status_forcelist=[503]))
    blocking.setAuthConfig(AuthConfig.basic("me", SECRET))
    with FakeReplies() as fake:
        fake.get("/old", status=302, headers={"Location": "/new", "Set-Cookie": f"sid={SECRET}; Path=/; Secure"})
        fake.get("/new", lambda request: makeReply(body="sid" in request.headers["Cookie"] and "with a cookie"))
        fake.get("/busy", status=503, headers={"Retry-After": "0"}).then(body="at last")
        fake.get("/private", status=401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n"'}).then(body="in")
        fake.get("/down", error=1)
        fake.get("/missing", status=404)
        fake.get("/gzip", body=gzip.compress(b"x" * 500), headers={"Content-Encoding": "gzip"})
        fake.head("/head", body=b"12345")
        with Recording(path):
            recorded = run()
    assert (
        recorded[:3] == [OK, "with a cookie", 1] and recorded[3:6] == [OK, 2, "at last"] and recorded[6:8] == [OK, "in"]
    )
    assert recorded[8] is NET and recorded[11] is SERVER and recorded[-1] == b"5"
    with Recording(path, "none") as recording:
        assert run() == recorded and recording.allPlayed
    assert SECRET not in path.read_text("utf-8")


def test_all_kinds_of_calls(serve: Serve, manager: NetworkAccessManager, path: Path, tmp_path: Path) -> None:
    server = serve(always(gzip.compress(b"content" * 1000), headers="Content-Encoding: gzip\r\n"))
    url = f"{server.url}/"

    def run(place: str) -> None:
        request = BlockingNetworkRequest(manager)
        with request.stream(f"{url}stream") as chunks:
            assert b"".join(chunks) == b"content" * 1000
        assert request.download(f"{url}file", str(tmp_path / place)) is OK
        assert (tmp_path / place).read_bytes() == b"content" * 1000
        (tmp_path / place).unlink()
        batch = [BatchRequest(f"{url}{number}") for number in range(20)]
        batch.append(BatchRequest(f"{url}batch", path=str(tmp_path / f"{place}-batch")))
        assert all(result.code is OK for result in manager.sendMany(batch))
        with requests_session(manager) as session:
            assert session.get(f"{url}session", timeout=10).content == b"content" * 1000
            with session.get(f"{url}session-stream", timeout=10, stream=True) as response:
                assert b"".join(response.iter_content(100)) == b"content" * 1000
        http = Http("127.0.0.1", server.port)
        http.get("/qhttp")
        assert http.waitForDone(10_000) and not http.error(), http.errorString()
        with open(__file__, "rb") as file:
            assert request.post(f"{url}post", (file.read(100) for _ in range(5))) is OK
        assert request.put(f"{url}put", (b"x" * 300_000 for _ in range(5))) is OK

    with Recording(path):
        run("recorded")
    count = len(server.requests)
    with Recording(path) as recording:
        run("replayed")
        assert recording.allPlayed and recording.playedCount == count
    assert len(server.requests) == count


def test_threads(serve: Serve, path: Path) -> None:
    server = serve(always(b"x"))

    def run(codes: list[Any]) -> None:
        request = BlockingNetworkRequest()
        for number in range(10):
            codes.append(request.get(f"{server.url}/{number}"))

    for mode in ("all", "none"):
        codes: list[Any] = []
        with Recording(path, mode):
            threads = [threading.Thread(target=run, args=(codes,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert codes == [OK] * 80
    assert len(entries(path)) == len(server.requests) == 80


def test_secrets_are_not_recorded(blocking: Any, manager: NetworkAccessManager, path: Path) -> None:
    manager.setSecretParameters(["mine"])
    own = "another-secret"
    url = f"https://user:{SECRET}@h/echo?token={SECRET}&mine={SECRET}&other={SECRET}&Mine={own}"
    headers = {"X-Echo": own, "X-Api-Key": SECRET, "Cookie": f"sid={SECRET}", "Mine": SECRET, "Other": SECRET}

    def send() -> Any:
        code = blocking.post(url, None, json={"password": SECRET, "other": SECRET}, headers=headers)
        return code, blocking.post(url, None, form={"client_secret": SECRET, "other": SECRET}, headers=headers)

    with FakeReplies() as fake:
        fake.post(
            "/echo", lambda sent: makeReply(body=repr(dict(sent.headers)).encode() + sent.body + sent.url.encode())
        )
        with Recording(path, secretParameters=["other"]):
            assert send() == (OK, OK)
    assert SECRET not in path.read_text("utf-8") and own not in path.read_text("utf-8")
    with Recording(path, "none", secretParameters=["other"]):
        assert send() == (OK, OK) and b"***" in blocking.reply().body


def test_filter(blocking: Any, path: Path) -> None:
    def keep(entry: dict[str, Any]) -> Any:
        entry["response"]["content"]["text"] = "changed"
        return None if entry["request"]["url"].endswith("/left-out") else entry

    with FakeReplies() as fake, Recording(path, filter=keep):
        fake.get("*", body="original")
        assert blocking.get(URL) is OK and blocking.reply().text() == "original"
        assert blocking.get("https://h/left-out") is OK
    with Recording(path):
        assert blocking.get(URL) is OK and blocking.reply().text() == "changed"
        assert blocking.get("https://h/left-out") is NET


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda entry: 5, TypeError, "filter must return an entry of HAR, or None, not int"),
        (lambda entry: {**entry, "_own": object()}, TypeError, "an entry that JSON cannot hold"),
        (lambda entry: {**entry, "comment": "\ud800"}, ValueError, "an entry that JSON cannot hold"),
        (lambda entry: {**entry, "time": math.nan}, ValueError, "an entry that JSON cannot hold"),
        (lambda entry: {"request": entry["request"]}, ValueError, "no entry: the entry 0 is not one of HAR 1.2"),
    ],
)
def test_filter_that_returns_no_entry(change: Any, error: Any, message: str, blocking: Any, path: Path) -> None:
    with FakeReplies() as fake:
        fake.get("*")
        with Recording(path, filter=lambda entry: change(entry) if "bad" in entry["request"]["url"] else entry):
            assert blocking.get(URL) is OK
            with pytest.raises(error, match=message):
                blocking.get("https://h/bad")
    assert [entry["request"]["url"] for entry in entries(path)] == [URL]


def test_exception_of_a_filter_is_raised(blocking: Any, path: Path) -> None:
    def fails(entry: dict[str, Any]) -> Any:
        raise ValueError("not this")

    with FakeReplies() as fake, Recording(path, filter=fails):
        fake.get("*")
        with pytest.raises(ValueError, match="not this"):
            blocking.get(URL)
    assert not path.exists()


def test_recording_of_a_browser(blocking: Any, path: Path) -> None:
    request = {"method": "GET", "url": "https://h/", "headers": [{"name": ":path", "value": "/"}], "bodySize": -1}
    content = {"size": 2, "mimeType": "text/plain", "text": "aGk=", "encoding": "base64"}
    headers = [{"name": "content-encoding", "value": "br"}, {"name": "content-length", "value": "50"}]
    response = {"status": 200, "statusText": "", "headers": headers, "content": content}
    path.parent.mkdir()
    path.write_text(json.dumps({"log": {"entries": [{"request": request, "response": response}]}}), "utf-8-sig")
    with Recording(path):
        assert blocking.get("https://h") is OK and blocking.reply().text() == "hi"


def test_unknown_body_and_unknown_response(blocking: Any, path: Path) -> None:
    request = {"method": "GET", "url": "https://h/", "headers": []}
    path.parent.mkdir()
    for response, message in (
        ({"status": 200, "content": {"size": 5}}, "does not have the body of 5 bytes"),
        ({"status": 0}, "no response of the server"),
        ({"status": 0, "_error": "net::ERR_FAILED"}, "net::ERR_FAILED"),
    ):
        path.write_text(json.dumps({"log": {"entries": [{"request": request, "response": response}]}}))
        with Recording(path):
            assert blocking.get("https://h/") is NET and message in blocking.errorMessage()


def test_sentence_says_the_difference(blocking: Any, path: Path) -> None:
    with FakeReplies() as fake, Recording(path):
        fake.post(URL)
        fake.get(URL)
        fake.get("/other")
        blocking.post(URL, b"a")
        blocking.get(URL, headers={"Accept": "text/a"})
        blocking.get("http://h/other")
    with Recording(path, matchHeaders=["Accept"]) as recording:
        assert blocking.post(URL, b"b") is NET and blocking.errorMessage() == (
            "The recording recording.har has this POST request with another body, and the mode 'once' records none: "
            f"use the mode 'new' once, or delete the file ({URL})"
        )
        assert blocking.get(URL, headers={"Accept": "text/b"}) is NET
        assert "has this GET request with another value of accept, and" in blocking.errorMessage()
        assert blocking.get(f"{URL}/1") is NET
        assert f"har still has POST {URL}, GET {URL}, GET http://h/other, but no exchange" in blocking.errorMessage()
        assert recording.unmatched == [f"POST {URL}", f"GET {URL}", f"GET {URL}/1"] and not recording.allPlayed


def test_all_played_counts_no_repeats(blocking: Any, path: Path) -> None:
    with FakeReplies() as fake, Recording(path):
        fake.get("*")
        blocking.get("http://h/a")
        blocking.get("http://h/b")
    with Recording(path, allowRepeats=True) as recording:
        blocking.get("http://h/a")
        blocking.get("http://h/a")
        assert recording.playedCount == 2 and not recording.allPlayed
        blocking.get("http://h/b")
        assert recording.allPlayed


@pytest.mark.parametrize("mode", ["all", "new"])
def test_requests_that_their_caller_ends(mode: str, blocking: Any, path: Path) -> None:
    def run() -> list[Any]:
        found = [blocking.get(f"{URL}/slow", timeout=300)]
        found += [blocking.get(f"{URL}/stalls", timeout=300), blocking.reply().statusCode(), blocking.reply().body]
        with blocking.stream(f"{URL}/stream") as chunks:
            found.append(bytes(next(chunks)))
        return [*found, blocking.get(URL), blocking.reply().text()]

    with FakeReplies() as fake:
        fake.get("*/slow", delay=60_000)
        fake.get("*/stalls", body=[b"half", 60_000, b"rest"])
        fake.get("*/stream", body=[b"first", 10, b"rest"])
        fake.get("*", body="x")
        with Recording(path, mode) as recording:
            recorded = run()
            assert recording.recordedCount == 4
    assert recorded == [TIMEOUT, TIMEOUT, 200, b"half", b"first", OK, "x"]
    with Recording(path, "none") as recording:
        assert run() == recorded and recording.allPlayed
    with Recording(path, "none"):
        assert blocking.get(f"{URL}/slow", timeout=90_000) is CANCELED
        assert "was cancelled, or had timed out, when it was recorded" in blocking.errorMessage()


def test_batch_that_is_left(manager: NetworkAccessManager, path: Path) -> None:
    def run() -> tuple[Any, str]:
        results = iter(manager.getMany([f"{URL}/{number}" for number in range(3)], ordered=False))
        result = next(results)
        del results
        return result.code, result.reply.text()

    with FakeReplies() as fake:
        fake.get("*/0", body="x")
        fake.get("*", delay=60_000)
        with Recording(path) as recording:
            assert run() == (OK, "x") and recording.recordedCount == 3
    with Recording(path, "none") as recording:
        assert run() == (OK, "x") and recording.allPlayed and recording.unmatched == []


def test_several_processes_write_one_file(path: Path) -> None:
    program = """
import sys
from blocking_request import BlockingNetworkRequest
from blocking_request.testing import FakeReplies, Recording
with FakeReplies() as fake, Recording(sys.argv[1], sys.argv[2]):
    fake.add(None, None)
    BlockingNetworkRequest().get(f"http://h/{sys.argv[3]}")
    print("recorded", flush=True)
    sys.stdin.readline()
"""

    def run(modes: list[str]) -> set[str]:
        command = [sys.executable, "-c", program, str(path)]
        children = [
            subprocess.Popen([*command, mode, str(number)], stdin=PIPE, stdout=PIPE, cwd=ROOT, text=True)
            for number, mode in enumerate(modes)
        ]
        for child in children:
            assert child.stdout is not None and child.stdout.readline() == "recorded\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
        for child in children:
            child.communicate(timeout=60)
            assert child.returncode == 0
        return {entry["request"]["url"][-1] for entry in entries(path)}

    assert run(["once", "once", "new"]) == {"0", "1", "2"}
    assert run(["all"]) == {"0"} and run(["new", "new", "new"]) == {"0", "1", "2"}
    assert [each.name for each in path.parent.iterdir()] == ["recording.har"]


def test_file_of_a_process_that_has_crashed(blocking: Any, path: Path) -> None:
    path.parent.mkdir()
    part = path.with_name("recording.har.lock")
    part.write_text("")
    os.utime(part, (time.time() - 100, time.time() - 100))
    with FakeReplies() as fake, Recording(path):
        fake.get(URL)
        blocking.get(URL)
    assert len(entries(path)) == 1 and not part.exists()


def test_many_secrets_take_little_time(blocking: Any, path: Path) -> None:
    secrets = [sha256(str(number).encode()).hexdigest() for number in range(400)]

    def run() -> None:
        for number, secret in enumerate(secrets):
            assert blocking.get(f"http://h/{number}?sig={secret}") is OK

    with FakeReplies() as fake:
        fake.get("*", lambda sent: makeReply(body=f"{sent.url} {secrets[0]} {secrets[fake.callCount - 1]}"))
        with Recording(path):
            run()
    text = path.read_text("utf-8")
    assert len(entries(path)) == 400 and not any(secret in text for secret in secrets)
    with Recording(path, "none") as recording:
        run()
        assert recording.allPlayed


def test_secrets_that_were_seen() -> None:
    seen = SeenSecrets()
    for number in range(300):
        seen.see(f"http://h/?token=s3cret-{number:04}", (), None, ())
    seen.see("http://h/?mine=another-secret&token=s3cret-0001-and-more", (), None, ("mine",))
    later = seen.with_fields(((b"Set-Cookie", b"sid=cookie-value"),))
    text = b"s3cret-0299s3cret-0001-and-more another-secret s3cret-9999 cookie-value s3cret-000"
    assert seen.hide(text) == b"****** *** s3cret-9999 cookie-value s3cret-000"
    assert later.hide(text) == b"****** *** s3cret-9999 *** s3cret-000"
    assert later.hide_in_url("http://s3cret-0001/s3cret-0001") == "http://s3cret-0001/***"
    for encoding in ("utf-16", "utf-16-be", "utf-32-le"):
        wide = "a s3cret-0299 b s3cret-0001-and-more".encode(encoding)
        assert seen.hide(wide).decode(encoding) == "a *********** b ********************"
    assert "s3cret" not in repr(seen) + repr(later)


def test_start_does_not_read_the_bodies_of_responses(blocking: Any, path: Path) -> None:
    features = [{"id": number, "name": f"feature {number}"} for number in range(20_000)]
    with FakeReplies() as fake, Recording(path):
        fake.get(URL, json=features)
        blocking.get(URL)
    began = time.perf_counter()
    with Recording(path):
        taken = time.perf_counter() - began
    assert blocking.reply().json() == features and taken < 0.5


def test_wrong_files(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{}")
    with pytest.raises(ValueError, match=re.escape("recording.har cannot be replayed: it is not HAR")):
        Recording(path).start()
    assert choice.stand_ins == []
    with pytest.raises(OSError):
        Recording(path.parent, "none").start()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mode": "some"}, ValueError, "mode must be one of 'once', 'none', 'all', 'new', not 'some'"),
        ({"filter": 5}, TypeError, "filter must be a function"),
        ({"matchBody": 1}, TypeError, "matchBody must be a bool"),
        ({"allowRepeats": None}, TypeError, "allowRepeats must be a bool"),
        ({"matchHeaders": "Accept"}, TypeError, "matchHeaders must be a list of names, not str"),
        ({"secretParameters": [5]}, TypeError, "secretParameters must be a list of str"),
    ],
)
def test_wrong_arguments(arguments: Any, error: Any, message: str, path: Path) -> None:
    with pytest.raises(error, match=re.escape(message)):
        Recording(path, **arguments)
    with pytest.raises(TypeError):
        Recording(5)  # type: ignore[arg-type]


def test_start_and_stop(blocking: Any, path: Path) -> None:
    recording = Recording(str(path))
    recording.stop()
    with recording:
        with pytest.raises(RuntimeError, match="serves already"):
            recording.start()
    assert not path.exists() and recording.path == path and recording.mode == "once"
    assert repr(recording) == f"<Recording {str(path)!r}, mode 'once'>"


def test_timeout_of_a_server_is_recorded(serve: Serve, blocking: Any, path: Path) -> None:
    silent = threading.Event()

    def say_nothing(_: Connection) -> None:
        silent.wait(20)

    server = serve(say_nothing)
    with Recording(path):
        assert blocking.get(server.url, timeout=50) is TIMEOUT
    silent.set()
    (entry,) = entries(path)
    assert entry["response"]["status"] == 0 and entry["_errorCode"] == "OperationCanceledError"


def test_session_without_a_route_is_not_recorded(path: Path) -> None:
    """Only requests over this package are served: those of plain requests go to the network."""
    with Recording(path), pytest.raises(requests.exceptions.ConnectionError):
        requests.get("http://127.0.0.1:9/", timeout=5)
    assert not path.exists()


def test_ntlm_cannot_be_recorded(serve: Serve, blocking: Any, path: Path) -> None:
    server = serve(always(status="401 Unauthorized", headers="WWW-Authenticate: NTLM\r\n"))
    blocking.setAuthConfig(AuthConfig.basic("me", SECRET))
    with Recording(path):
        blocking.get(server.url)
    assert "A Recording cannot record requests with NTLM or Negotiate" in blocking.errorMessage()


def test_secrets_that_the_server_repeats_are_not_recorded(blocking: Any, path: Path) -> None:
    """Also in the URL of a later request, and the recording can be replayed all the same."""

    def run() -> list[tuple[int, str]]:
        found = []
        for data in ({"form": {"password": SECRET}}, {"json": {"api_key": SECRET}}):
            blocking.post("http://h/login", None, **data)
            found.append((blocking.reply().statusCode(), blocking.reply().url().toString().rpartition("/")[0]))
        blocking.get(f"http://h/items/{SECRET}/")
        found.append((blocking.reply().statusCode(), blocking.reply().text().partition(":")[0]))
        return found

    with FakeReplies() as fake, Recording(path):
        fake.post("/login", status=302, reason=f"Found {SECRET}", headers={"Location": f"/new/{SECRET}"})
        fake.get("/new/*", body=f"you are {SECRET}", headers={"X-Echo": SECRET})
        fake.get("/items/*", body=f"items: {SECRET}")
        first = run()
        assert [status for status, _ in first] == [200, 200, 200] and fake.calls[1].url == f"http://h/new/{SECRET}"
    text = path.read_text("utf-8")
    assert SECRET not in text and "/new/***" in text and "items: ***" in text
    with Recording(path, "none") as recording:
        assert run() == first and recording.allPlayed
