"""GET a page and look at it.

python3 examples/get_page.py [URL]
"""

import sys

from PyQt5.QtCore import QCoreApplication

from blocking_request import BlockingNetworkRequest, ErrorCode

app = QCoreApplication(sys.argv)
url = sys.argv[1] if len(sys.argv) > 1 else "http://httpbin.org/html"

request = BlockingNetworkRequest()
request.setTimeout(10_000)
if request.get(url) != ErrorCode.NoError:
    sys.exit(request.errorMessage())

reply = request.reply()
print(reply.statusCode(), reply.headers.get("Content-Type"))
print(reply.text()[:80])
