"""The calls of a manager that send many requests at once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Optional, Union

from .._first_use import first_use
from ..prepare.arguments import HeadersLike, ParamsLike, call_arguments, encoded_params

if TYPE_CHECKING:
    from ..batch.batch import Batch
    from ..batch.loop import BatchOptions
    from ..batch.request import BatchRequest
    from ..feedback import FeedbackLike
    from ..prepare.request_attributes import RequestLike

MAX_CONCURRENT = 24
"""As many connections of the python engine. On the qt engine: one worker with its queue full, or four workers with a
connection for each request."""


class BatchCalls:
    """Every method may be called from any thread."""

    def getMany(
        self,
        requests: Iterable[RequestLike],
        feedback: Optional[FeedbackLike] = None,
        maxConcurrent: int = MAX_CONCURRENT,
        ordered: bool = True,
        *,
        maxPerOrigin: int = 0,
        stopOnError: bool = False,
        forceRefresh: bool = False,
        authCfg: str = "",
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> Batch:
        """GET many resources at once, and iterate over what they come to::

            for index, code, reply in manager.getMany(urls):
                ...

        ``requests``: QNetworkRequests, QUrls or str; may be a generator, which is asked for as many as are due.
        ``feedback``: cancels all of them (within 50 ms), hears how many have ended, and of what share that is.
        ``maxConcurrent``: how many are under way at a time; ``maxPerOrigin``: how many of them with one scheme, host
        and port, 0 is all. ``ordered``: results come in the order of the requests, else as they end.
        ``stopOnError``: the first that does not come to NoError cancels the others; else a failure stops nothing.
        ``forceRefresh``, ``authCfg``: for all of them, and so are ``headers``, ``params`` and ``timeout``, which are as
        in ``BlockingNetworkRequest.get``.

        From any thread, to iterate in that thread, which performs the requests: while the loop does something else,
        nothing is sent, read or started (on the qt engine, what is under way goes on). Memory holds about
        ``maxConcurrent`` replies, three times as many if one that is slow holds up the order. A request that was not
        started when the batch was cancelled has no result. Leaving the iterator cancels what is under way. Raises
        TypeError, ValueError; while iterating TypeError for what is no request.
        """
        return self.sendMany(
            requests,
            feedback,
            maxConcurrent,
            ordered,
            maxPerOrigin=maxPerOrigin,
            stopOnError=stopOnError,
            forceRefresh=forceRefresh,
            authCfg=authCfg,
            headers=headers,
            params=params,
            timeout=timeout,
        )

    def sendMany(
        self,
        requests: Iterable[Union[BatchRequest, tuple[Any, ...], RequestLike]],
        feedback: Optional[FeedbackLike] = None,
        maxConcurrent: int = MAX_CONCURRENT,
        ordered: bool = True,
        *,
        maxPerOrigin: int = 0,
        stopOnError: bool = False,
        forceRefresh: bool = False,
        authCfg: str = "",
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> Batch:
        """The same with any verb and body: each of ``requests`` is a BatchRequest, or a tuple of a request, a verb and
        data: ``(url, "POST", b"...")``. Otherwise as ``getMany``.
        """
        with first_use:
            from ..batch.loop import BatchOptions
            from ..batch.request import jobs_of

        arguments, query = call_arguments(headers, timeout), encoded_params(params)
        options = BatchOptions(
            concurrent=maxConcurrent,
            per_origin=maxPerOrigin,
            ordered=ordered,
            stops_on_error=stopOnError,
            force_refresh=forceRefresh,
            auth_cfg=authCfg,
            arguments=arguments,
        )
        return self._batch(jobs_of(requests, query), requests, feedback, options)

    def downloadMany(
        self,
        requests: Iterable[Any],
        feedback: Optional[FeedbackLike] = None,
        maxConcurrent: int = MAX_CONCURRENT,
        ordered: bool = True,
        *,
        folder: Union[str, os.PathLike[str], None] = None,
        maxPerOrigin: int = 0,
        stopOnError: bool = False,
        forceRefresh: bool = False,
        authCfg: str = "",
        overwrite: Optional[bool] = None,
        headers: HeadersLike = None,
        params: ParamsLike = None,
        timeout: Optional[int] = None,
    ) -> Batch:
        """GET many resources into files, each as ``BlockingNetworkRequest.download`` has it.

        ``requests``: pairs of a request and the path of a file; or requests alone, with ``folder``, where each file
        gets the name that ``Content-Disposition`` or the URL gives it. ``overwrite``: as for ``download``; two files of
        one batch never get the same name in the folder. ``result.reply.filePath()`` tells which file was written.
        Otherwise as ``getMany``.
        """
        with first_use:
            from ..batch.loop import BatchOptions
            from ..batch.request import check_folder, into
            from ..bodies.file_sink import checked_overwrite

        check_folder(folder)
        replaces = checked_overwrite(overwrite)
        arguments, query = call_arguments(headers, timeout), encoded_params(params)
        options = BatchOptions(
            concurrent=maxConcurrent,
            per_origin=maxPerOrigin,
            ordered=ordered,
            stops_on_error=stopOnError,
            force_refresh=forceRefresh,
            auth_cfg=authCfg,
            arguments=arguments,
            overwrite=replaces,
        )
        return self._batch(into(requests, folder, query), requests, feedback, options)

    def _batch(
        self,
        jobs: Iterable[BatchRequest],
        requests: Iterable[Any],
        feedback: Optional[FeedbackLike],
        options: BatchOptions,
    ) -> Batch:
        with first_use:
            from ..batch.batch import Batch
            from ..batch.loop import Loop
            from ..batch.request import check_several, checked_concurrency, count_of
            from ..models.auth import checked_auth_cfg
            from ..prepare.settings import checked_switch

        check_several(requests)
        checked_concurrency(options.concurrent, "maxConcurrent", 1)
        checked_concurrency(options.per_origin, "maxPerOrigin", 0)
        checked_switch(options.ordered, "ordered")
        checked_switch(options.stops_on_error, "stopOnError")
        checked_auth_cfg(options.auth_cfg)
        return Batch(Loop(manager=self, requests=jobs, options=options, feedback=feedback, total=count_of(requests)))  # type: ignore[arg-type]
