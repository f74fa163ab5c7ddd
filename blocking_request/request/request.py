"""BlockingNetworkRequest: call ``get()`` from any thread, get a response or a reason in bounded time."""

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
from ..qt.binding import QtCore, Signal
from ..reply import ReplyContent
from ..trace import Watcher
from .call_runner import CallRunner
from .options import RequestOptions
from .stream import Stream

if TYPE_CHECKING:
    from ..bodies.multipart import Encoded, Fields, Files


@public
class BlockingNetworkRequest(RequestOptions, QtCore.QObject):
    """A network request that blocks the calling thread, and only that, until it has a response or a reason.

    The calls (``get``, ``head``, ``post``, ``put``, ``patch``, ``deleteResource``, ``sendCustomRequest``) may come from
    any thread: the main one, a QThread, a ``threading.Thread``; the caller needs no event loop, and the program no
    application. Each returns an ``ErrorCode``; the rest is in ``reply()`` and ``errorMessage()``. An object may be used
    again and again, by one call at a time: a second one at the same time raises RuntimeError.

    All signals are emitted in the calling thread, from within the call: a slot of an object that lives there runs while
    the call waits, and may call ``abort()``. ``sys.excepthook`` is called with the exception of such a slot (by default
    it is printed), and the call goes on.

    Code written for QGIS's QgsBlockingNetworkRequest runs after changing the import.
    """

    ErrorCode = errors.ErrorCode
    NoError = errors.ErrorCode.NoError
    NetworkError = errors.ErrorCode.NetworkError
    TimeoutError = errors.ErrorCode.TimeoutError
    ServerExceptionError = errors.ErrorCode.ServerExceptionError
    CanceledError = errors.ErrorCode.CanceledError

    downloadProgress = Signal("qint64", "qint64")
    """Bytes of the response's body received, and how many there will be (-1: unknown)."""
    uploadProgress = Signal("qint64", "qint64")
    """Bytes of the request's body sent, and how many there are."""
    percentChanged = Signal(int)
    """Whole percent, 1 to 100, for the ``setValue`` of a QProgressBar, of a body whose length is known: the request's
    if that has more than 1 MiB, else the response's."""
    redirected = Signal(QtCore.QUrl)
    """Emitted before a redirect is followed: where to."""
    finished = Signal()
    """Emitted once for each call, as the last; ``reply()`` is there by then."""

    def __init__(self, manager: Optional[NetworkAccessManager] = None, parent: Optional[QtCore.QObject] = None) -> None:
        """``manager`` gives the settings; without one it is ``NetworkAccessManager.instance()``. Raises TypeError."""
        check_manager(manager)
        super().__init__(parent)
        self._manager = manager if manager is not None else NetworkAccessManager.instance()
        self._runner = CallRunner(self._manager)

    # -- the calls

    def get(
        self,
        request: RequestLike,
        forceRefresh: bool = False,
        feedback: Optional[FeedbackLike] = None,
        *,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> errors.ErrorCode:
        """GET a resource (RFC 9110 section 9.3.1) and block until it is there.

        ``request``: a QNetworkRequest (never modified; its headers and attributes are honoured), a QUrl or a str.
        ``forceRefresh``: neither our cache nor those on the way are to answer from what they keep.
        ``feedback``: cancels the call and hears of its progress; a Feedback or anything with ``isCanceled()``.
        ``headers``: header fields as a mapping or pairs, str or bytes. They replace those of the request; None omits a
        field that is sent by default. ``params``: parameters that are added to the query of the URL, as a mapping or
        pairs; a list gives a parameter several values, None leaves it out. ``timeout``: the idle timeout of this call
        in ms, before every other; 0 is none.

        From any thread. Returns NoError: a status below 400 and a complete body; ServerExceptionError: a status of 400
        or more; NetworkError: no usable answer, or a request that cannot be sent; TimeoutError: ``timeout()`` or
        ``deadline()`` has passed; CanceledError: ``abort()``, the feedback, or the application quits.
        Raises TypeError where an argument has the wrong type, RuntimeError where this object is busy with another call.
        """
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
        """HEAD: the headers a GET would give, without the body (RFC 9110 section 9.3.2). Otherwise as ``get``."""
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
        """POST a body (RFC 9110 section 9.3.3). It reaches the server at most once.

        ``data``: bytes-like, QByteArray, an open QIODevice or a binary file (read from where it stands, here, in the
        calling thread, as it is sent), an iterable of bytes (sent in chunks: not by Qt), or None for an empty body.
        Without a ``Content-Type`` of yours it is ``application/x-www-form-urlencoded``, as Qt has it.

        Or one of these, which bring their ``Content-Type`` along: ``form``, fields as a mapping or pairs, sent as an
        HTML form; with ``files`` as ``multipart/form-data`` (RFC 7578), each a path, bytes, a binary file, or
        ``(file name, one of these[, content type])``, read as it is sent; ``json``, a value (RFC 8259).

        Otherwise as ``get``; raises OSError where a file of ``files`` is not there.
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
        """PUT a body (RFC 9110 section 9.3.4), as in ``post``, without a default ``Content-Type``."""
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
        """PATCH with a body (RFC 5789), as in ``post``, without a default ``Content-Type``."""
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
        """DELETE a resource (RFC 9110 section 9.3.5). Otherwise as ``get``."""
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
        """OPTIONS: what may be done with a resource (RFC 9110 section 9.3.7). Otherwise as ``get``."""
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
        """Send any method, as it is spelled; only the common ones are put in capitals (RFC 9110 section 9.1).

        ``verb``: the method; where it is empty, the request's ``CustomVerbAttribute``. ``data``: as in ``post``; None
        sends no body. Otherwise as ``get``.
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
        """GET a resource into a file, in constant memory; ``reply()`` has everything but the body.

        ``path``: where to; in a folder the file gets the name that ``Content-Disposition`` gives it, or the URL. It is
        written beside the target and renamed when it is whole: after any failure the target is as it was. Or a
        QIODevice or binary file that is open for writing, which is written to in the calling thread.
        ``resume``: keep what has come of a download that broke off, as ``<target>.part``, and go on from there the next
        time, if the server still has the same (RFC 9110 section 14); for files only.
        ``checksum``: what the file must come to, as ``"sha256:..."`` in hexadecimal digits.
        ``overwrite``: whether a file that exists is replaced. None: a file that ``path`` names is replaced; if ``path``
        is a folder, a number is added to the name, as in ``name (1).zip``. True: it is replaced in both cases. False:
        it never is, and a file ``path`` that exists is a NetworkError. ``reply().filePath()`` is the file written.

        A status of 400 or more writes nothing, and its body is in ``reply()``. A file that cannot be written (no room,
        no permission) and a checksum that differs are NetworkErrors that say so. Otherwise as ``get``.
        Raises TypeError and ValueError for what is no path, file or checksum.
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
                raise ValueError("overwrite= is for the path of a file or folder, not for an open file or device")
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
        """Send, and iterate over the body as it comes, in the calling thread and in bounded memory::

            with request.stream(url) as chunks:
                for chunk in chunks:
                    ...

        The server is slowed down to the pace of the loop; leaving the block ends the request. On entering, status and
        headers are there, in ``chunks.reply()``. Whatever is not NoError raises a RequestError: on entering, or in the
        loop where the body breaks off. The object is busy until the block is left. The content coding is undone.
        Raises TypeError as ``get`` does.
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
        """End the call that is blocked on this object: it returns ``CanceledError`` within 50 ms.

        From any thread, and from within a slot. Does nothing where no call is blocked.
        """
        self._runner.cancel()

    def __repr__(self) -> str:
        state = "in a call" if self._runner.is_running else repr(self._runner.reply)
        return f"<BlockingNetworkRequest: {state}>"

    # -- the result

    def reply(self) -> ReplyContent:
        """What the last call came to; an empty reply before the first and during a call."""
        return self._runner.reply

    def errorMessage(self) -> str:
        """'' after NoError, else one sentence that names the URL, without its secrets."""
        return self._runner.reply.errorString()

    # -- how it is done

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
        """``encoded_body``: a body in place of ``data``, with its ``Content-Type``. Raises TypeError, ValueError."""
        arguments = call_arguments(headers, timeout)
        if params is not None:
            request = with_query(request, encoded_params(params))
        if encoded_body is not None:
            # Its boundary stands in the type.
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
    """Return a body for a form, files or JSON; None if there is neither. Raises TypeError, ValueError, OSError."""
    if form is None and files is None and json is None:
        return None
    with first_use:
        from ..bodies.multipart import encoded
    return encoded(data, form, files, json)


def add_watcher(request: BlockingNetworkRequest, watcher: Watcher) -> None:
    """Have a watcher told of each step of the request's calls, in the thread of the caller."""
    request._runner.watchers += (watcher,)


def send_into_sink(
    request: BlockingNetworkRequest, target: RequestLike, verb: str, data: Data, sink: Optional[BodySink]
) -> errors.ErrorCode:
    """Send any method, and have the body of the response go into a sink; None keeps it in memory."""
    return request._block(target, verb, data, False, None, sink=sink)
