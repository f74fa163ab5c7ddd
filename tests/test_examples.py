"""Each file in examples/ runs with the expected output, and a page of the documentation contains it unchanged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from blocking_request.qt.binding import API

from .support.names import ROOT
from .support.servers.raw import RawServer, always, echo

QGIS_EXAMPLE = "processing_download.py"
"""This example needs QGIS's Python: tests/qgis/test_qgis.py runs it, and docs/qgis.rst contains it."""

LIBRARY_EXAMPLES = ("owslib_wms.py", "stac_catalog.py")
"""The examples that docs/requests.rst names but does not contain."""

PAGES = {
    **dict.fromkeys(
        ("get_page.py", "post_form.py", "basic_auth.py", "favicon.py", "test_with_pytest.py"), "docs/tutorial.rst"
    ),
    "dask_tiles.py": "docs/processes.rst",
    "network_monitor.py": "docs/howto/logging.rst",
    **dict.fromkeys(("download_window.py", "download_pool.py", "download_asyncio.py"), "docs/threads.rst"),
}
"""The page that contains an example. README.rst contains the others."""

EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.name != QGIS_EXAMPLE)


def run(path: Path, folder: Path, *arguments: str, runner: tuple[str, ...] = ()) -> str:
    """Run an example with the Qt binding of this test run."""
    copy = folder / path.name
    text = path.read_text().replace("PyQt5", API)
    if API == "PySide6":
        text = text.replace("pyqtSignal", "Signal").replace("pyqtSlot", "Slot")
    copy.write_text(text)
    process = subprocess.run(
        [sys.executable, *runner, str(copy), *arguments], capture_output=True, text=True, timeout=60, cwd=folder
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def test_script(httpbin: str, tmp_path: Path) -> None:
    output = run(ROOT / "examples/script.py", tmp_path, httpbin).splitlines()
    assert [line.lower() for line in output] == ["sample slide show", "the server refuses it: 404 not found"]


def test_background_thread(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    def half(connection) -> None:  # type: ignore[no-untyped-def]
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
        connection.wait_for_close()

    server: RawServer = serve(half)
    output = run(ROOT / "examples/background_thread.py", tmp_path, server.url)
    assert output.splitlines() == ["50 %", f"Operation canceled ({server.url})"]


def test_download_window(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    server: RawServer = serve(always(b"x" * 100_000))
    output = run(ROOT / "examples/download_window.py", tmp_path, server.url, "body.bin")
    assert output == "body.bin is complete\n"
    assert (tmp_path / "body.bin").read_bytes() == b"x" * 100_000


def test_network_monitor(tmp_path: Path) -> None:
    output = run(ROOT / "examples/network_monitor.py", tmp_path, "--picture", "picture.png")
    assert output == "12 calls\n"
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_download_pool(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    server: RawServer = serve(always(b"x" * 1_000))
    output = run(ROOT / "examples/download_pool.py", tmp_path, f"{server.url}/1", f"{server.url}/2")
    assert output == "200 1000 bytes \n" * 2


def test_download_asyncio(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    server: RawServer = serve(always(b"x" * 1_000))
    output = run(ROOT / "examples/download_asyncio.py", tmp_path, f"{server.url}/1", f"{server.url}/2")
    assert output == "200 1000 bytes \n" * 2 + "cancelled\n"


def test_get_page(httpbin: str, tmp_path: Path) -> None:
    output = run(ROOT / "examples/get_page.py", tmp_path, f"{httpbin}/html").splitlines()
    assert output[0] == "200 text/html; charset=utf-8" and output[1] == "<!DOCTYPE html>"


def test_post_form(httpbin: str, tmp_path: Path) -> None:
    output = run(ROOT / "examples/post_form.py", tmp_path, httpbin).splitlines()
    assert output == ["{'born': '1815', 'name': 'Ada'}", "{'notes': 'the engine'}"]


def test_basic_auth(httpbin: str, tmp_path: Path) -> None:
    host, url = httpbin.partition("//")[2], f"{httpbin}/basic-auth/ada/engine"
    questions = [f"{attempt}. user and password of 'Fake Realm' at {host}?" for attempt in (1, 2, 3)]
    right = run(ROOT / "examples/basic_auth.py", tmp_path, url, "ada:wrong", "ada:engine").splitlines()
    assert right == [*questions[:2], "NoError 200 "]
    wrong = run(ROOT / "examples/basic_auth.py", tmp_path, url, *["ada:wrong"] * 9).splitlines()
    assert wrong[:3] == questions and len(wrong) == 4 and wrong[3].startswith("ServerExceptionError 401 ")
    given_up = run(ROOT / "examples/basic_auth.py", tmp_path, url, "ada:wrong").splitlines()
    assert given_up[:2] == questions[:2] and given_up[2].startswith("ServerExceptionError 401 ")


def test_favicon(httpbin: str, tmp_path: Path) -> None:
    output = run(ROOT / "examples/favicon.py", tmp_path, f"{httpbin}/image/png", "icon.png")
    size = (tmp_path / "icon.png").stat().st_size
    assert output == f"icon.png: {size} bytes of image/png\n" and size > 1_000


def test_dask_tiles(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    server: RawServer = serve(echo)
    output = run(ROOT / "examples/dask_tiles.py", tmp_path, f"{server.url}/{{z}}/{{x}}/{{y}}.png", "3")
    requests = server.requests
    assert output.splitlines() == [f"64 of 64 tiles, {sum(map(len, requests))} bytes", "by 2 processes"]
    assert len({request.split(b" ")[1] for request in requests}) == 64
    assert all(b"User-Agent: dask-tiles/1.0\r\n" in request for request in requests)
    assert all(b"Cookie: style=dark\r\n" in request for request in requests)


CAPABILITIES = b"""<?xml version="1.0"?>
<WMS_Capabilities version="1.3.0" xmlns="http://www.opengis.net/wms" xmlns:xlink="http://www.w3.org/1999/xlink">
<Service><Name>WMS</Name><Title>Local maps</Title><OnlineResource xlink:href="URL"/></Service>
<Capability><Request>
<GetCapabilities><Format>text/xml</Format><DCPType><HTTP><Get><OnlineResource xlink:href="URL"/></Get></HTTP></DCPType>
</GetCapabilities>
<GetMap><Format>image/png</Format><DCPType><HTTP><Get><OnlineResource xlink:href="URL"/></Get></HTTP></DCPType></GetMap>
</Request><Layer><Title>All</Title><CRS>EPSG:4326</CRS><Layer queryable="0"><Name>roads</Name><Title>Roads</Title>
<CRS>EPSG:4326</CRS></Layer></Layer></Capability></WMS_Capabilities>"""


def test_owslib_wms(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("owslib")

    def handle(connection) -> None:  # type: ignore[no-untyped-def]
        while (request := connection.read_request()) is not None:
            if b"GetMap" in request.split(b" ")[1]:
                connection.respond(b"\x89PNG" + b"0" * 1000, headers="Content-Type: image/png\r\n")
            else:
                body = CAPABILITIES.replace(b"URL", server.url.encode() + b"/?")
                connection.respond(body, headers="Content-Type: text/xml\r\n")

    server: RawServer = serve(handle)
    output = run(ROOT / "examples/owslib_wms.py", tmp_path, f"{server.url}/")
    assert output.splitlines() == ["Local maps ['roads']", "1004 bytes of image/png"]
    assert len(server.requests) == 2


def test_stac_catalog(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("pystac_client")

    def handle(connection) -> None:  # type: ignore[no-untyped-def]
        while (request := connection.read_request()) is not None:
            path = request.split(b" ")[1].decode()
            connection.respond(
                json.dumps(stac(server.url, path)).encode(), headers="Content-Type: application/json\r\n"
            )

    server: RawServer = serve(handle)
    output = run(ROOT / "examples/stac_catalog.py", tmp_path, f"{server.url}/")
    assert output.splitlines() == ["Local catalogue ['images']", "['one', 'two']"]


def stac(url: str, path: str) -> dict:  # type: ignore[type-arg]
    links = [{"rel": "self", "href": f"{url}/"}, {"rel": "root", "href": f"{url}/"}]
    extent = {"spatial": {"bbox": [[0, 0, 1, 1]]}, "temporal": {"interval": [["2020-01-01T00:00:00Z", None]]}}
    images = {
        "type": "Collection", "id": "images", "stac_version": "1.0.0", "description": "d", "license": "MIT",
        "extent": extent, "links": links,
    }  # fmt: skip
    if path.startswith("/collections"):
        return {"collections": [images], "links": links}
    if path.startswith("/search"):
        geometry = {"type": "Point", "coordinates": [0, 0]}
        items = [
            {
                "type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": geometry, "bbox": [0, 0, 0, 0],
                "properties": {"datetime": "2020-01-01T00:00:00Z"}, "links": [], "assets": {}, "collection": "images",
            }
            for name in ("one", "two")
        ]  # fmt: skip
        return {"type": "FeatureCollection", "features": items, "links": []}
    search = {"rel": "search", "href": f"{url}/search", "type": "application/geo+json", "method": "POST"}
    data = {"rel": "data", "href": f"{url}/collections"}
    conformance = ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search",
                   "https://api.stacspec.org/v1.0.0/collections"]  # fmt: skip
    return {
        "type": "Catalog", "id": "local", "title": "Local catalogue", "description": "d", "stac_version": "1.0.0",
        "conformsTo": conformance, "links": [*links, search, data],
    }  # fmt: skip


def test_with_pytest(tmp_path: Path) -> None:
    output = run(
        ROOT / "examples/test_with_pytest.py", tmp_path, runner=("-m", "pytest", "-q", "-p", "no:cacheprovider")
    )
    assert "2 passed" in output


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_run_and_documented(path: Path) -> None:
    assert f"test_{path.stem.replace('test_', '')}" in globals()
    page = PAGES.get(path.name, "README.rst")
    shown_there = (ROOT / page).read_text()
    if path.name in LIBRARY_EXAMPLES:
        assert f"examples/{path.name}" in (ROOT / "docs/requests.rst").read_text()
        return
    assert f"examples/{path.name}" in shown_there
    code = path.read_text().partition('"""\n\n')[2].strip()
    shown = "\n".join(f"    {line}".rstrip() for line in code.splitlines())
    assert shown in shown_there, f"{page} must show examples/{path.name} as it is"
