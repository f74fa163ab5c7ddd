"""POST a form, a file among its fields, and read the JSON that comes back.

python3 examples/post_form.py [URL of an httpbin]
"""

import sys

from PyQt5.QtCore import QCoreApplication

from blocking_request import BlockingNetworkRequest

app = QCoreApplication(sys.argv)
server = sys.argv[1] if len(sys.argv) > 1 else "http://httpbin.org"

request = BlockingNetworkRequest()
request.post(f"{server}/post", form={"name": "Ada", "born": "1815"}, files={"notes": ("notes.txt", b"the engine")})
request.reply().raiseForError()

answer = request.reply().json()
print(answer["form"])
print(answer["files"])
