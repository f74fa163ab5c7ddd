"""The methods of a manager that send many requests at once."""

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
"""How many requests of a batch run at once by default.

On the python engine these are 24 connections. On the qt engine a worker has six connections for each origin: 24
requests fill one worker and its queues, or four workers with one connection for each request.
"""


class BatchCalls:
    """Methods that send many requests at once. Every method may be called in any thread."""

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
        """GET many resources at once, and iterate over the results::

            for index, code, reply in manager.getMany(urls):
                ...

        Arguments:

        - ``requests``: an iterable of QNetworkRequest, QUrl or str. A generator is read as requests are started.
        - ``feedback``: cancels all requests within 50 ms. The batch reports the number and percent of ended requests.
        - ``maxConcurrent``: how many requests run at once, 1 or more.
        - ``ordered``: if True, results come in the order of the requests; if False, as soon as each is there.
        - ``maxPerOrigin``: how many of them run at once for one origin (scheme, host and port); 0: no limit.
        - ``stopOnError``: if True, the first request that does not return NoError cancels the others.
        - ``forceRefresh``: if True, all requests bypass the cache.
        - ``authCfg``: the id of the authentication config of all requests, as in ``BlockingNetworkRequest.setAuthCfg``.
        - ``headers``, ``params``, ``timeout``: for all requests, as in ``BlockingNetworkRequest.get``.

        May be called in any thread. The thread that iterates performs the requests. While the body of the loop runs,
        nothing is sent, received or started, and this time does not count towards timeouts. Only requests that already
        run on the qt engine continue.

        Memory holds about ``maxConcurrent`` replies. With ``ordered`` it holds up to three times as many if one slow
        request holds up the others. Leaving the loop cancels the running requests. A request that was not started when
        the batch is cancelled has no result.

        Raises TypeError or ValueError if an argument is not valid. The iteration raises TypeError if an item of
        ``requests`` is not a request.
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
        """Send many requests with any verb and body at once.

        ``requests``: an iterable of BatchRequest, or of tuples of a request, a verb and a body, such as
        ``(url, "POST", b"...")``. Other arguments, iteration and exceptions as in ``getMany``.
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
        """GET many resources into files, each as in ``BlockingNetworkRequest.download``.

        - ``requests``: an iterable of pairs of a request and the path of a file. If ``folder`` is given, an iterable of
          requests: each file is named after ``Content-Disposition``, or else after the URL.
        - ``folder``: the path of the folder for the files. Two downloads of a batch never get the same name in it.
        - ``overwrite``: whether an existing file is replaced, as in ``BlockingNetworkRequest.download``.

        ``result.reply.filePath()`` is the file that was written. Other arguments, iteration and exceptions as in
        ``getMany``.
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
