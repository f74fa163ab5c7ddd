"""Requests with secrets in every place, for tests that look for them in all outputs."""

from __future__ import annotations

from blocking_request import AuthConfig, BlockingNetworkRequest, NetworkAccessManager

from .names import OK, Serve
from .servers.raw import Connection, asking

SECRET = "hunter2-hunter2"
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


def send_secrets(manager: NetworkAccessManager, server: str) -> str:
    """Send requests with secrets in the URL, the headers and the body, and return this URL.

    ``server``: the URL of a server that is ``secretive``.
    """
    host = server.partition("//")[2]
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
    return url


def log_in(kind: str, manager: NetworkAccessManager, serve: Serve) -> None:
    """Send a request that is answered by a challenge. ``kind``: Basic or Digest."""
    request = BlockingNetworkRequest(manager)
    make = AuthConfig.basic if kind == "Basic" else AuthConfig.digest
    request.setAuthConfig(make(VISIBLE, SECRET))
    challenge = 'realm="plainly", nonce="n", algorithm=MD5, qop="auth"' if kind == "Digest" else 'realm="plainly"'
    assert request.get(serve(asking(f"{kind} {challenge}")).url + f"/?token={SECRET}&shown={VISIBLE}") is OK
