"""The Dispatcher performs requests with a QNetworkAccessManager, in the thread of a worker.

Rules of this file:

* The Dispatcher and all objects that it creates live in the worker's thread. Every method runs there.
* Signals are connected in the worker's thread, to methods of the Dispatcher, decorated as slots if possible. Qt calls a
  plain function or a lambda in the thread that connected it.
* Every slot ends in ``except BaseException``, because PyQt ends the process if an exception leaves a slot.
* A reply is identified by its address, and not by its Python wrapper: an old wrapper may stand for a new reply at the
  same address.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Optional

from ...models import error_texts as messages
from ...models.failure import Failure, QtNetworkError, network_failure
from ...models.http_messages import Response
from ...models.proxy import Proxy
from ...models.tls import TlsError, ignores_errors, matches_pins, sorted_errors
from ...proxies.system import lookups, python_may_be_asked
from ...qt.binding import QT_VERSION, QUEUED_CONNECTION, QtCore, QtNetwork, Signal, Slot, address
from ...qt.objects import delete_at_thread_end, disconnect_destroyed, release_ownership
from ...tls.qt_configuration import NO_TLS, errors_of, peer_certificate
from ...trace import logger
from .manager import Manager
from .ntlm import ROUNDS, answer_login, endless_login
from .pre_shared_keys import give_key, is_proved_by_key
from .proxy_probe import ProxyProbe, may_be_proxy_failure
from .reading import read_available
from .response import (
    handshake_failed_without_reason,
    leaves_connection_in_doubt,
    openssl_reason,
    read_response,
    small_response,
    with_handshake_reason,
)
from .send import send
from .tls_probe import TlsProbe
from .transfer_tracer import TransferTracer, is_reused

if TYPE_CHECKING:
    from .worker import QtTransfer, Worker

READ_BUFFER_BYTES = 1 << 22
"""How many bytes Qt may read ahead. Without a limit, Qt holds a large body twice and stalls other threads for
seconds."""

_NEVER = float("inf")

WATCH_MS = 5
"""The interval of the watch timer. ``readyRead`` of a reply is connected at its second tick, so after 5 to 10 ms.

Most requests end before that, and then need no connection of signals. Until then a reply may buffer at most
``READ_BUFFER_BYTES``. Two kinds of replies have no limit at first, because each limit costs an event in Qt's own
thread: a reply that is alone, and one of many quick requests. A quick one gets the limit at the first tick if it holds
many bytes."""


_LONGEST_TIMER_MS = (1 << 31) - 1


class Dispatcher(QtCore.QObject):
    """Performs requests with a QNetworkAccessManager of its own."""

    wake = Signal()
    """Emitted by other threads after they appended a job."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker
        self._transfers: dict[int, QtTransfer] = {}
        """The transfers under way, by the address of their replies."""
        self._ignored: dict[str, tuple[TlsError, ...]] = {}
        """The certificate errors that were ignored on the kept connections, by origin."""
        self._probed: set[QtTransfer] = set()
        """Failed transfers for which a TlsProbe or ProxyProbe still looks for the reason."""
        self._served = self._served_at_tick = 0
        self._tracer: Optional[TransferTracer] = None
        release_ownership(self)
        self._manager_holder = Manager(worker.key)
        manager: QtNetwork.QNetworkAccessManager = self._manager_holder.qnam
        self._manager = manager
        self._manager_holder.keep_the_lock_rule(self._finished)
        self._manager_holder.finished.connect(self._finished)
        if worker.key.tls != NO_TLS:
            manager.encrypted.connect(self._encrypted)
            manager.sslErrors.connect(self._ssl_errors)
            if worker.key.tls[2] is not None:
                manager.preSharedKeyAuthenticationRequired.connect(self._key_wanted)
        if worker.key.connection_credentials is not None:
            manager.authenticationRequired.connect(self._login_wanted)
        self.wake.connect(self.drain, QUEUED_CONNECTION)  # type: ignore[call-arg]
        # A worker must not end before its connections.
        kept_ms = 1000 * (worker.key.connection.idle_seconds or 0)
        self.startTimer(min(max(worker.engine.idle_ms, kept_ms), _LONGEST_TIMER_MS))
        self._watch_timer = 0

    @Slot()
    def drain(self) -> None:
        worker = self._worker
        try:
            pause = worker.pause
            if pause is not None:
                pause.stand_still()  # another thread is about to fork: no lock may be held until it has
        except BaseException:
            logger.exception("a network thread could not wait for a fork")
        worker.stuck_at = _NEVER  # it looks at its jobs now, so it is not stuck
        jobs = worker.jobs
        while jobs:
            try:
                transfer = jobs.popleft()
            except IndexError:
                return
            try:
                self._start_or_end(transfer)
            except BaseException as error:
                self._failed(transfer, error)

    def _start_or_end(self, transfer: QtTransfer) -> None:
        if transfer.ended or transfer.worker is not self._worker:
            return
        if not transfer.aborted and transfer.reply is not None:
            # It is under way: the caller has added data to the upload, made room for the body, or resized its buffer.
            if transfer.request.streams and not transfer.needs_limit:
                self._limit_buffer(transfer, transfer.reply, is_encrypted=True)
            if transfer.device is not None:
                transfer.device.readyRead.emit()
            if transfer.reader is not None:
                read_available(transfer, transfer.reply)
        elif not transfer.aborted:
            self._start(transfer)
        elif transfer.reply is not None:
            self._end(transfer, transfer.reply)
        else:
            # The transfer was aborted before it began, or after it had failed.
            self._post_response(transfer, Response(transfer.request, failure=messages.canceled(), engine="qt"))

    def _end(self, transfer: QtTransfer, reply: QtNetwork.QNetworkReply) -> None:
        """Abort a transfer. The bytes that have arrived are read first, because ``QNetworkReply.abort`` drops them.

        Qt emits ``finished`` within ``abort``.
        """
        transfer.aborted = True
        self._leave_unchecked_connections(transfer)
        read_available(transfer, reply)
        if not transfer.ended:
            reply.abort()

    def _leave_unchecked_connections(self, transfer: QtTransfer) -> None:
        """Retire the worker of an aborted request with a pinned certificate: no other request may get its connection.

        Qt finishes the handshake without a signal and gives the connection to the next request (5.15, 6.11), although
        its certificate was not compared with the pinned one.
        """
        settings = transfer.request.tls
        if settings is not None and settings.pinnedFingerprints:
            self._worker.engine.retire(self._worker)

    def _start(self, transfer: QtTransfer) -> None:
        transfer.is_taken = True
        if python_may_be_asked():
            self._worker.asks_for_proxy = True
            try:
                with lookups:
                    reply = self._send(transfer)
            finally:
                self._worker.asks_for_proxy = False
        else:
            reply = self._send(transfer)
        assert reply is not None
        disconnect_destroyed(reply)
        if transfer.request.streams:
            transfer.watched = True
            self._limit_buffer(transfer, reply)
            reply.metaDataChanged.connect(self._ready_read)
            reply.readyRead.connect(self._ready_read)
        elif self._transfers and not transfer.is_quick:
            # Without a limit, a flood of bytes before the watch begins would hold up the other transfers.
            self._limit_buffer(transfer, reply)
        transfer.reply = reply
        self._transfers[address(reply)] = transfer
        if self._watch_timer == 0:
            self._watch_timer = self.startTimer(WATCH_MS)

    def _limit_buffer(self, transfer: QtTransfer, reply: QtNetwork.QNetworkReply, is_encrypted: bool = False) -> None:
        """Limit how many bytes Qt reads ahead.

        If a server wants a pre-shared key, Qt 5.15 crashes if the limit changes before the connection is encrypted: it
        reads from the connection then. So the limit of such a request is set when the first bytes have come.
        """
        transfer.needs_limit = transfer.request.pre_shared_key is not None and not is_encrypted
        if not transfer.needs_limit:
            size = transfer.mailbox.engine_buffer if transfer.request.streams else READ_BUFFER_BYTES
            if reply.readBufferSize() != size:
                reply.setReadBufferSize(size)

    def _send(self, transfer: QtTransfer) -> Optional[QtNetwork.QNetworkReply]:
        reply = send(self._manager, transfer)
        if transfer.request.connection_credentials is not None and QT_VERSION >= (6,) and reply is not None:
            reply.requestSent.connect(self._request_sent)  # type: ignore[attr-defined]
        if (transfer.mailbox.wants_trace or transfer.mailbox.wanted_steps) and reply is not None:
            if self._tracer is None:
                self._tracer = TransferTracer(self, self._transfers)
            self._tracer.follow(reply)
        return reply

    @Slot()
    def _request_sent(self) -> None:
        transfer = None
        try:
            reply = self.sender()
            assert isinstance(reply, QtNetwork.QNetworkReply)
            transfer = self._transfers.get(address(reply))
            if transfer is not None:
                transfer.sent += 1
                if transfer.sent > ROUNDS:
                    transfer.failure = endless_login(transfer.request)
                    reply.abort()
        except BaseException as error:
            self._failed(transfer, error)

    @Slot("QNetworkReply*", "QAuthenticator*")
    def _login_wanted(self, reply: QtNetwork.QNetworkReply, authenticator: QtNetwork.QAuthenticator) -> None:
        transfer = None
        try:
            transfer = self._transfers.get(address(reply))
            if transfer is not None:
                answer_login(transfer, authenticator)
        except BaseException as error:
            self._failed(transfer, error)

    @Slot()
    def _ready_read(self) -> None:
        transfer = None
        try:
            reply = self.sender()
            assert isinstance(reply, QtNetwork.QNetworkReply)
            transfer = self._transfers.get(address(reply))
            if transfer is not None:
                if transfer.needs_limit:
                    self._limit_buffer(transfer, reply, is_encrypted=True)
                read_available(transfer, reply)
        except BaseException as error:
            self._failed(transfer, error)

    @Slot(QtNetwork.QNetworkReply)
    def _finished(self, reply: QtNetwork.QNetworkReply) -> None:
        transfer = None
        try:
            transfer = self._transfers.get(address(reply))
            if transfer is None or transfer.ended:
                return
            whole = small_response(transfer, reply)
            if whole is not None:
                self._post_response(transfer, whole)
                return
            read_available(transfer, reply)
            if not transfer.tls_errors and transfer.status is not None:
                transfer.tls_errors = self._ignored.get(transfer.origin, ())
            response = read_response(transfer, reply)
            if leaves_connection_in_doubt(response):
                self._worker.engine.retire(self._worker)
            if QT_VERSION < (6,) and response.status is None and handshake_failed_without_reason(transfer, reply):
                self._probe_tls(transfer, response)
            elif response.status is None and transfer.proxy is not None and may_be_proxy_failure(transfer, reply):
                self._probe_proxy(transfer, response, transfer.proxy)
            else:
                self._post_response(transfer, response)
        except BaseException as error:
            self._failed(transfer, error)

    @Slot(QtNetwork.QNetworkReply)
    def _encrypted(self, reply: QtNetwork.QNetworkReply) -> None:
        """Check the pinned certificate. Qt sends nothing over a new connection until this slot returns."""
        transfer = None
        try:
            transfer = self._transfers.get(address(reply))
            if transfer is None:
                return
            if not transfer.tls_errors:
                self._ignored.pop(transfer.origin, None)
            settings = transfer.request.tls
            if settings is None or not settings.pinnedFingerprints:
                return
            certificate = peer_certificate(reply.sslConfiguration())
            if not matches_pins(settings, certificate):
                self._leave_unchecked_connections(transfer)
                transfer.failure = messages.fingerprint_refused(certificate)
                reply.abort()
        except BaseException as error:
            self._failed(transfer, error)

    # Not decorated: if the bindings of QGIS are loaded, PyQt5 cannot declare a slot that takes a list of QSslError.
    def _ssl_errors(self, reply: QtNetwork.QNetworkReply, errors: list[QtNetwork.QSslError]) -> None:
        transfer = None
        try:
            transfer = self._transfers.get(address(reply))
            if transfer is None:
                return
            if is_proved_by_key(transfer, reply.sslConfiguration(), errors):
                reply.ignoreSslErrors(errors)
                return
            host = transfer.qt_request.peerVerifyName() or transfer.qt_request.url().host()
            error_pairs = errors_of(errors, reply.sslConfiguration(), host)
            transfer.tls_errors = sorted_errors(error for _, error in error_pairs)
            settings = transfer.request.tls
            if settings is not None and ignores_errors(settings, transfer.tls_errors):
                self._ignored[transfer.origin] = transfer.tls_errors
                reply.ignoreSslErrors([error for error, _ in error_pairs])
        except BaseException as error:
            self._failed(transfer, error)

    @Slot("QNetworkReply*", "QSslPreSharedKeyAuthenticator*")
    def _key_wanted(
        self, reply: QtNetwork.QNetworkReply, authenticator: QtNetwork.QSslPreSharedKeyAuthenticator
    ) -> None:
        transfer = None
        try:
            transfer = self._transfers.get(address(reply))
            if transfer is not None:
                give_key(transfer, authenticator)
        except BaseException as error:
            self._failed(transfer, error)

    def _probe_tls(self, transfer: QtTransfer, response: Response) -> None:
        """Find out why the handshake failed, and then post the response."""
        self._forget(transfer)
        self._probed.add(transfer)

        def tell(reason: str) -> None:
            self._post_response(transfer, with_handshake_reason(transfer, response, openssl_reason(reason)))

        TlsProbe(self, transfer.qt_request, transfer.proxy, tell, partial(give_key, transfer))

    def _probe_proxy(self, transfer: QtTransfer, response: Response, proxy: Proxy) -> None:
        """Find out whether the proxy or the server has failed, and then post the response."""
        self._forget(transfer)
        self._probed.add(transfer)

        def tell(failure: Optional[Failure]) -> None:
            self._post_response(transfer, response if failure is None else response._replace(failure=failure))

        ProxyProbe(self, proxy, tell)

    def _failed(self, transfer: Optional[QtTransfer], error: BaseException) -> None:
        """Report an error in our own code to the caller as a failure."""
        logger.error("a request failed in the network thread", exc_info=error)
        if transfer is not None:
            reply = transfer.reply
            failure = network_failure(QtNetworkError.UnknownNetworkError, f"Internal error: {error!r}")
            self._post_response(transfer, Response(transfer.request, failure=failure, engine="qt"))
            if reply is not None:
                # The reply must not go on, because the check of a certificate may have failed.
                self._leave_unchecked_connections(transfer)
                reply.abort()

    def _forget(self, transfer: QtTransfer) -> None:
        """Forget the reply: it will be deleted, and a new reply may get the same address."""
        if transfer.reply is not None:
            self._transfers.pop(address(transfer.reply), None)
            transfer.reply = None

    def _post_response(self, transfer: QtTransfer, response: Response) -> None:
        """End a transfer, and give its response to the caller. A second call does nothing."""
        if transfer.ended:
            return
        transfer.ended = True
        trace = transfer.trace
        trace.ended = time.monotonic()
        if transfer.mailbox.wants_trace and response.status is not None:
            trace.is_reused = is_reused(trace, response.request.url.startswith("https:"))
        if response.trace is None and transfer.is_taken:
            response = response._replace(trace=trace)
        self._forget(transfer)
        self._probed.discard(transfer)
        self._served += 1
        last = self._worker.engine.release(self._worker, transfer.origin)
        if last:
            self._end_thread()
        # This comes last, because the caller wakes at once and takes the GIL.
        transfer.mailbox.post(response)

    def timerEvent(self, event: Optional[QtCore.QTimerEvent]) -> None:
        try:
            if event is not None and event.timerId() == self._watch_timer:
                self._watch()
            else:
                self._end_if_idle()
        except BaseException:
            logger.exception("a timer of a network thread failed")

    def _watch(self) -> None:
        """Connect ``readyRead`` of the transfers that were under way at the last tick already."""
        if not self._transfers:
            self.killTimer(self._watch_timer)
            self._watch_timer = 0
        for transfer in list(self._transfers.values()):
            reply = transfer.reply
            if reply is None or transfer.watched:
                continue
            if not transfer.is_slow:
                transfer.is_slow = True
                if transfer.is_quick and reply.bytesAvailable() > READ_BUFFER_BYTES // 4:
                    reply.setReadBufferSize(READ_BUFFER_BYTES)
                continue
            transfer.watched = True
            self._limit_buffer(transfer, reply)
            reply.readyRead.connect(self._ready_read)
            if reply.bytesAvailable() > 0:
                read_available(transfer, reply)

    def _end_if_idle(self) -> None:
        """End a worker that has served no request since the idle timer last fired."""
        idle = self._served == self._served_at_tick
        self._served_at_tick = self._served
        if idle and self._worker.engine.retire_if_idle(self._worker):
            self._end_thread()

    def _end_thread(self) -> None:
        thread = self._worker.thread
        if thread is not None:
            thread.quit()

    def close(self) -> None:
        """Cancel what is under way and delete what lives here. A quitting loop emits no ``finished`` by itself."""
        for transfer in list(self._transfers.values()):
            try:
                if transfer.reply is not None:
                    self._end(transfer, transfer.reply)
            except BaseException as error:
                self._failed(transfer, error)
            self._post_response(transfer, Response(transfer.request, failure=messages.canceled(), engine="qt"))
        for transfer in list(self._probed):
            self._post_response(transfer, Response(transfer.request, failure=messages.canceled(), engine="qt"))
        self._manager_holder.delete()
        delete_at_thread_end(self)
