"""Ask for user and password, as often as the server says no: after three wrong answers it is given up.

python3 examples/basic_auth.py [URL] [user:password ...]
"""

import sys

from PyQt5.QtCore import QCoreApplication

from blocking_request import BlockingNetworkRequest, NetworkAccessManager

app = QCoreApplication(sys.argv)
url = sys.argv[1] if len(sys.argv) > 1 else "http://httpbin.org/basic-auth/ada/engine"
answers = [text.split(":", 1) for text in sys.argv[2:] or ["ada:wrong", "ada:engine"]]  # a dialog, in your program


def handler(realm, host, attempt):
    print(f"{attempt}. user and password of {realm!r} at {host}?")
    return tuple(answers.pop(0)) if answers else None


manager = NetworkAccessManager()
manager.setAuthHandler(handler)

request = BlockingNetworkRequest(manager)
code = request.get(url)
print(code.name, request.reply().statusCode(), request.errorMessage())
