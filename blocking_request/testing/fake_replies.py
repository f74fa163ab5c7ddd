"""FakeReplies: the replies of a test, in the place of the network."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

from ..engines import choice
from ..engines.clock import clock_users
from ..errors import ErrorCode
from ..models.failure import Failure, QtNetworkError
from ..models.headers import is_token
from ..models.http_messages import Request
from .engine import FakeEngine
from .pattern import Pattern
from .reply import NOT_GIVEN, FakeReply
from .routes import DEFAULTS, FakeRoute, RouteRule, check_names, reply_for, sources_of
from .sent_request import SentRequest

_SHOWN_ROUTES = 20
"""How many routes a message lists."""

_NAMES = (*DEFAULTS, "times", "match")


class FakeReplies:
    """Replies to requests in the place of the network, for tests::

        with FakeReplies() as fake:
            fake.get("https://api.example.org/items?page=1", json=[1, 2])
            ...
        assert fake.callCount == 1

    Within the block, every request of the process is served by it, from every thread: those of
    ``BlockingNetworkRequest``, of batches, streams and downloads, of the ``requests`` adapter and of ``qhttp``. It
    replaces only the engine, so redirects, cookies, credentials, the cache, retries, limits, timeouts, progress and
    cancels work as with a server, whichever engine is set. Nothing is sent, no thread is started, and no
    QCoreApplication is needed. Blocks may be nested: the innermost serves, and decides whether times are virtual.

    A request without a reply fails with ``NetworkError``, and a sentence that lists the expected ones.

    Times are virtual: a ``delay``, a timeout of a minute or the pause before a retry passes at once, and
    ``reply.elapsed()`` tells the virtual time. While code runs, no time passes, so nothing times out by chance.

    It does not stand in for other clients, such as ``urllib`` or a QNetworkAccessManager of Qt's own.
    """

    def __init__(self, *, realTime: bool = False, assertAllCalled: bool = False) -> None:
        """``realTime``: whether a delay and a timeout take as long as they say. ``assertAllCalled``: whether the end of
        the block checks ``assertAllCalled()``, unless an exception ends it.
        """
        for name, value in (("realTime", realTime), ("assertAllCalled", assertAllCalled)):
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be a bool, not {type(value).__name__}")
        self._is_real_time = realTime
        self._asserts_all_called = assertAllCalled
        self._guard = threading.Lock()
        self._rules: list[RouteRule] = []
        self._calls: list[SentRequest] = []
        self._unmatched: list[SentRequest] = []
        self._engine = FakeEngine(self._reply_to)

    # -- the replies

    def add(
        self,
        method: Optional[str],
        url: Any,
        reply: Any = None,
        *,
        status: int = 200,
        body: Any = b"",
        json: Any = NOT_GIVEN,
        headers: Any = None,
        reason: Optional[str] = None,
        delay: float = 0,
        error: Any = None,
        times: Optional[int] = None,
        match: Optional[Callable[[SentRequest], bool]] = None,
    ) -> FakeRoute:
        """Add a reply for the requests of a method and a URL. Return its route, which counts its requests.

        ``method``: None: any. ``url``: one of

        - a str or a QUrl. With a query, the request must have the same parameters, in any order. Without one, any query
          matches. A ``*`` stands for any characters, but not for the beginning of a query; as the value of a parameter
          it stands for any value. A text that begins with ``/`` is the path of any host;
        - a compiled regular expression, which is searched in the URL;
        - a function that is called with the SentRequest, and returns whether it matches;
        - None: any URL.

        The first route that matches serves the request. If the same method and url are added again, without ``times``
        and ``match``, the replies are given one after the other, and the last one is repeated.

        ``reply``: a ReplyContent (from ``makeReply``), a function that is called with the SentRequest and returns one,
        or a list of both, which are given one after the other. An exception of a function is raised in the call of the
        code under test. Instead of ``reply``:

        ``status``, ``reason``: the status, from 200, and its reason phrase. ``headers``: a mapping, or pairs of name
        and value; a list as the value gives the field several times. ``Content-Length`` and ``Content-Type`` are added
        if they are missing. ``body``: bytes; a str, which is sent as UTF-8; a binary file; or an iterable of pieces,
        which are sent as chunks. A number in it is a pause in ms, and an error (as ``error``) breaks the body off.
        ``json``: a value that is sent as JSON. ``delay``: the time until the header comes, in ms; ``math.inf``: it
        never comes. ``error``: why there is no response, a ``QNetworkReply.NetworkError`` or an ``ErrorCode``; or the
        errors of the server's certificate, a TlsError or a list. ``QNetworkReply.TimeoutError``: not connected in time
        (requests: ``ConnectTimeout``). ``ErrorCode.TimeoutError``: connected, and no response in time
        (``ReadTimeout``).

        ``times``: how many requests it serves; later ones go to the next route. ``match``: a function that is called
        with the SentRequest, and must return True, too.

        Raises TypeError or ValueError if an argument is wrong.
        """
        if method is not None and (not isinstance(method, str) or not is_token(method.encode("latin-1", "replace"))):
            raise TypeError(f"method must be a str such as 'GET', or None, not {method!r}")
        if times is not None and (isinstance(times, bool) or not isinstance(times, int)):
            raise TypeError(f"times must be an int or None, not {type(times).__name__}")
        if times is not None and times < 1:
            raise ValueError(f"times must be at least 1, not {times}")
        if match is not None and not callable(match):
            raise TypeError(f"match must be a function, not {type(match).__name__}")
        options = {"status": status, "body": body, "json": json, "headers": headers}
        options.update(reason=reason, delay=delay, error=error)
        sources = sources_of(reply, options)
        pattern = Pattern(url)
        name = None if method is None else method.upper()
        rule = RouteRule(name, pattern, match, times, sources)
        with self._guard:
            known = next((each for each in self._rules if each.is_same(rule)), None)
            if known is not None:
                known.sources.extend(sources)
                return known.route
            self._rules.append(rule)
        return rule.route

    def _add(self, name: str, method: str, url: Any, reply: Any, options: dict[str, Any]) -> FakeRoute:
        """``name``: the method that was called."""
        check_names(options, _NAMES, f"FakeReplies.{name}")
        return self.add(method, url, reply, **options)

    def get(self, url: Any, reply: Any = None, **options: Any) -> FakeRoute:
        """Add a reply for GET requests; the arguments are those of ``add``."""
        return self._add("get", "GET", url, reply, options)

    def head(self, url: Any, reply: Any = None, **options: Any) -> FakeRoute:
        """Add a reply for HEAD requests; the arguments are those of ``add``."""
        return self._add("head", "HEAD", url, reply, options)

    def post(self, url: Any, reply: Any = None, **options: Any) -> FakeRoute:
        """Add a reply for POST requests; the arguments are those of ``add``."""
        return self._add("post", "POST", url, reply, options)

    def put(self, url: Any, reply: Any = None, **options: Any) -> FakeRoute:
        """Add a reply for PUT requests; the arguments are those of ``add``."""
        return self._add("put", "PUT", url, reply, options)

    def patch(self, url: Any, reply: Any = None, **options: Any) -> FakeRoute:
        """Add a reply for PATCH requests; the arguments are those of ``add``."""
        return self._add("patch", "PATCH", url, reply, options)

    def deleteResource(self, url: Any, reply: Any = None, **options: Any) -> FakeRoute:
        """Add a reply for DELETE requests; the arguments are those of ``add``."""
        return self._add("deleteResource", "DELETE", url, reply, options)

    delete = deleteResource

    def options(self, url: Any, reply: Any = None, **options: Any) -> FakeRoute:
        """Add a reply for OPTIONS requests; the arguments are those of ``add``."""
        return self._add("options", "OPTIONS", url, reply, options)

    # -- the requests

    @property
    def calls(self) -> list[SentRequest]:
        """All requests, oldest first, also those that got no reply."""
        with self._guard:
            return list(self._calls)

    @property
    def callCount(self) -> int:
        """How many requests were sent."""
        return len(self._calls)

    @property
    def unmatched(self) -> list[SentRequest]:
        """The requests that got no reply."""
        with self._guard:
            return list(self._unmatched)

    def assertAllCalled(self) -> None:
        """Raise AssertionError if a route got no request, or fewer than its ``times``."""
        with self._guard:
            unused = [rule.description() for rule in self._rules if rule.is_unused()]
        if unused:
            raise AssertionError(f"the code under test has not sent: {', '.join(unused)}")

    def reset(self) -> None:
        """Forget all replies and all requests."""
        with self._guard:
            self._rules, self._calls, self._unmatched = [], [], []

    # -- the block

    def start(self) -> FakeReplies:
        """Begin to serve all requests of the process, as on entering the block. Return this object.

        ``stop`` must be called, for example by ``TestCase.addCleanup``. Raises RuntimeError if it serves already.
        """
        with self._guard:
            if self._engine in choice.stand_ins:
                raise RuntimeError("these FakeReplies serve already: call stop() first, or make other ones")
            place = self._place()
            choice.stand_ins.insert(place, self._engine)
            clock_users.insert(place, (self, not self._is_real_time))
        return self

    def _place(self) -> int:
        """Return the place among those that serve. The last one serves first."""
        return len(choice.stand_ins)

    def stop(self) -> None:
        """Serve no more requests. Those that still wait for a reply are cancelled. May be called again."""
        with self._guard:
            if self._engine not in choice.stand_ins:
                return
            choice.stand_ins.remove(self._engine)
            clock_users.remove((self, not self._is_real_time))
        self._engine.shutdown()

    def __enter__(self) -> FakeReplies:
        return self.start()

    def __exit__(self, kind: Any, *_: object) -> None:
        self.stop()
        if kind is None and self._asserts_all_called:
            self.assertAllCalled()

    def __repr__(self) -> str:
        return f"<FakeReplies: {len(self._rules)} routes, {self.callCount} requests>"

    # -- for the engine

    def _reply_to(self, sent: SentRequest, request: Request) -> FakeReply:
        with self._guard:
            self._calls.append(sent)
            rules = list(self._rules)
        for rule in rules:
            if rule.accepts(sent):
                with self._guard:
                    source = rule.take(sent)
                if source is not None:
                    return reply_for(source, sent)
        with self._guard:
            self._unmatched.append(sent)
        return FakeReply(failure=unmatched_failure(self._unmatched_text(request, rules)))

    def _unmatched_text(self, request: Request, rules: list[RouteRule]) -> str:
        expected = [rule.description() for rule in rules[:_SHOWN_ROUTES]]
        if len(rules) > _SHOWN_ROUTES:
            expected.append(f"and {len(rules) - _SHOWN_ROUTES} more")
        if not expected:
            return f"FakeReplies has no replies, and got this {request.method} request"
        return f"FakeReplies has replies for {', '.join(expected)}, but not for this {request.method} request"


class NoNetwork(FakeReplies):
    """Serves only if no other stand-in does. Its failures say that the test must not use the network."""

    def _place(self) -> int:
        return 0

    def _unmatched_text(self, request: Request, rules: list[RouteRule]) -> str:
        if rules:
            return super()._unmatched_text(request, rules)
        return f"The test must not use the network (fixture no_network), and has sent this {request.method} request"


def unmatched_failure(text: str) -> Failure:
    """Return the failure of a request that a test does not expect. It is not sent again."""
    return Failure(ErrorCode.NetworkError, QtNetworkError.UnknownNetworkError, text, ends_the_call=True)
