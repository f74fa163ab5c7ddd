"""A script: fetch JSON, tell failures apart, post a form. No event loop, no callbacks.

python3 examples/script.py [URL of an httpbin]
"""

import sys

from PyQt5.QtCore import QCoreApplication

from blocking_request import BlockingNetworkRequest, ErrorCode

app = QCoreApplication(sys.argv)
server = sys.argv[1] if len(sys.argv) > 1 else "http://httpbin.org"

request = BlockingNetworkRequest()
for path in ("/json", "/status/404"):
    code = request.get(f"{server}{path}", headers={"Accept": "application/json"}, timeout=10_000)
    if code == ErrorCode.NoError:
        print(request.reply().json()["slideshow"]["title"])
    elif code == ErrorCode.ServerExceptionError:
        print("the server refuses it:", request.reply().statusCode(), request.reply().reasonPhrase())
    else:
        sys.exit(request.errorMessage())  # no connection, a timeout, a wrong certificate, ...
