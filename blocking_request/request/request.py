"""BlockingNetworkRequest: the class whose calls send a request and block until the response or an error is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Optional, Union

from .. import errors
from .._first_use import first_use
from .._names import public
from ..bodies.sink import BodySink, DeviceSink
from ..bodies.upload import Data, body_for, check_body
from ..feedback import FeedbackLike
from ..manager.manager import NetworkAccessManager, check_manager
from ..prepare.arguments import (
    NO_ARGUMENTS,
    CallArguments,
    HeadersLike,
    ParamsLike,
    call_arguments,
    encoded_params,
    with_query,
)
from ..prepare.request_attributes import RequestLike, check_options, check_request, verb_text
from ..prepare.settings import checked_switch
from ..qt.binding import QtCore, QtNetwork, Signal, check_binding, warn_of_other_binding
from ..reply import ReplyContent
from .call_runner import CallRunner
from .options import RequestFlag, RequestOptions, check_flags
from .stream import Stream

if TYPE_CHECKING:
    from ..bodies.multipart import Encoded, Fields, Files


@public
class BlockingNetworkRequest(RequestOptions, QtCore.QObject):
    """Sends HTTP requests and blocks the calling thread until the response or an error is there.

    The calls are ``get``, ``head``, ``post``, ``put``, ``patch``, ``deleteResource``, ``options``,
    ``sendCustomRequest``, ``download`` and ``stream``. They may come from any thread: the main thread, a QThread or a
    ``threading.Thread``. The thread needs no event loop, and the program needs no QCoreApplication. Only the calling
    thread is blocked.

    Each call but ``stream`` returns an ``ErrorCode``. Afterwards ``reply()`` has the response and ``errorMessage()``
    describes the error. An object can be used for many calls, one after the other. It raises RuntimeError if a call
    begins while another one runs: use one object for each thread.

    All signals are emitted in the calling thread, during the call. A slot of an object that lives in that thread runs
    while the call waits, and may call ``abort()``. If a slot raises an exception, ``sys.excepthook`` is called with it
    (by default it prints the exception), and the call continues.

    Code written for QGIS's QgsBlockingNetworkRequest runs after its import is changed.
    """

    ErrorCode = errors.ErrorCode
    NoError = errors.ErrorCode.NoError
    NetworkError = errors.ErrorCode.NetworkError
    TimeoutError = errors.ErrorCode.TimeoutError
    ServerExceptionError = errors.ErrorCode.ServerExceptionError
    CanceledError = errors.ErrorCode.CanceledError

    RequestFlag = RequestFlag
    RequestFlags = RequestFlag

    downloadProgress = Signal("qint64", "qint64")
    """Emitted with the bytes of the response's body received so far, and its size in bytes (-1 if it is unknown)."""
    uploadProgress = Signal("qint64", "qint64")
    """Emitted with the bytes of the request's body sent so far, and its size in bytes (-1 if it is unknown)."""
    percentChanged = Signal(int)
    """Emitted with the progress in whole percent, 1 to 100: connect it to the ``setValue`` of a QProgressBar.

    It reports the request's body if that has more than 1 MiB, else the response's body. It is not emitted if the size
    of that body is unknown.
    """
    socketStartedConnecting = Signal()
    """Emitted before a connection to the server or the proxy is made. A kept connection is used without this signal."""
    encrypted = Signal()
    """Emitted when the TLS handshake of a new connection is complete, and the certificate was accepted.

    ``reply()`` has the TLS session. On the ``python`` engine ``abort()`` in a slot ends the call before the request is
    sent. On ``qt`` the request may be on its way already: check a certificate by ``TlsSettings.pinnedFingerprints``.
    """
    requestSent = Signal()
    """Emitted when the header of a request was sent. Its body follows. A call may send several requests."""
    metaDataChanged = Signal()
    """Emitted when the header of a response was received. ``reply()`` has the status and the headers, and no body yet.

    Responses that redirect are reported, too. A response that the call replaces by another one is not: 401 and 407 if
    there are credentials, 304 if the cache has the body.
    """
    redirected = Signal(QtCore.QUrl)
    """Emitted before a redirect is followed, with the URL that is requested next.

    With ``UserVerifiedRedirectPolicy`` and without a redirect handler it asks whether to follow the redirect: see
    ``redirectAllowed``.
    """
    redirectAllowed = Signal()
    """Emit it in a slot of ``redirected`` to have the redirect followed, as in Qt.

    This concerns ``UserVerifiedRedirectPolicy`` if the manager has no redirect handler. Any thread may emit it before
    the slots of ``redirected`` have returned. A blocking call cannot wait for longer, as Qt does: if it was not emitted
    by then, the redirect is not followed, and the call returns NetworkError with ``InsecureRedirectError``. At other
    times the signal has no effect.
    """
    errorOccurred = Signal(QtNetwork.QNetworkReply.NetworkError)
    """Emitted with ``reply().error()`` before ``finished``, if that is an error. A status of 400 or more is one."""
    downloadFinished = Signal()
    """Emitted right before ``finished``. QGIS has this older name."""
    finished = Signal()
    """Emitted once for each call, after all other signals. ``reply()`` already has the response."""

    def __init__(self, manager: Optional[NetworkAccessManager] = None, parent: Optional[QtCore.QObject] = None) -> None:
        """Take the settings from a manager.

        - ``manager``: its settings, cookies, cache and credentials are used. None: ``NetworkAccessManager.instance()``.
        - ``parent``: the parent QObject, as in Qt.

        Raises TypeError if ``manager`` is not a NetworkAccessManager.
        """
        check_manager(manager)
        check_binding(parent, "parent")
        super().__init__(parent)
        warn_of_other_binding()
        self._manager = manager if manager is not None else NetworkAccessManager.instance()
        # A subclass that has its own connectNotify may not call the one below.
        has_own = type(self).connectNotify is not BlockingNetworkRequest.connectNotify
        self._runner = CallRunner(self._manager, has_slots=has_own)

    def connectNotify(self, signal: QtCore.QMetaMethod) -> None:
        """Note that a slot is connected: until then calls need not ask Qt for slots. Qt calls this, in any thread."""
        super().connectNotify(signal)
        runner: Optional[CallRunner] = getattr(self, "_runner", None)
        if runner is not None:
            runner.has_slots = True

    # -- the calls

    def get(
        self,
        request: RequestLike,
        forceRefresh: bool = False,
        feedback: Optional[FeedbackLike] = None,
        requestFlags: int = 0,
        *,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> errors.ErrorCode:
        """GET a resource (RFC 9110 section 9.3.1) and block until the response is complete. In any thread.

        Arguments:

        - ``request``: a QNetworkRequest, a QUrl or a str. It is never modified. The headers and attributes of a
          QNetworkRequest are honoured.
        - ``forceRefresh``: if True, bypass every cache, ours and those of intermediaries.
        - ``feedback``: a Feedback, a QgsFeedback, or any object with ``isCanceled()``. It can cancel the call, and the
          call reports its progress to it.
        - ``requestFlags``: a ``RequestFlag``, for code that was written for QGIS's class. It changes nothing.
        - ``headers``: header fields, as a mapping, as pairs of name and value, str or bytes, or as a QHttpHeaders. They
          replace the fields of the request that have the same name. The value None omits a field that is sent by
          default.
        - ``params``: parameters to add to the query of the URL, as a mapping or as pairs. A list gives a parameter
          several values; None omits the parameter.
        - ``timeout``: the idle timeout of this call in ms; 0 disables it. It takes precedence over ``setTimeout`` of
          this object and of the manager, and over the request's ``transferTimeout``.

        Returns one of these codes:

        - NoError: the status is below 400 and the body is complete.
        - ServerExceptionError: the status is 400 or more.
        - NetworkError: the request could not be sent, or no usable response came (DNS, connection, TLS, proxy,
          protocol, incomplete or corrupt body).
        - TimeoutError: the idle timeout or ``deadline()`` has passed.
        - CanceledError: ``abort()`` was called, the feedback was cancelled, or the application quits.

        Raises TypeError if an argument has the wrong type, ValueError if its value is not allowed, RuntimeError if this
        object runs another call.
        """
        check_flags(requestFlags)
        return self._send(request, "GET", None, forceRefresh, feedback, headers, params, timeout)

    def head(
        self,
        request: RequestLike,
        forceRefresh: bool = False,
        feedback: Optional[FeedbackLike] = None,
        *,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> errors.ErrorCode:
        """Send HEAD: get the headers that GET would get, without the body (RFC 9110 section 9.3.2).

        Arguments, codes and exceptions as in ``get``.
        """
        return self._send(request, "HEAD", None, forceRefresh, feedback, headers, params, timeout)

    def post(
        self,
        request: RequestLike,
        data: Data = None,
        forceRefresh: bool = False,
        feedback: Optional[FeedbackLike] = None,
        *,
        form: Optional[Fields] = None,
        files: Optional[Files] = None,
        json: Any = None,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> errors.ErrorCode:
        """POST a body (RFC 9110 section 9.3.3). It reaches the server at most once, unless ``setRetry`` allows more.

        Give the body in one of these arguments:

        - ``data``: a bytes-like object, a QByteArray, an open QIODevice, a binary file, an iterable of bytes, or None
          for an empty body. A device or file is read from its current position, in the calling thread, while it is
          sent. An iterable is sent with chunked transfer coding, by the ``python`` engine only. If neither the request
          nor ``headers`` has a ``Content-Type``, ``application/x-www-form-urlencoded`` is sent, as by Qt.
        - ``form``: fields as a mapping or pairs, sent as an HTML form (``application/x-www-form-urlencoded``).
        - ``files``, with or without ``form``: files as a mapping or pairs of field name and file, sent as
          ``multipart/form-data`` (RFC 7578). A file is a path, bytes, a binary file, or a tuple
          ``(file name, one of these[, content type])``. It is read while it is sent.
        - ``json``: a value, sent as JSON (RFC 8259, ``application/json``).

        Other arguments, codes and exceptions as in ``get``. Raises OSError if a path in ``files`` cannot be opened.
        """
        encoded_body = _encoded(data, form, files, json)
        return self._send(request, "POST", data, forceRefresh, feedback, headers, params, timeout, encoded_body)

    def put(
        self,
        request: RequestLike,
        data: Data = None,
        feedback: Optional[FeedbackLike] = None,
        *,
        form: Optional[Fields] = None,
        files: Optional[Files] = None,
        json: Any = None,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> errors.ErrorCode:
        """PUT a body (RFC 9110 section 9.3.4). As ``post``, but ``data`` gets no default ``Content-Type``."""
        encoded_body = _encoded(data, form, files, json)
        return self._send(request, "PUT", data, False, feedback, headers, params, timeout, encoded_body)

    def patch(
        self,
        request: RequestLike,
        data: Data = None,
        feedback: Optional[FeedbackLike] = None,
        *,
        form: Optional[Fields] = None,
        files: Optional[Files] = None,
        json: Any = None,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> errors.ErrorCode:
        """PATCH a resource with a body (RFC 5789). As ``post``, but ``data`` gets no default ``Content-Type``."""
        encoded_body = _encoded(data, form, files, json)
        return self._send(request, "PATCH", data, False, feedback, headers, params, timeout, encoded_body)

    def deleteResource(
        self,
        request: RequestLike,
        feedback: Optional[FeedbackLike] = None,
        *,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> errors.ErrorCode:
        """DELETE a resource (RFC 9110 section 9.3.5). Arguments, codes and exceptions as in ``get``."""
        return self._send(request, "DELETE", None, False, feedback, headers, params, timeout)

    delete = deleteResource

    def options(
        self,
        request: RequestLike,
        feedback: Optional[FeedbackLike] = None,
        *,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> errors.ErrorCode:
        """Send OPTIONS: ask which methods a resource allows (RFC 9110 section 9.3.7).

        Arguments, codes and exceptions as in ``get``.
        """
        return self._send(request, "OPTIONS", None, False, feedback, headers, params, timeout)

    def sendCustomRequest(
        self,
        request: RequestLike,
        verb: Union[bytes, str],
        data: Data = None,
        feedback: Optional[FeedbackLike] = None,
        *,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> errors.ErrorCode:
        """Send a request with any method (RFC 9110 section 9.1).

        - ``verb``: the method, str or bytes. Methods are case-sensitive; only the common ones (``get``) are converted
          to upper case. If it is empty, the request's ``CustomVerbAttribute`` is used.
        - ``data``: the body, as in ``post``; None sends no body.

        Other arguments, codes and exceptions as in ``get``.
        """
        verb = verb_text(verb)
        arguments = call_arguments(headers, timeout)
        return self._block(with_query(request, encoded_params(params)), verb, data, False, feedback, arguments)

    def download(
        self,
        request: RequestLike,
        path: Any,
        feedback: Optional[FeedbackLike] = None,
        resume: bool = False,
        checksum: Optional[str] = None,
        overwrite: Optional[bool] = None,
        *,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> errors.ErrorCode:
        """GET a resource into a file, in constant memory. ``reply()`` has everything but the body.

        - ``path``: the file to write, or a folder. In a folder, the file is named after ``Content-Disposition``, or
          else after the URL. The body is written to a temporary file beside the target, which is renamed when it is
          complete: after any failure the target is unchanged. ``path`` may also be a QIODevice or a binary file that
          is open for writing; it is written to in the calling thread.
        - ``resume``: if True, an interrupted download is kept as ``<target>.part``. The next call with ``resume``
          continues it if the resource on the server has not changed (RFC 9110 section 14). For a path only.
        - ``checksum``: the checksum that the file must have, as ``"sha256:..."`` in hexadecimal digits, with an
          algorithm of ``hashlib``.
        - ``overwrite``: whether an existing file is replaced. None: replace the file that ``path`` names; in a folder,
          add a number to the name, as in ``name (1).zip``. True: replace it in both cases. False: replace it in neither
          case; if ``path`` names an existing file, the call returns NetworkError.

        ``reply().filePath()`` is the file that was written. If the status is 400 or more, no file is written, and the
        body is in ``reply()``. Returns NetworkError if the file cannot be written (disk full, no permission) or the
        checksum differs; ``errorMessage()`` says which. Other arguments, codes and exceptions as in ``get``. Raises
        TypeError or ValueError if ``path``, ``checksum`` or ``overwrite`` is not valid.
        """
        with first_use:
            from ..bodies.checksum import Checksum
            from ..bodies.file_sink import FileSink, checked_overwrite
        digest = None if checksum is None else Checksum(checksum)
        sink: BodySink
        if isinstance(path, (str, os.PathLike)):
            sink = FileSink(path, checked_switch(resume, "resume"), digest, checked_overwrite(overwrite))
        else:
            if resume:
                raise ValueError("a download into an open file or device cannot be resumed: give its path")
            if overwrite is not None:
                raise ValueError("overwrite= needs the path of a file or folder, not an open file or device")
            sink = DeviceSink(path, digest)
        arguments = call_arguments(headers, timeout)
        request = with_query(request, encoded_params(params))
        return self._block(request, "GET", None, False, feedback, arguments, sink)

    def stream(
        self,
        request: RequestLike,
        feedback: Optional[FeedbackLike] = None,
        verb: Union[bytes, str] = "GET",
        data: Data = None,
        *,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> Stream:
        """Send a request and iterate over the response's body while it arrives, in bounded memory::

            with request.stream(url) as chunks:
                for chunk in chunks:
                    ...

        The request is sent when the block is entered. Inside it ``chunks.reply()`` has the status and the headers. The
        chunks are bytes, with the content coding (gzip) decoded. The body is read in the calling thread, so a slow loop
        slows the server down. Leaving the block ends the transfer. The object is busy until then.

        ``verb`` and ``data`` as in ``sendCustomRequest``, the other arguments as in ``get``. If the outcome is not
        NoError, a RequestError is raised: on entering the block, or in the loop if the body breaks off. Raises
        TypeError and ValueError as ``get`` does.
        """
        verb = verb_text(verb)
        arguments = call_arguments(headers, timeout)
        request = with_query(request, encoded_params(params))
        check_body(data)
        check_options(False, feedback)
        return Stream(
            request=self,
            runner=self._runner,
            target=request,
            data=body_for(verb, data),
            verb=verb,
            feedback=feedback,
            arguments=arguments,
        )

    def abort(self) -> None:
        """Cancel the call that this object runs: it returns ``CanceledError`` within 50 ms.

        May be called in any thread, and in a slot. Does nothing if no call runs.
        """
        self._runner.cancel()

    def __repr__(self) -> str:
        state = "in a call" if self._runner.is_running else repr(self._runner.reply)
        return f"<BlockingNetworkRequest: {state}>"

    # -- the result

    def reply(self) -> ReplyContent:
        """Return the response of the last call; an empty reply before the first call and during a call.

        In slots of ``encrypted`` and ``metaDataChanged``, and after them, it has the known part of the response.
        """
        return self._runner.reply

    def errorMessage(self) -> str:
        """Return one sentence that describes the error of the last call; '' after NoError.

        It names the URL without its user, password and the values of secret parameters.
        """
        return self._runner.reply.errorString()

    # -- implementation

    def _send(
        self,
        request: RequestLike,
        method: str,
        data: Data,
        force_refresh: bool,
        feedback: Optional[FeedbackLike],
        headers: HeadersLike,
        params: ParamsLike,
        timeout: Optional[int],
        encoded_body: Optional[Encoded] = None,
    ) -> errors.ErrorCode:
        """Send a request and block. ``encoded_body``: a body with its ``Content-Type``, which replaces ``data``.

        Raises TypeError, ValueError.
        """
        arguments = call_arguments(headers, timeout)
        if params is not None:
            request = with_query(request, encoded_params(params))
        if encoded_body is not None:
            # A multipart body cannot be parsed without the boundary, which is in this Content-Type: it replaces yours.
            is_multipart = encoded_body.content_type.startswith("multipart/")
            arguments = arguments.with_content_type(encoded_body.content_type, request, replaces=is_multipart)
            data = encoded_body.body
        return self._block(request, method, body_for(method, data), force_refresh, feedback, arguments)

    def _block(
        self,
        request: RequestLike,
        method: str,
        data: Data,
        force_refresh: bool,
        feedback: Optional[FeedbackLike],
        arguments: CallArguments = NO_ARGUMENTS,
        sink: Optional[BodySink] = None,
    ) -> errors.ErrorCode:
        check_request(request)
        check_body(data)
        check_options(force_refresh, feedback)
        return self._runner.call(self, request, method, data, bool(force_refresh), feedback, arguments, sink)


def _encoded(data: Any, form: Optional[Fields], files: Optional[Files], json: Any) -> Optional[Encoded]:
    """Return a body for a form, files or JSON; None if none is given. Raises TypeError, ValueError, OSError."""
    if form is None and files is None and json is None:
        return None
    with first_use:
        from ..bodies.multipart import encoded
    return encoded(data, form, files, json)


def send_into_sink(
    request: BlockingNetworkRequest,
    target: RequestLike,
    verb: str,
    data: Data,
    sink: Optional[BodySink],
    headers: HeadersLike = None,
    params: ParamsLike = None,
) -> errors.ErrorCode:
    """Send any method and write the response's body into a sink. If ``sink`` is None, keep the body in memory.

    ``headers``, ``params``: as in ``BlockingNetworkRequest.get``. Raises TypeError, ValueError.
    """
    arguments = call_arguments(headers, None)
    return request._block(with_query(target, encoded_params(params)), verb, data, False, None, arguments, sink)
