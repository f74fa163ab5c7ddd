"""A Processing algorithm that downloads a file and can be cancelled.

Put it into the scripts folder of a QGIS profile and run it from the toolbox or by
``qgis_process run script:downloadwithfeedback``; or run this file with QGIS's Python: it then downloads from a server
of its own, once to the end and once cancelled half-way.
"""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterString,
)

from blocking_request import BlockingNetworkRequest


class DownloadAlgorithm(QgsProcessingAlgorithm):
    URL, OUTPUT = "URL", "OUTPUT"

    def name(self):
        return "downloadwithfeedback"

    def displayName(self):
        return "Download with feedback"

    def createInstance(self):
        return DownloadAlgorithm()

    def initAlgorithm(self, configuration=None):
        self.addParameter(QgsProcessingParameterString(self.URL, "URL"))
        self.addParameter(QgsProcessingParameterFileDestination(self.OUTPUT, "File"))

    def processAlgorithm(self, parameters, context, feedback):
        url = self.parameterAsString(parameters, self.URL, context)
        output = self.parameterAsFileOutput(parameters, self.OUTPUT, context)
        # The timeout, the proxy, the user agent and the certificates are those of QGIS.
        request = BlockingNetworkRequest()
        code = request.download(url, output, feedback=feedback)
        if code == BlockingNetworkRequest.CanceledError:
            return {}
        if code != BlockingNetworkRequest.NoError:
            raise QgsProcessingException(request.errorMessage())
        return {self.OUTPUT: output}


class SlowServer(BaseHTTPRequestHandler):
    """Sends ten pieces; under /slow they take two minutes."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        try:
            for _ in range(10):
                self.wfile.write(b"x" * 100)
                self.wfile.flush()
                if self.path == "/slow":
                    time.sleep(12)
        except OSError:
            pass  # cancelled

    def log_message(self, *_):
        pass


def main():
    application = QgsApplication([], False)
    application.initQgis()
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowServer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    with TemporaryDirectory() as folder:
        output = str(Path(folder) / "file")
        results, done = DownloadAlgorithm().run(
            {"URL": f"{base}/fast", "OUTPUT": output}, QgsProcessingContext(), QgsProcessingFeedback()
        )
        print("downloaded:", done, Path(results["OUTPUT"]).stat().st_size, "bytes")
        feedback = QgsProcessingFeedback()
        threading.Timer(0.3, feedback.cancel).start()
        started = time.monotonic()
        results, done = DownloadAlgorithm().run(
            {"URL": f"{base}/slow", "OUTPUT": output}, QgsProcessingContext(), feedback
        )
        print("cancelled:", feedback.isCanceled(), results, "at once" if time.monotonic() - started < 5 else "late")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
    # QGIS 3.22 may crash when the interpreter takes it down.
    import os

    os._exit(0)
