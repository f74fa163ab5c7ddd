"""A download in a background thread, with a progress bar's signal and a button that cancels it.

The window stays alive: the thread blocks, the main thread's event loop runs.

python3 examples/background_thread.py [URL of something large]
"""

import sys

from PyQt5.QtCore import QCoreApplication, QThread, QTimer

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback


class Download(QThread):
    def __init__(self, url: str, feedback: Feedback) -> None:
        super().__init__()
        self.url, self.feedback = url, feedback

    def run(self) -> None:
        request = BlockingNetworkRequest()
        code = request.get(self.url, feedback=self.feedback)
        self.message = "complete" if code == ErrorCode.NoError else request.errorMessage()


app = QCoreApplication(sys.argv)
feedback = Feedback()
feedback.percentChanged.connect(lambda percent: print(f"{percent} %"))  # a progress bar: bar.setValue

download = Download(sys.argv[1] if len(sys.argv) > 1 else "http://httpbin.org/drip?duration=30", feedback)
download.finished.connect(app.quit)
download.start()
QTimer.singleShot(500, feedback.cancel)  # the cancel button: button.clicked.connect(feedback.cancel)
app.exec()
print(download.message)
