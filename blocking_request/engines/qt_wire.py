"""The Wire: does exchanges with a QNetworkAccessManager, in the thread of a worker.

Rules of this file:

* The Wire and all it makes live in the worker's thread, and every method runs there.
* Signals are connected in the worker's thread only, to methods of the Wire only, decorated if that can be. A plain
  function or lambda would be delivered in the thread that connected it.
* Every slot ends in ``except BaseException``: what leaves a slot ends the process on PyQt.
* Replies are known by their address, never by their wrapper: it may be a stale one for a new reply at the same place.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Optional

from .. import messages
from ..errors import QtNetworkError, network_failure
from ..exchange import IDEMPOTENT_METHODS, Answer, Progress
from ..qt import (
    QT_VERSION,
    QtCore,
    QtNetwork,
    Signal,
    Slot,
    address,
    delete_at_thread_end,
    give_to_cpp,
    unmonitor,
)
from ..tls import TlsError, sorted_errors
from ..trace import logger
from .body import DamagedBody, damaged
from .qt_answer import STATUS, body_reader, failed_without_a_reason, openssl_reason, read_answer, shows_certificate
from .qt_body import UploadDevice
from .qt_diagnosis import Diagnosis
from .qt_proxy import BufferedDirect, lookups, python_may_be_asked
from .qt_tls import NO_TLS, errors_of, own_certificate

if TYPE_CHECKING:
    from .qt_worker import QtFlight, Worker

READ_BUFFER_BYTES = 1 << 22
"""How far Qt may read ahead. Without a limit it holds a large body twice and stalls other threads for seconds."""

WATCH_MS = 10
"""How long an exchange goes unwatched. Most end sooner, and are spared a connection and two slots. Until then the body
of one that is not alone fills the read buffer at most: on a link faster than 3 Gbit/s it waits for its first look."""

PROGRESS_INTERVAL = 0.1
"""Seconds between two progress notices, as Qt has it."""


class Wire(QtCore.QObject):
    """Does exchanges with a manager of its own."""

    wake = Signal()
    """Emitted by other threads after they appended a job."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker
        self._flights: dict[int, QtFlight] = {}
        """By the address of the reply, which no other reply has while its flight stands here."""
        self._ignored: dict[str, tuple[TlsError, ...]] = {}
        """What was wrong with the certificates of kept connections, by origin."""
        self._diagnosed: set[QtFlight] = set()
        """Those that have failed, and nobody knows why as yet."""
        self._served = self._served_at_tick = 0
        self._manager = QtNetwork.QNetworkAccessManager()
        self._proxies = BufferedDirect()
        self._manager.setProxyFactory(self._proxies)
        self._manager.setAutoDeleteReplies(True)
        for qobject in (self, self._manager):
            give_to_cpp(qobject)
        self._keep_the_lock_rule()
        self._manager.finished.connect(self._finished)
        if worker.tls_key != NO_TLS:
            self._manager.encrypted.connect(self._encrypted)
            self._manager.sslErrors.connect(self._ssl_errors)
        self.wake.connect(self.drain, QtCore.Qt.ConnectionType.QueuedConnection)  # type: ignore[call-arg]
        self.startTimer(worker.engine.idle_ms)
        self._watch_timer = 0

    def _keep_the_lock_rule(self) -> None:
        """Prevent a freeze of the whole process (PyQt5 5.15).

        Symptom without it: one thread in ``~QNetworkReplyHttpImpl`` holds a Qt lock and waits for the GIL in
        ``sipQNetworkAccessManager::disconnectNotify``; another holds the GIL and waits for that lock in some
        ``connect``. Every reply on Qt 5 is the receiver of ``networkSessionConnected``, so every reply's end may do it.

        PyQt asks for the GIL only to find out whether Python overrides ``disconnectNotify``, and remembers a no for
        each object. This connection and its end make it ask now, while no Qt lock is held.
        """
        self._manager.finished.connect(self._finished)
        self._manager.finished.disconnect(self._finished)

    @Slot()
    def drain(self) -> None:
        jobs = self._worker.jobs
        while jobs:
            try:
                flight = jobs.popleft()
            except IndexError:
                return
            try:
                self._start_or_end(flight)
            except BaseException as error:
                self._failed(flight, error)

    def _start_or_end(self, flight: QtFlight) -> None:
        if flight.ended:
            return
        if not flight.aborted:
            self._start(flight)
        elif flight.reply is not None:
            self._end(flight, flight.reply)
        else:
            # Aborted before it was begun, or when it had failed.
            self._answer(flight, Answer(flight.exchange, failure=messages.canceled(), engine="qt"))

    def _end(self, flight: QtFlight, reply: QtNetwork.QNetworkReply) -> None:
        """Abort; ``finished`` comes from within. What has arrived is read first, because abort() throws it away."""
        flight.aborted = True
        self._leave_unchecked_connections(flight)
        self._consume(flight, reply)
        if not flight.ended:
            reply.abort()

    def _leave_unchecked_connections(self, flight: QtFlight) -> None:
        """Let nobody else come to what Qt makes of the connection of an exchange that is aborted.

        It finishes the handshake, tells nobody, and gives the connection to the next exchange (5.15, 6.11): one whose
        certificate was not compared with what is pinned.
        """
        settings = flight.exchange.tls
        if settings is not None and settings.pinnedFingerprints:
            self._worker.engine.retire(self._worker)

    def _start(self, flight: QtFlight) -> None:
        if python_may_be_asked():
            with lookups:
                reply = self._hand_over(flight)
        else:
            reply = self._hand_over(flight)
        assert reply is not None
        unmonitor(reply)
        if self._flights:
            # A flood before the first look would keep the others waiting; one that is alone can wait for the look.
            reply.setReadBufferSize(READ_BUFFER_BYTES)
        flight.reply = reply
        self._flights[address(reply)] = flight
        if self._watch_timer == 0:
            self._watch_timer = self.startTimer(WATCH_MS)

    def _hand_over(self, flight: QtFlight) -> Optional[QtNetwork.QNetworkReply]:
        exchange, request = flight.exchange, flight.request
        method, body = exchange.method, exchange.body
        if method == "GET" and body is None:
            return self._manager.get(request)
        if method == "HEAD" and body is None:
            # sendCustomRequest(b"HEAD") waits on Qt 5 for a body that does not come.
            return self._manager.head(request)
        if body is None and method in IDEMPOTENT_METHODS:
            return self._manager.sendCustomRequest(request, method.encode("ascii"))
        device = UploadDevice(body or b"", flight.mailbox)
        reply = self._manager.sendCustomRequest(request, method.encode("ascii"), device)
        device.setParent(reply)
        return reply

    @Slot()
    def _ready_read(self) -> None:
        flight = None
        try:
            reply = self.sender()
            assert isinstance(reply, QtNetwork.QNetworkReply)
            flight = self._flights.get(address(reply))
            if flight is not None:
                self._consume(flight, reply)
        except BaseException as error:
            self._failed(flight, error)

    def _consume(self, flight: QtFlight, reply: QtNetwork.QNetworkReply) -> None:
        """Take what has arrived out of Qt's buffer; a damaged body ends the exchange."""
        flight.mailbox.touch()
        try:
            reader = flight.reader
            if reader is None:
                flight.status = reply.attribute(STATUS)
                flight.headers = reply.rawHeaderPairs()
                reader = flight.reader = body_reader(reply, flight.status, flight.headers, flight.exchange.decode)
            if reply.bytesAvailable() > 0:
                reader.feed(reply.readAll())
        except DamagedBody as error:
            flight.failure = damaged(str(error))
            if not reply.isFinished():
                reply.abort()
            return
        if flight.mailbox.wants_progress:
            now = time.monotonic()
            if now >= flight.progress_due and not 300 <= (flight.status or 0) < 400:
                flight.progress_due = now + PROGRESS_INTERVAL
                flight.mailbox.report(Progress(False, reader.wire_bytes, reader.total_bytes))

    @Slot(QtNetwork.QNetworkReply)
    def _finished(self, reply: QtNetwork.QNetworkReply) -> None:
        flight = None
        try:
            flight = self._flights.get(address(reply))
            if flight is None or flight.ended:
                return
            self._consume(flight, reply)
            if not flight.tls_errors and flight.status is not None:
                flight.tls_errors = self._ignored.get(flight.origin, ())
            answer = read_answer(flight, reply)
            if answer.status is not None and answer.status < 200 and QT_VERSION < (6,):
                # The final answer may still come on this connection, and would be taken for that of the next request.
                self._worker.engine.retire(self._worker)
            if QT_VERSION < (6,) and failed_without_a_reason(flight, reply):
                self._look_into(flight, answer)
            else:
                self._answer(flight, answer)
        except BaseException as error:
            self._failed(flight, error)

    @Slot(QtNetwork.QNetworkReply)
    def _encrypted(self, reply: QtNetwork.QNetworkReply) -> None:
        """A connection stands, and nothing has been sent: Qt waits for this slot."""
        flight = None
        try:
            flight = self._flights.get(address(reply))
            if flight is None:
                return
            if not flight.tls_errors:
                self._ignored.pop(flight.origin, None)
            settings = flight.exchange.tls
            if settings is None or not settings.pinnedFingerprints:
                return
            certificate = own_certificate(reply.sslConfiguration())
            if not settings.pins(certificate):
                self._leave_unchecked_connections(flight)
                flight.failure = messages.fingerprint_refused(certificate)
                reply.abort()
        except BaseException as error:
            self._failed(flight, error)

    # Not decorated: where the bindings of QGIS are loaded, PyQt5 takes no slot for its list of errors.
    def _ssl_errors(self, reply: QtNetwork.QNetworkReply, errors: list[QtNetwork.QSslError]) -> None:
        flight = None
        try:
            flight = self._flights.get(address(reply))
            if flight is None:
                return
            host = flight.request.peerVerifyName() or flight.request.url().host()
            found = errors_of(errors, reply.sslConfiguration(), host)
            flight.tls_errors = sorted_errors(error for _, error in found)
            settings = flight.exchange.tls
            if settings is not None and settings.ignores(flight.tls_errors):
                self._ignored[flight.origin] = flight.tls_errors
                reply.ignoreSslErrors([error for error, _ in found])
        except BaseException as error:
            self._failed(flight, error)

    def _look_into(self, flight: QtFlight, answer: Answer) -> None:
        """Answer when it is known why the handshake failed."""
        self._forget(flight)
        self._diagnosed.add(flight)

        def tell(reason: str) -> None:
            failure = messages.handshake_failed(openssl_reason(reason), shows_certificate(flight.exchange))
            self._answer(flight, answer._replace(failure=failure))

        Diagnosis(self, flight.request, tell)

    def _failed(self, flight: Optional[QtFlight], error: BaseException) -> None:
        """An error of ours: the caller hears of it like of any other."""
        logger.error("an exchange failed in the network thread", exc_info=error)
        if flight is not None:
            reply = flight.reply
            failure = network_failure(QtNetworkError.UnknownNetworkError, f"Internal error: {error!r}")
            self._answer(flight, Answer(flight.exchange, failure=failure, engine="qt"))
            if reply is not None:
                # It must not go on: what failed may have been the look at a certificate.
                self._leave_unchecked_connections(flight)
                reply.abort()

    def _forget(self, flight: QtFlight) -> None:
        """The reply will be deleted, and another may come to stand at its place."""
        if flight.reply is not None:
            self._flights.pop(address(flight.reply), None)
            flight.reply = None

    def _answer(self, flight: QtFlight, answer: Answer) -> None:
        """End a flight, once."""
        if flight.ended:
            return
        flight.ended = True
        self._forget(flight)
        self._diagnosed.discard(flight)
        self._served += 1
        last = self._worker.engine.release(self._worker, flight.origin)
        if last:
            self._end_thread()
        # The last act: the caller wakes at once and wants the GIL.
        flight.mailbox.post(answer)

    def timerEvent(self, event: Optional[QtCore.QTimerEvent]) -> None:
        try:
            if event is not None and event.timerId() == self._watch_timer:
                self._watch()
            else:
                self._end_if_idle()
        except BaseException:
            logger.exception("a timer of a network thread failed")

    def _watch(self) -> None:
        """From now on hear of every byte of what has been under way since the last tick or longer."""
        if not self._flights:
            self.killTimer(self._watch_timer)
            self._watch_timer = 0
        for flight in list(self._flights.values()):
            reply = flight.reply
            if reply is None or flight.watched:
                continue
            flight.watched = True
            reply.setReadBufferSize(READ_BUFFER_BYTES)
            reply.readyRead.connect(self._ready_read)
            if reply.bytesAvailable() > 0:
                self._consume(flight, reply)

    def _end_if_idle(self) -> None:
        """End a worker that has served nothing since the last tick."""
        idle = self._served == self._served_at_tick
        self._served_at_tick = self._served
        if idle and self._worker.engine.retire_if_idle(self._worker):
            self._end_thread()

    def _end_thread(self) -> None:
        thread = self._worker.thread
        if thread is not None:
            thread.quit()

    def close(self) -> None:
        """Cancel what is in flight and delete what lives here. A quitting loop emits no ``finished`` by itself."""
        for flight in list(self._flights.values()):
            try:
                if flight.reply is not None:
                    self._end(flight, flight.reply)
            except BaseException as error:
                self._failed(flight, error)
            self._answer(flight, Answer(flight.exchange, failure=messages.canceled(), engine="qt"))
        for flight in list(self._diagnosed):
            self._answer(flight, Answer(flight.exchange, failure=messages.canceled(), engine="qt"))
        delete_at_thread_end(self._manager)
        delete_at_thread_end(self)
