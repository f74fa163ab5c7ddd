"""The requests of a batch, as the caller gives them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sized
from os import PathLike
from typing import Any, NamedTuple, Union

from .._names import public
from ..bodies.upload import Data, check_body
from ..models.redaction import printable, redact_url
from ..prepare.arguments import with_query
from ..prepare.build_request import url_text
from ..prepare.request_attributes import RequestLike, check_request, verb_text
from ..qt.binding import type_name
from .pickling import packed, unpacked


@public
class BatchRequest(NamedTuple):
    """One request of ``sendMany`` and ``downloadMany``; a tuple of the first of these does as well."""

    request: RequestLike
    verb: Union[str, bytes] = "GET"
    data: Data = None
    """As in ``BlockingNetworkRequest.post``."""
    path: Union[str, PathLike[str], None] = None
    """A file or folder, as in ``BlockingNetworkRequest.download``; None: the body is in the reply."""

    def __repr__(self) -> str:
        """The verb and the URL without secrets; neither fields nor body."""
        path = "" if self.path is None else f" into {_shown(self.path)}"
        try:
            check_request(self.request)
            verb, url = verb_text(self.verb), redact_url(url_text(self.request))
        except TypeError:  # the batch refuses it when it comes to it
            return f"<BatchRequest of wrong types{path}>"
        return f"<BatchRequest {printable(verb)} {url}{path}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """It can be pickled, with a QNetworkRequest too. Raises TypeError for one with secrets in it."""
        return BatchRequest._unpickled, (packed(self.request), *self[1:])

    @classmethod
    def _unpickled(cls, request: Any, *others: Any) -> BatchRequest:
        return cls(unpacked(request), *others)

    def __copy__(self) -> BatchRequest:
        return self

    def __deepcopy__(self, memo: Any) -> BatchRequest:
        return self


def jobs_of(requests: Iterable[Any], query: str = "") -> Iterator[BatchRequest]:
    """``query``: is added to each URL. Raises TypeError for what is none."""
    for each in requests:
        if isinstance(each, tuple) and not 0 < len(each) <= len(BatchRequest._fields):
            parts = "1 to 4 parts: a request, a verb, data and a path"
            raise TypeError(f"a request as a tuple has {parts}, not {len(each)}")
        if isinstance(each, list):
            text = "request must be a QNetworkRequest, a QUrl or a str, not list"
            raise TypeError(f"{text}: a request with a verb is a tuple, as (url, 'POST', b'...')")
        yield _checked(BatchRequest(*each) if isinstance(each, tuple) else BatchRequest(each), query)


def _checked(job: BatchRequest, query: str) -> BatchRequest:
    check_request(job.request)
    verb_text(job.verb)
    check_body(job.data)
    if job.path is not None and not isinstance(job.path, (str, PathLike)):
        raise TypeError(f"the path of a download is a str or a path, not {type(job.path).__name__}")
    return job._replace(request=with_query(job.request, query)) if query else job


def into(requests: Iterable[Any], folder: Union[str, PathLike[str], None], query: str = "") -> Iterator[BatchRequest]:
    """Pairs of a request and a path; with a folder, which is made, requests alone. Raises TypeError for what is
    neither, OSError.
    """
    if folder is not None:
        os.makedirs(folder, exist_ok=True)
    # So it is a folder, also where it is not there yet.
    inside = None if folder is None else os.path.join(os.fspath(folder), "")
    for each in requests:
        if inside is not None:
            yield _checked(BatchRequest(each, path=inside), query)
        elif isinstance(each, tuple) and len(each) == 2:
            if each[1] is None:
                raise TypeError("the path of a download is a str or a path, not NoneType")
            yield _checked(BatchRequest(each[0], path=each[1]), query)
        else:
            actual = f"a tuple of {len(each)}" if isinstance(each, tuple) else type_name(each)
            raise TypeError(
                f"without folder=, requests must be pairs of a request and a path, as (url, 'file'), not {actual}"
            )


def _shown(path: Any) -> str:
    return repr(os.fspath(path) if isinstance(path, PathLike) else path)


def check_folder(folder: Any) -> None:
    """Raises TypeError if it is neither the path of a folder nor None."""
    if folder is not None and not isinstance(folder, (str, PathLike)):
        raise TypeError(f"folder must be the path of a folder, a str or a path, or None, not {type_name(folder)}")


def check_several(requests: Any) -> None:
    """Raises TypeError for a single request, and for what is not iterable."""
    if isinstance(requests, (str, bytes, BatchRequest)):  # these can be iterated, and their parts are no requests
        raise TypeError(f"requests must be a list of requests, not {type(requests).__name__}: [request]")
    if not isinstance(requests, Iterable):
        raise TypeError(f"requests must be an iterable of requests, as a list, not {type(requests).__name__}")


def count_of(requests: Iterable[Any]) -> int:
    """How many there are, -1 where nobody knows."""
    return len(requests) if isinstance(requests, Sized) else -1


def checked_concurrency(number: int, name: str, least: int) -> None:
    """Raises TypeError, ValueError."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{name} must be a whole number, not {type(number).__name__}")
    if number < least:
        raise ValueError(f"{name} must be {least} or more, not {number}")
