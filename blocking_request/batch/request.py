"""BatchRequest, and how the ``requests`` argument of a batch is checked and converted."""

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
    """One request of ``sendMany`` or ``downloadMany``. A tuple of its first one to four fields is accepted as well.

    It can be pickled unless it contains a secret; pickle then raises TypeError.
    """

    request: RequestLike
    """A QNetworkRequest, a QUrl or a str."""
    verb: Union[str, bytes] = "GET"
    """The method."""
    data: Data = None
    """The body, as in ``BlockingNetworkRequest.post``."""
    path: Union[str, PathLike[str], None] = None
    """A file or folder, as in ``BlockingNetworkRequest.download``; None: the body is in the reply."""

    def __repr__(self) -> str:
        """Show the verb and the URL without secrets, and neither headers nor body."""
        path = "" if self.path is None else f" into {_shown(self.path)}"
        try:
            check_request(self.request)
            verb, url = verb_text(self.verb), redact_url(url_text(self.request))
        except TypeError:  # repr must not raise; the batch raises when it starts this request
            return f"<BatchRequest of wrong types{path}>"
        return f"<BatchRequest {printable(verb)} {url}{path}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickle, for a QNetworkRequest too. Raises TypeError if the request contains a secret."""
        return BatchRequest._unpickled, (packed(self.request), *self[1:])

    @classmethod
    def _unpickled(cls, request: Any, *others: Any) -> BatchRequest:
        return cls(unpacked(request), *others)

    def __copy__(self) -> BatchRequest:
        return self

    def __deepcopy__(self, memo: Any) -> BatchRequest:
        return self


def jobs_of(requests: Iterable[Any], query: str = "") -> Iterator[BatchRequest]:
    """Check the items of ``requests`` and convert them. ``query`` is added to each URL.

    Raises TypeError if an item is not a request.
    """
    for each in requests:
        if isinstance(each, tuple) and not 0 < len(each) <= len(BatchRequest._fields):
            parts = "1 to 4 parts: a request, a verb, data and a path"
            raise TypeError(f"a request as a tuple must have {parts}, not {len(each)}")
        if isinstance(each, list):
            text = "request must be a QNetworkRequest, a QUrl or a str, not list"
            raise TypeError(f"{text}: a request with a verb must be a tuple, such as (url, 'POST', b'...')")
        yield _checked(BatchRequest(*each) if isinstance(each, tuple) else BatchRequest(each), query)


def _checked(job: BatchRequest, query: str) -> BatchRequest:
    check_request(job.request)
    verb_text(job.verb)
    check_body(job.data)
    if job.path is not None and not isinstance(job.path, (str, PathLike)):
        raise TypeError(f"the path of a download must be a str or a path, not {type(job.path).__name__}")
    return job._replace(request=with_query(job.request, query)) if query else job


def into(requests: Iterable[Any], folder: Union[str, PathLike[str], None], query: str = "") -> Iterator[BatchRequest]:
    """Check the items of ``requests`` for ``downloadMany`` and convert them.

    They are pairs of a request and a path, or requests alone if a ``folder`` is given; it is created. ``query`` is
    added to each URL. Raises TypeError if an item is neither, OSError if the folder cannot be created.
    """
    if folder is not None:
        os.makedirs(folder, exist_ok=True)
    # The separator at the end says that it is a folder.
    inside = None if folder is None else os.path.join(os.fspath(folder), "")
    for each in requests:
        if inside is not None:
            yield _checked(BatchRequest(each, path=inside), query)
        elif isinstance(each, tuple) and len(each) == 2:
            if each[1] is None:
                raise TypeError("the path of a download must be a str or a path, not NoneType")
            yield _checked(BatchRequest(each[0], path=each[1]), query)
        else:
            actual = f"a tuple of {len(each)}" if isinstance(each, tuple) else type_name(each)
            raise TypeError(
                f"without folder=, requests must be pairs of a request and a path, such as (url, 'file'), not {actual}"
            )


def _shown(path: Any) -> str:
    return repr(os.fspath(path) if isinstance(path, PathLike) else path)


def check_folder(folder: Any) -> None:
    """Raise TypeError if ``folder`` is neither a path nor None."""
    if folder is not None and not isinstance(folder, (str, PathLike)):
        raise TypeError(f"folder must be the path of a folder, a str or a path, or None, not {type_name(folder)}")


def check_several(requests: Any) -> None:
    """Raise TypeError if ``requests`` is a single request, or cannot be iterated."""
    if isinstance(requests, (str, bytes, BatchRequest)):  # these can be iterated, but their items are no requests
        raise TypeError(f"requests must be a list of requests, not {type(requests).__name__}: [request]")
    if not isinstance(requests, Iterable):
        raise TypeError(f"requests must be an iterable of requests, such as a list, not {type(requests).__name__}")


def count_of(requests: Iterable[Any]) -> int:
    """Return the number of requests, -1 if it is not known, as for a generator."""
    return len(requests) if isinstance(requests, Sized) else -1


def checked_concurrency(number: int, name: str, least: int) -> None:
    """Raise TypeError if ``number`` is not an int, ValueError if it is less than ``least``."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{name} must be a whole number, not {type(number).__name__}")
    if number < least:
        raise ValueError(f"{name} must be {least} or more, not {number}")
