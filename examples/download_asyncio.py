"""Requests from coroutines: with asyncio's own loop, or with qasync's, in which Qt's events are served, too.

python3 examples/download_asyncio.py [URL] ...
"""

import asyncio
import sys

from PyQt5.QtCore import QCoreApplication

from blocking_request import BlockingNetworkRequest, Feedback, ReplyContent

try:
    from qasync import QEventLoop
except ImportError:
    QEventLoop = None


async def get(url: str) -> ReplyContent:
    request, feedback = BlockingNetworkRequest(), Feedback()
    try:
        await asyncio.to_thread(request.get, url, feedback=feedback)
    except asyncio.CancelledError:
        feedback.cancel()  # the thread is done within 50 ms
        raise
    return request.reply()


async def main(urls: list) -> None:
    for reply in await asyncio.gather(*map(get, urls)):
        print(reply.statusCode(), len(reply.body), "bytes", reply.errorString())
    try:
        await asyncio.wait_for(get(urls[0]), 0)
    except asyncio.TimeoutError:
        print("cancelled")


app = QCoreApplication(sys.argv)
loop = asyncio.new_event_loop() if QEventLoop is None else QEventLoop(app)
asyncio.set_event_loop(loop)
try:
    loop.run_until_complete(main(sys.argv[1:] or ["http://httpbin.org/bytes/1000", "http://httpbin.org/bytes/2000"]))
finally:
    loop.close()
