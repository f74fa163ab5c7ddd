"""pystac-client over Qt: a catalogue's collections, and a search.

python3 examples/stac_catalog.py URL
"""

import sys

from PyQt5.QtCore import QCoreApplication
from pystac_client import Client

from blocking_request import route_requests

app = QCoreApplication(sys.argv)

with route_requests():
    client = Client.open(sys.argv[1])
    print(client.title, [collection.id for collection in client.get_collections()])
    search = client.search(collections=["images"], max_items=10)
    print([item.id for item in search.items()])
