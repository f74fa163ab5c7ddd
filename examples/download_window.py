"""A window with a progress bar and a cancel button; the download runs in a QThread.

python3 examples/download_window.py [URL of something large] [FILE]
"""

import sys

from PyQt5.QtCore import QThread
from PyQt5.QtWidgets import QApplication, QProgressBar, QPushButton, QVBoxLayout, QWidget

from blocking_request import BlockingNetworkRequest, ErrorCode, Feedback


class Download(QThread):
    def __init__(self, url: str, path: str, feedback: Feedback) -> None:
        super().__init__()
        self.url, self.path, self.feedback = url, path, feedback

    def run(self) -> None:
        request = BlockingNetworkRequest()
        code = request.download(self.url, self.path, feedback=self.feedback)
        self.message = f"{self.path} is complete" if code == ErrorCode.NoError else request.errorMessage()


class Window(QWidget):
    def __init__(self, url: str, path: str) -> None:
        super().__init__()
        bar, button = QProgressBar(), QPushButton("Cancel")
        layout = QVBoxLayout(self)
        layout.addWidget(bar)
        layout.addWidget(button)

        self.feedback = Feedback()
        self.feedback.percentChanged.connect(bar.setValue)
        button.clicked.connect(self.feedback.cancel)

        self.download = Download(url, path, self.feedback)
        self.download.finished.connect(self.close)
        self.download.start()

    def closeEvent(self, event) -> None:
        self.feedback.cancel()
        self.download.wait()  # it has ended within 50 ms
        event.accept()


app = QApplication(sys.argv)
url = sys.argv[1] if len(sys.argv) > 1 else "http://httpbin.org/drip?duration=5&numbytes=100"
window = Window(url, sys.argv[2] if len(sys.argv) > 2 else "download.bin")
window.show()
app.exec()
print(window.download.message)
