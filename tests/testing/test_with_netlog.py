"""FakeReplies and Recording beside a NetworkLog, a HAR file and the log of Python: each of them is complete."""

from __future__ import annotations

import io
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3.util import Retry

from blocking_request import (
    BlockingNetworkRequest,
    NetworkAccessManager,
    QtAdapter,
    dumpState,
    requests_session,
)
from blocking_request.netlog import NetworkLog
from blocking_request.netlog.har_file import HarFile
from blocking_request.qhttp import Http
from blocking_request.testing import FakeReplies, Recording, SentRequest
from blocking_request.trace import add_recorder, remove_recorder

from ..support.har_schema import entries_of_valid_har
from ..support.names import NET, OK, SERVER, TIMEOUT, Serve
from ..support.servers.raw import always

URL = "https://api.example.org/items"


@pytest.fixture
def manager() -> NetworkAccessManager:
    return NetworkAccessManager()


@pytest.fixture
def blocking(manager: NetworkAccessManager) -> BlockingNetworkRequest:
    return BlockingNetworkRequest(manager)


# -- the clock of the call


def test_entry_has_the_virtual_time(blocking: Any, manager: NetworkAccessManager, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG, "blocking_request")
    with FakeReplies() as fake, NetworkLog(manager) as log:
        fake.get(URL, body=[b"a", 500, b"b"], delay=2000)
        assert blocking.get(URL) is OK and blocking.reply().elapsed() == 2.5
    (entry,) = log.entries()
    (child,) = entry.children()
    for each in (entry, child):
        assert each.elapsed() == pytest.approx(2.5) and each.engine() == "fake"
        timings = each.timings()
        assert timings.wait == pytest.approx(2000) and timings.receive == pytest.approx(500)
    (written,) = entries_of_valid_har(log.toHar())
    assert written["time"] == pytest.approx(2500) and written["timings"]["wait"] == pytest.approx(2000)
    assert f"GET {URL}: 200 (2 bytes in 2500.0 ms, over fake)" in caplog.messages
    assert any(text.startswith(f"GET {URL}: 200 after 2500.0 ms (") for text in caplog.messages)


def test_moments_of_children_are_those_of_the_virtual_time(blocking: Any, manager: NetworkAccessManager) -> None:
    manager.setRetry(Retry(1, backoff_factor=0, status_forcelist=[503]))
    with FakeReplies() as fake, NetworkLog(manager) as log:
        fake.get(URL, status=503, headers={"Retry-After": "3600"}, delay=1000).then(
            status=302, headers={"Location": "/new"}, delay=1000
        )
        fake.get("/new", delay=1000)
        assert blocking.get(URL) is OK
    (entry,) = log.entries()
    assert [child.kind() for child in entry.children()] == ["request", "retry", "redirect"]
    starts = [child.started() - entry.started() for child in entry.children()]
    assert starts == pytest.approx([0, 3601, 3602], abs=0.1) and entry.elapsed() == pytest.approx(3603)


def test_timeout_in_virtual_time(blocking: Any, manager: NetworkAccessManager) -> None:
    with FakeReplies() as fake, NetworkLog(manager) as log:
        fake.get(URL, delay=60_000)
        assert blocking.get(URL, timeout=5000) is TIMEOUT
    assert log.entries()[0].elapsed() == pytest.approx(5)


def test_all_kinds_of_calls_have_the_virtual_time(manager: NetworkAccessManager, tmp_path: Path) -> None:
    blocking = BlockingNetworkRequest(manager)
    with FakeReplies() as fake, NetworkLog() as log:
        fake.get(None, body=b"body", delay=2000)
        with blocking.stream(URL) as chunks:
            assert b"".join(chunks) == b"body"
        assert blocking.download(URL, tmp_path / "file") is OK
        assert [result.reply.elapsed() for result in manager.getMany([URL, URL])] == [2.0, 2.0]
        session = requests.Session()
        session.mount("https://", QtAdapter(manager))
        assert session.get(URL).text == session.get(URL, stream=True).text == "body"
        http = Http()
        http.setHost("api.example.org")
        http.get("/items")
        assert http.waitForDone(10_000)
    assert len(log.entries()) == 7
    for entry in log.entries():
        assert entry.elapsed() == pytest.approx(2, abs=0.001), entry


def test_dump_state_has_the_virtual_age(blocking: Any) -> None:
    texts: list[str] = []

    def note(request: SentRequest) -> bool:
        dumpState(file := io.StringIO())
        texts.append(file.getvalue())
        return True

    with FakeReplies() as fake:
        fake.get(URL, status=302, headers={"Location": "/new"}, delay=90_000)
        fake.get("/new", match=note)
        assert blocking.get(URL, timeout=100_000) is OK
        manager = NetworkAccessManager()
        manager.setTimeout(100_000)
        assert [result.code for result in manager.getMany([URL])] == [OK]
    for text in texts:
        assert "GET https://api.example.org/new: for 90.0 s, engine fake" in text
        assert "it ends in 100.0 s at the latest" in text
    assert len(texts) == 2


# -- a log while recording, while replaying, and in nested blocks


def test_log_while_recording_and_replaying(serve: Serve, blocking: Any, manager: Any, tmp_path: Path) -> None:
    path, written = tmp_path / "recording.har", tmp_path / "calls.har"
    server = serve(always(b'{"a": 1}', headers="Content-Type: application/json\r\n"))
    file = HarFile(str(written), 1000)
    add_recorder(file)
    try:
        with Recording(path), NetworkLog(manager) as log:
            assert blocking.get(server.url) is OK
            assert [result.code for result in manager.getMany([f"{server.url}/2"])] == [OK]
        server.close()
        with Recording(path, "none") as recording, NetworkLog(manager) as other:
            assert blocking.get(server.url) is OK
            assert [result.code for result in manager.getMany([f"{server.url}/2"])] == [OK]
            assert recording.allPlayed and blocking.get(server.url) is NET
    finally:
        remove_recorder(file)
    assert [(entry.engine(), entry.statusCode()) for entry in log.entries()] == [("python", 200)] * 2
    assert [(entry.engine(), entry.statusCode()) for entry in other.entries()] == [
        ("fake", 200), ("fake", 200), ("fake", None)
    ]  # fmt: skip
    for one, another in zip(log.entries(), other.entries()):
        assert one.responseBody() == another.responseBody() == b'{"a": 1}'
    assert [entry["_engine"] for entry in entries_of_valid_har(written.read_text())] == ["python"] * 2 + ["fake"] * 3
    assert len(entries_of_valid_har(path.read_text())) == 2
    # Each of the three files can be read by a log.
    for har, count in ((path, 2), (written, 5)):
        log.clear()
        assert log.loadHar(har) == count


def test_recording_within_fake_replies_and_the_reverse(blocking: Any, manager: Any, tmp_path: Path) -> None:
    path = tmp_path / "recording.har"
    with FakeReplies() as fake, NetworkLog(manager) as log:
        fake.get(URL, body="outer", delay=2000)
        with Recording(path) as recording:
            assert blocking.get(URL) is OK and blocking.reply().elapsed() == 2
            with FakeReplies() as inner:
                inner.get(URL, body="inner")
                assert blocking.get(URL) is OK and blocking.reply().text() == "inner"
            assert recording.recordedCount == 1
        with FakeReplies() as inner:
            inner.get("/other", status=404)
            with Recording(path, "new") as recording:
                assert blocking.get(URL) is OK and blocking.reply().text() == "outer"
                assert blocking.get("https://api.example.org/other") is SERVER
            assert (recording.playedCount, recording.recordedCount) == (1, 1)
    assert [entry.responseBody() for entry in log.entries()[:3]] == [b"outer", b"inner", b"outer"]
    assert [round(entry.elapsed()) for entry in log.entries()[:2]] == [2, 0]
    recorded = entries_of_valid_har(path.read_text())
    assert recorded[0]["time"] == pytest.approx(2000) and recorded[1]["response"]["status"] == 404


def test_threads_with_a_log_and_fake_replies(tmp_path: Path) -> None:
    """Each thread has calls of its own; the log and the FakeReplies are shared."""
    with FakeReplies() as fake, NetworkLog(maximumEntries=10_000) as log:
        fake.get(None, lambda request: None, match=lambda request: False)
        fake.get(None, json={"a": 1}, delay=1000)
        failed: list[BaseException] = []

        def work(number: int) -> None:
            try:
                request = BlockingNetworkRequest(NetworkAccessManager())
                for count in range(20):
                    assert request.get(f"{URL}/{number}/{count}") is OK
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failed and fake.callCount == log.count() == 64 * 20
    assert len({entry.url() for entry in log.entries()}) == 64 * 20
    assert all(entry.elapsed() == pytest.approx(1) and entry.isFinished() for entry in log.entries())


def test_session_without_a_manager_is_logged() -> None:
    with FakeReplies() as fake, NetworkLog() as log, requests_session() as session:
        fake.post(URL, json=[1], delay=3000)
        assert session.post(URL, json={"a": 1}).json() == [1]
    (entry,) = log.entries()
    assert entry.elapsed() == pytest.approx(3, abs=0.001) and entry.requestBody() == b'{"a": 1}'
