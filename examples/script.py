"""A script: fetch JSON, post a form, tell what went wrong. No event loop, no callbacks.

python3 examples/script.py [URL of an httpbin]
"""

import sys

from PyQt5.QtCore import QCoreApplication, QUrl
from PyQt5.QtNetwork import QNetworkRequest

from blocking_request import BlockingNetworkRequest

app = QCoreApplication(sys.argv)
server = sys.argv[1] if len(sys.argv) > 1 else "http://httpbin.org"

request = BlockingNetworkRequest()
if request.get(f"{server}/json") == BlockingNetworkRequest.NoError:
    print(request.reply().json()["slideshow"]["title"])
else:
    print(request.errorMessage())

form = QNetworkRequest(QUrl(f"{server}/post"))
form.setRawHeader(b"X-From", b"an example")
request.post(form, b"name=Ada&born=1815")
print(request.reply().json()["form"])

code = request.get(f"{server}/status/404")
print(code.name, "-", request.errorMessage())
