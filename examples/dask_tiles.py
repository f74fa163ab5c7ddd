"""Fetch the tiles of a map on many processes, or machines.

python3 examples/dask_tiles.py [URL with {z}, {x} and {y}] [ZOOM]
"""

import os
import sys

from dask.distributed import Client, LocalCluster

from blocking_request import BatchResult, ErrorCode, NetworkAccessManager, PortableSettings

PART = 32


def fetch(settings: PortableSettings, urls: list[str]) -> tuple[int, list[BatchResult]]:
    """In a worker: the same batch, over connections of its own."""
    return os.getpid(), list(settings.manager().getMany(urls))


def main(template: str, zoom: int) -> None:
    manager = NetworkAccessManager()
    manager.setUserAgent("dask-tiles/1.0")
    manager.cookieJar().setCookie(template.format(z=0, x=0, y=0), "style", "dark")

    urls = [template.format(z=zoom, x=x, y=y) for x in range(2**zoom) for y in range(2**zoom)]
    parts = [urls[start : start + PART] for start in range(0, len(urls), PART)]
    # Two processes here; Client("tcp://scheduler:8786") for those of a cluster.
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        settings = manager.portableSettings()
        results = client.gather(client.map(fetch, [settings] * len(parts), parts))

    replies = [reply for _, part in results for _, code, reply in part if code == ErrorCode.NoError]
    print(f"{len(replies)} of {len(urls)} tiles, {sum(len(reply.body) for reply in replies)} bytes")
    print(f"by {len({process for process, _ in results})} processes")


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
    main(url, int(sys.argv[2]) if len(sys.argv) > 2 else 3)
