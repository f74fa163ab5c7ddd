"""In pytest: no event loop, no plugin; one fixture makes the application that Qt needs.

python3 -m pytest examples/test_with_pytest.py
"""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from PyQt5.QtCore import QCoreApplication

from blocking_request import BlockingNetworkRequest, ServerExceptionError


@pytest.fixture(scope="session", autouse=True)
def app():
    return QCoreApplication.instance() or QCoreApplication([])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/tile" else 404)
        self.end_headers()
        self.wfile.write(b"a tile")


@pytest.fixture
def server():
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_tile(server):
    request = BlockingNetworkRequest()
    assert request.get(f"{server}/tile") == BlockingNetworkRequest.NoError
    assert request.reply().body == b"a tile"


def test_missing_tile(server):
    request = BlockingNetworkRequest()
    request.get(f"{server}/nothing")
    with pytest.raises(ServerExceptionError, match="server replied: Not Found"):
        request.reply().raiseForError()
