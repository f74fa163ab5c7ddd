"""A window with a NetworkMonitor, beside downloads from a server in the same process.

python3 examples/network_monitor.py [--picture FILE.png]
"""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PyQt5.QtCore import QThread, QTimer
from PyQt5.QtWidgets import QApplication

from blocking_request import Feedback, NetworkAccessManager
from blocking_request.netlog import NetworkLog, NetworkMonitor


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        number = int(self.path.rpartition("/")[2].partition("?")[0])
        time.sleep(0.02 + number * 37 % 11 / 100)
        status = {3: 302, 7: 404}.get(number, 200)
        body = b'{"tile": %d, "access_token": "hunter2"}' % number
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "/tiles/20")
        self.end_headers()
        self.wfile.write(body[:10])
        time.sleep(number % 4 / 50)
        self.wfile.write(body[10:])

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Download(QThread):
    def __init__(self, urls: list, feedback: Feedback) -> None:
        super().__init__()
        self.urls, self.feedback = urls, feedback

    def run(self) -> None:
        for _ in manager.getMany(self.urls, maxPerOrigin=4, feedback=self.feedback):
            pass


app = QApplication(sys.argv)
server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
threading.Thread(target=server.serve_forever, daemon=True).start()

manager = NetworkAccessManager()
monitor = NetworkMonitor(NetworkLog(manager))
monitor.resize(860, 560)
monitor.show()

feedback = Feedback()
urls = [f"http://127.0.0.1:{server.server_port}/tiles/{number}?token=hunter2" for number in range(12)]
download = Download(urls, feedback)


def take_picture() -> None:
    monitor.selectEntry(monitor.log().entries()[3])
    monitor.grab().save(sys.argv[2])
    app.quit()


if sys.argv[1:2] == ["--picture"]:
    download.finished.connect(lambda: QTimer.singleShot(500, take_picture))  # the monitor collects calls for 0.1 s
download.start()
app.exec()
feedback.cancel()
download.wait()
print(monitor.log().count(), "calls")
