"""A client with a cache and a clock that stands, over no network."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import formatdate

from blocking_request.flows.cache.flow import CacheRules, with_cache
from blocking_request.flows.cache.load_control import CacheLoadControl
from blocking_request.models.http_messages import Request, Response
from blocking_request.stores.cache.memory import MemoryStore

from .flow_driver import Given, drive, response

START = 1_800_000_000.0
URL = "http://host.example/a"

Field = tuple[str, str]


def date(seconds: float = 0) -> str:
    """So many seconds after the start."""
    return formatdate(START + seconds, usegmt=True)


def page(*fields: Field, status: int = 200, body: bytes = b"page", dated: bool = True) -> Response:
    """Return the first response of a server."""
    made = response(status, *((("Date", date()),) if dated else ()), *fields)
    return made._replace(body=body, encoded_bytes=len(body))


class Client:
    """Counts the requests that it has to send."""

    def __init__(self) -> None:
        self.store = MemoryStore(10 << 20)
        self.now = START
        self.sent: list[Request] = []
        self.later: list[Request] = []

    def ask(
        self,
        *responses: Given,
        url: str = URL,
        method: str = "GET",
        fields: Iterable[Field] = (),
        load_control: CacheLoadControl = CacheLoadControl.PreferCache,
        may_store: bool = True,
        partition_key: bytes | None = b"",
        decode: bool = True,
        body: bytes | None = None,
        later: float = 0,
        default_headers: tuple[tuple[bytes, bytes], ...] = (),
        is_retry: bool = False,
        body_limit: int = 0,
    ) -> Response:
        """Send at a moment so many seconds after the start, to a server that gives these responses and no more: without
        any, the cache has to have it.
        """
        self.now = START + later
        headers = tuple((name.encode(), value.encode()) for name, value in fields)
        rules = CacheRules(
            self.store,
            lambda request: partition_key,
            lambda: self.now,
            default_headers,
            load_control,
            may_store,
            lambda request, rules: self.later.append(request),
        )
        request = Request(method, url, headers, body, decode=decode, is_retry=is_retry, body_limit=body_limit)
        self.sent, _, last = drive(with_cache(request, rules), *responses)
        return last

    def sent_field(self, name: str) -> str | None:
        """Return a header field of the first sent request."""
        found = [value for field, value in self.sent[0].headers if field.lower() == name.lower().encode()]
        return found[0].decode() if found else None
