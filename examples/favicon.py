"""Fetch a favicon into a file, which is there when it is whole, and not before.

python3 examples/favicon.py [URL] [FILE]
"""

import sys
from pathlib import Path

from PyQt5.QtCore import QCoreApplication

from blocking_request import BlockingNetworkRequest, ErrorCode

app = QCoreApplication(sys.argv)
url = sys.argv[1] if len(sys.argv) > 1 else "http://httpbin.org/image/png"
path = Path(sys.argv[2] if len(sys.argv) > 2 else "favicon.png")

request = BlockingNetworkRequest()
if request.download(url, path) != ErrorCode.NoError:
    sys.exit(request.errorMessage())
print(f"{path.name}: {path.stat().st_size} bytes of {request.reply().headers['Content-Type']}")
