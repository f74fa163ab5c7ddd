"""What the policies cost: a call with everything decided above the engine, beside the same request without them.

Prints where the time goes: each part on its own, in a loop, is a lower bound of what it costs between two waits.
"""

from __future__ import annotations

from contextlib import suppress
from timeit import repeat
from typing import Callable

from urllib3.util import Retry

from blocking_request import AuthConfig, BlockingNetworkRequest, NetworkAccessManager
from blocking_request.calls.pipeline import build_flow
from blocking_request.engines.choice import choose
from blocking_request.engines.mailbox import Mailbox
from blocking_request.manager.settings_holder import settings_of
from blocking_request.models.http_messages import Request, Response
from blocking_request.prepare.build_request import Defaults, build_request
from blocking_request.prepare.options import CallOverrides, call_options, with_settings
from blocking_request.prepare.prepare_call import PreparedCall
from blocking_request.qt.binding import API, QtCore
from blocking_request.reply import ReplyContent, next_request_id
from blocking_request.stores.cookie_jar import cookie_header

from .measure import bound, finish, medians, show
from .nginx import nginx

CALLS = 200
ROUNDS = 25
TIMES = 20_000


def bare(request: Request) -> Response:
    """What an engine needs, and no more."""
    mailbox = Mailbox()
    engine = choose(request, "auto")
    engine.start(request, mailbox)  # type: ignore[union-attr]
    while True:
        event = mailbox.take(10.0)
        if isinstance(event, Response):
            return event


def configured(url: str) -> BlockingNetworkRequest:
    manager = NetworkAccessManager()
    manager.cookieJar().setCookie(url, "session", "0123456789abcdef")
    manager.setRetry(Retry(3, status_forcelist=[502, 503, 504], backoff_factor=0.5))
    request = BlockingNetworkRequest(manager)
    request.setAuthConfig(AuthConfig.bearer("0123456789abcdef"))
    return request


def main() -> None:
    app = QtCore.QCoreApplication([])
    with nginx(1024) as (server, _):
        url = f"{server}/1024"
        prepared = build_request(url, "GET", None, False, Defaults("benchmark"))
        plain, full = BlockingNetworkRequest(), configured(url)

        def contender(run: Callable[[], object]) -> Callable[[], None]:
            def calls() -> None:
                for _ in range(CALLS):
                    run()

            return calls

        took = medians(
            {
                "bare engine": contender(lambda: bare(prepared)),
                "unconfigured": contender(lambda: plain.get(url)),
                "cookie, token, retry": contender(lambda: full.get(url)),
            },
            ROUNDS,
        )
        assert plain.reply().statusCode() == full.reply().statusCode() == 200
    us = {name: seconds / CALLS * 1e6 for name, seconds in took.items()}
    show(f"warm GET of 1 KB, {API}", "us", us)
    bound("unconfigured manager, us over the bare engine", us["unconfigured"] - us["bare engine"], 60)
    bound("cookie, token and retry, us over the bare engine", us["cookie, token, retry"] - us["bare engine"], 120)
    for title, request in (("unconfigured", plain), ("cookie, token, retry", full)):
        show(f"    {title}, where they go", "us", parts(request, url))
    del app
    finish()


def parts(request: BlockingNetworkRequest, url: str) -> dict[str, float]:
    """Microseconds each part takes when nothing else runs."""
    settings = settings_of(NetworkAccessManager.instance())
    own = CallOverrides("auto", auth_config=request._auth_config, retry=settings.retry)
    rules = call_options(url, settings, own, lambda: None)
    defaults = Defaults(settings.user_agent, settings.default_headers)
    prepared = with_settings(build_request(url, "GET", None, False, defaults), settings, rules.auth)
    response = Response(prepared, 200, engine="qt")

    def flow() -> None:
        run = build_flow(PreparedCall(prepared, rules, settings))
        sent = next(run)
        with suppress(StopIteration):
            run.send(response._replace(request=sent))  # type: ignore[arg-type]

    return {
        name: min(repeat(part, number=TIMES, repeat=3)) / TIMES * 1e6
        for name, part in {
            "rules": lambda: call_options(url, settings, own, lambda: None),
            "request": lambda: with_settings(build_request(url, "GET", None, False, defaults), settings, rules.auth),
            "flow": flow,
            "cookies of it": lambda: cookie_header(settings.cookies, url),
            "reply": lambda: ReplyContent.from_response(response, 0.0, next_request_id()),
        }.items()
    }


if __name__ == "__main__":
    main()
