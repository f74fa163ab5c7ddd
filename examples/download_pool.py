"""Requests in a QThreadPool; the results come to an object of the main thread.

python3 examples/download_pool.py [URL] ...
"""

import sys

from PyQt5.QtCore import QCoreApplication, QObject, QRunnable, QThreadPool, pyqtSignal, pyqtSlot

from blocking_request import BlockingNetworkRequest, ReplyContent


class Results(QObject):
    arrived = pyqtSignal(object)

    def __init__(self, count: int) -> None:
        super().__init__()
        self.missing = count
        self.arrived.connect(self.show)

    @pyqtSlot(object)
    def show(self, reply: ReplyContent) -> None:
        print(reply.statusCode(), len(reply.body), "bytes", reply.errorString())
        self.missing -= 1
        if not self.missing:
            QCoreApplication.quit()


class Request(QRunnable):
    def __init__(self, url: str, results: Results) -> None:
        super().__init__()
        self.url, self.results = url, results

    def run(self) -> None:
        request = BlockingNetworkRequest()
        request.get(self.url)
        self.results.arrived.emit(request.reply())


app = QCoreApplication(sys.argv)
urls = sys.argv[1:] or ["http://httpbin.org/bytes/1000", "http://httpbin.org/bytes/2000"]
results = Results(len(urls))
for url in urls:
    QThreadPool.globalInstance().start(Request(url, results))
app.exec()
