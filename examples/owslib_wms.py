"""OWSLib, which makes its own requests, over Qt: a WMS's capabilities and a map.

python3 examples/owslib_wms.py URL
"""

import sys

from owslib.wms import WebMapService
from PyQt5.QtCore import QCoreApplication

from blocking_request import route_requests

app = QCoreApplication(sys.argv)

with route_requests():
    wms = WebMapService(sys.argv[1], version="1.3.0", timeout=30)
    print(wms.identification.title, sorted(wms.contents))
    image = wms.getmap(
        layers=["roads"], srs="EPSG:4326", bbox=(-10, -10, 10, 10), size=(64, 64), format="image/png", transparent=True
    )
    print(len(image.read()), "bytes of", image.info()["Content-Type"])
