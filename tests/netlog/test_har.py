"""HAR documents of a log: valid by the public schema, saved, and loaded again."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, NetworkMemoryCache
from blocking_request.netlog import NetworkEntry, NetworkLog
from blocking_request.testing import Recording

from ..support.har_schema import entries_of_valid_har
from ..support.names import NET, OK, TIMEOUT, Serve
from ..support.servers.raw import Connection, always, silence


def redirecting(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        if b" /old" in request:
            connection.respond(b"gone", "302 Found", "Location: /new\r\nSet-Cookie: a=b; Path=/; HttpOnly\r\n")
        else:
            connection.respond(b"\xff\x00body", headers="Content-Type: image/png\r\nCache-Control: max-age=60\r\n")


@pytest.fixture
def filled(manager: NetworkAccessManager, log: NetworkLog, serve: Serve, tmp_path: Path) -> NetworkLog:
    """A log with calls of many kinds."""
    manager.setCache(NetworkMemoryCache())
    request, url = BlockingNetworkRequest(manager), serve(redirecting).url
    assert request.get(f"{url}/old?q=1&q=2#fragment") is OK
    assert request.get(f"{url}/new") is OK
    assert request.post(f"{url}/form", form={"a": "1"}) is OK
    assert request.put(f"{url}/bytes", b"\xff\xfe") is OK
    assert request.download(f"{url}/file", tmp_path / "file") is OK
    assert request.get("http://127.0.0.1:1/") is NET
    assert request.get("no url") is NET
    assert request.get(serve(silence).url, timeout=30) is TIMEOUT
    return log


def test_valid_by_the_schema(filled: NetworkLog) -> None:
    entries = entries_of_valid_har(filled.toHar())
    assert [entry["_kind"] for entry in entries[:4]] == ["request", "redirect", "cache", "request"]
    assert [entry["response"]["status"] for entry in entries] == [302, 200, 200, 200, 200, 200, 0, 0, 0]
    first, second, third = entries[:3]
    assert first["_call"] == second["_call"] != third["_call"]
    assert first["response"]["redirectURL"] == "/new" and first["response"]["content"]["text"] == "gone"
    assert first["response"]["cookies"][0]["httpOnly"] is True
    assert third["_fromCache"] == "cache"
    assert entries[3]["request"]["postData"]["text"] == "a=1"
    assert all(entry["_error"] for entry in entries[6:])
    assert [entry["_errorCode"] for entry in entries[6:]] == ["NetworkError", "NetworkError", "TimeoutError"]
    for entry in entries:
        steps = sum(value for name, value in entry["timings"].items() if name != "ssl" and value > 0)
        assert abs(steps - entry["time"]) < 0.001


def test_empty_and_running(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    assert entries_of_valid_har(log.toHar()) == []
    batch = manager.getMany([serve(always(b"1")).url, serve(silence).url], ordered=False)
    with batch:
        next(batch)
        entries = entries_of_valid_har(log.toHar())
    assert ["comment" in entry for entry in entries] == [False, True]
    assert "still running" in entries[1]["comment"]


def test_round_trip(filled: NetworkLog, tmp_path: Path) -> None:
    path = tmp_path / "calls.har"
    path.write_text("old")
    filled.saveHar(path)
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 and list(tmp_path.glob("*.part")) == []
    with NetworkLog() as copy:
        copy.close()
        assert copy.loadHar(str(path)) == copy.count() == 9
    originals = [child for entry in filled.entries() for child in (entry.children() or [entry])]
    for one, other in zip(originals, copy.entries()):
        for name in (
            "method", "host", "statusCode", "reasonPhrase", "errorCode", "errorString", "requestBody", "requestSize",
            "responseBody", "responseSize", "receivedBytes", "engine", "httpVersion", "thread", "isFromCache",
            "requestHeaders", "responseHeaders", "remoteAddress", "requestId",
        ):  # fmt: skip
            assert getattr(one, name)() == getattr(other, name)(), (name, one, other)
        assert other.kind() == "call" and other.isFinished() and abs(one.elapsed() - other.elapsed()) < 0.000_001
        assert one.asCurl() == other.asCurl()
        # The format has milliseconds.
        assert abs(one.started() - other.started()) < 0.002


def test_file_of_a_browser(tmp_path: Path) -> None:
    entry = {
        "startedDateTime": "2024-01-01T00:00:00.000Z",
        "time": 5.5,
        "request": {
            "method": "GET",
            "url": "https://h/?token=hunter2",
            "headers": [{"name": "cookie", "value": "a=hunter2"}],
        },
        "response": {
            "status": 200,
            "statusText": "",
            "headers": [],
            "content": {"size": 2, "text": "aGk=", "encoding": "base64"},
        },
    }
    path = tmp_path / "chrome.har"
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": [entry]}}), encoding="utf-8-sig")
    log = NetworkLog()
    log.close()
    assert log.loadHar(path) == 1
    (loaded,) = log.entries()
    assert (loaded.url(), loaded.responseBody(), loaded.elapsed()) == ("https://h/?token=***", b"hi", 0.0055)
    assert "hunter2" not in log.toHar() + loaded.asCurl() + repr(loaded.requestHeaders())


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", '{"log": {}}', '{"log": {"entries": [{}]}}', '{"log": {"entries": 5}}', "[" * 99_999, "NaN"],
)
def test_file_that_is_no_har(text: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.har"
    path.write_text(text)
    log = NetworkLog()
    with pytest.raises(ValueError, match=r"wrong\.har cannot be read as HAR"):
        log.loadHar(path)
    assert log.count() == 0
    log.close()


def test_paths_that_cannot_be_used(log: NetworkLog, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        log.loadHar(tmp_path / "missing")
    with pytest.raises(OSError):
        log.saveHar(tmp_path / "no folder" / "file")
    with pytest.raises(TypeError):
        log.saveHar(None)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_values_of_any_kind(log: NetworkLog, tmp_path: Path) -> None:
    """Whatever stands in a file: it is refused, or all texts of its entries can be made."""
    path = tmp_path / "any.har"
    odd: list[Any] = [
        None,
        True,
        -5,
        1e15,
        2**53,
        "",
        "\ud800",
        "http://[::1/?a=1#b",
        "a\nb",
        [],
        {},
        [[]],
        {"a": {"b": 1}},
    ]

    def places(value: Any, way: tuple[Any, ...] = ()) -> Any:
        yield way
        for key, inner in (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        ):
            yield from places(inner, (*way, key))

    whole = {
        "startedDateTime": "2024-01-01T00:00:00.000Z",
        "time": 5.5,
        "request": {
            "method": "POST",
            "url": "https://h/?a=b",
            "headers": [{"name": "Content-Type", "value": "text/plain"}, {"name": "Cookie", "value": "a=b"}],
            "bodySize": 4,
            "postData": {"mimeType": "text/plain", "text": "body", "_encoding": ""},
        },
        "response": {
            "status": 200,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": "Set-Cookie", "value": "a=b; Path=/"}],
            "content": {"size": 2, "text": "aGk=", "encoding": "base64"},
            "bodySize": 2,
        },
        "timings": {"wait": 1, "dns": 2, "ssl": 3},
        "serverIPAddress": "::1",
        "connection": "443",
        "comment": "c",
        "_call": 1,
        "_thread": "t",
        "_engine": "qt",
        "_proxy": "http://p",
        "_fromCache": "cache",
        "_error": "no",
        "_errorCode": "NetworkError",
        "_tls": {"protocol": "TLSv1.3", "cipher": "x"},
    }
    for way in places(whole):
        for value in odd:
            entry = json.loads(json.dumps(whole))
            parent = {"entry": entry}
            for key in ("entry", *way)[:-1]:
                parent = parent[key]
            parent[("entry", *way)[-1]] = value
            path.write_text(json.dumps({"log": {"entries": [entry]}}))
            try:
                log.loadHar(path)
            except ValueError as error:
                assert "any.har cannot be read as HAR: the entry 0 " in str(error)
                continue
            (loaded,) = log.entries()
            json.loads(log.toHar(), parse_constant=pytest.fail)
            log.saveHar(path)
            for name in dir(NetworkEntry):
                if not name.startswith("_"):
                    getattr(loaded, name)()
            assert log.entries(text="x", host="h", status=200) is not None
            log.clear()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_special_files(log: NetworkLog, tmp_path: Path) -> None:
    fifo, link = tmp_path / "fifo.har", tmp_path / "link.har"
    os.mkfifo(fifo)
    link.symlink_to(fifo)
    for path in (fifo, link):
        with pytest.raises(OSError, match="it is not a regular file"):
            log.saveHar(path)
        with pytest.raises(OSError, match="it is not a regular file"):
            log.loadHar(path)
    assert stat.S_ISFIFO(fifo.stat().st_mode) and sorted(tmp_path.iterdir()) == [fifo, link]
    real = tmp_path / "real.har"
    log.saveHar(real)
    link.unlink()
    link.symlink_to(real)
    log.saveHar(link)
    assert log.loadHar(link) == 0 and link.is_symlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_recording_has_the_same_reader(log: NetworkLog, tmp_path: Path) -> None:
    path, fifo = tmp_path / "calls.har", tmp_path / "fifo.har"
    path.write_text(log.toHar(), encoding="utf-8-sig")
    with Recording(path, "none") as recording:
        assert recording.path == path
    path.write_text("[" * 99_999)
    with pytest.raises(ValueError, match=r"calls\.har cannot be replayed: its values are nested too deep"):
        Recording(path, "none").start()
    os.mkfifo(fifo)
    with pytest.raises(OSError, match="it is not a regular file"):
        Recording(fifo, "none").start()


def test_many_threads_save_one_file(
    manager: NetworkAccessManager, log: NetworkLog, serve: Serve, tmp_path: Path
) -> None:
    path, failed = tmp_path / ("\u00e4" * 120 + ".har"), []
    assert BlockingNetworkRequest(manager).get(serve(always(b"x" * 20_000)).url) is OK

    def save() -> None:
        try:
            for _ in range(30):
                log.saveHar(path)
                assert len(json.loads(path.read_text("utf-8"))["log"]["entries"]) == 1
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=save) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and list(tmp_path.iterdir()) == [path]


def test_url_that_is_not_valid(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    request = BlockingNetworkRequest(manager)
    assert request.get("http://[::1/?a=1") is not OK and request.get(serve(always()).url) is OK
    assert [entry["request"]["queryString"] for entry in entries_of_valid_har(log.toHar())] == [[], []]


def test_large_bodies_are_cut_off_and_it_is_told(manager: NetworkAccessManager, serve: Serve, tmp_path: Path) -> None:
    size = 100 << 20
    request = BlockingNetworkRequest(manager)
    url = serve(always(b"x" * size, headers="Content-Type: text/plain\r\n")).url
    with NetworkLog(manager) as log:
        assert request.get(url) is OK
        assert request.download(url, tmp_path / "file") is OK
        assert request.post(url, b"y" * 3_000_000, headers={"Content-Type": "text/plain"}) is OK
    text = log.toHar()
    assert len(text) < 1_000_000
    for entry in entries_of_valid_har(text):
        assert entry["response"]["content"]["size"] == size and entry["response"]["bodySize"] == size
        assert len(entry["response"]["content"]["text"]) == 65_536
        assert f"The body of the response, of {size} bytes, is not whole here" in entry["comment"]
    assert "The body of the request, of 3000000 bytes, is not whole here" in entry["comment"]


def test_log_without_bodies(manager: NetworkAccessManager, serve: Serve) -> None:
    with NetworkLog(manager, bodies=0) as log:
        assert BlockingNetworkRequest(manager).post(serve(always(b"body")).url, b"data") is OK
    (entry,) = log.entries()
    assert (entry.requestBody(), entry.responseBody(), entry.requestSize(), entry.responseSize()) == (b"", b"", 4, 4)
    (written,) = entries_of_valid_har(log.toHar())
    assert "the log keeps no bodies" in written["comment"]


def test_odd_bytes(manager: NetworkAccessManager, log: NetworkLog, serve: Serve) -> None:
    fields = "X-Latin: caf\xe9\r\nX-Empty:\r\nContent-Type: text/plain; charset=latin-1\r\n"

    def handle(connection: Connection) -> None:
        connection.read_request()
        connection.send(f"HTTP/1.1 200 \xfc\r\n{fields}Content-Length: 3\r\n\r\n\xe4\xf6\xfc".encode("latin-1"))

    assert BlockingNetworkRequest(manager).get(serve(handle).url + "/\u65e5?\u672c=\U0001f600") is OK
    (entry,) = entries_of_valid_har(log.toHar())
    content: Any = entry["response"]["content"]
    assert content["encoding"] == "base64" and content["size"] == 3
