"""The choice of a proxy and its authentication, without a network."""

from __future__ import annotations

from typing import Any, Optional

from blocking_request.flows.auth.proxy import ProxyChoice, through_proxy
from blocking_request.models.auth import AuthConfig
from blocking_request.models.failure import QtNetworkError, network_failure
from blocking_request.models.http_messages import Request, Response
from blocking_request.models.proxy import NO_PROXY, Proxy, ProxyUnusable

from ...support.auth_handler import ScriptedAuthHandler
from ...support.flow_driver import drive, response

URL = "http://host/"
PROXY = Proxy("http", "proxy", 3128)
WANTED = response(407, ("Proxy-Authenticate", 'Basic realm="the proxy"'))
REFUSED = Response(
    Request("GET", URL), failure=network_failure(QtNetworkError.ProxyAuthenticationRequiredError, "no"), engine="qt"
)


def run(
    *responses: Response, own: Optional[Proxy] = None, qts: Optional[Proxy] = None, **rules: Any
) -> tuple[list[Optional[Proxy]], Response]:
    """Return the proxies of the sent requests, and the last response."""
    choice = ProxyChoice(lambda url: own, lambda url: qts, **rules)
    sent, _, last = drive(through_proxy(Request("GET", URL), choice), *responses)
    return [each.proxy for each in sent], last


def test_found_proxy_is_used() -> None:
    assert run(response(200), own=PROXY)[0] == [PROXY]
    assert run(response(200), own=NO_PROXY)[0] == [NO_PROXY]
    assert run(response(200), qts=PROXY)[0] == [None]


def test_unusable_proxy() -> None:
    def find(url: str) -> Optional[Proxy]:
        raise ProxyUnusable("it is none")

    sent, _, last = _ended(ProxyChoice(find, find))
    assert not sent and last.failure is not None
    assert (last.failure.error, last.failure.text) == (QtNetworkError.UnknownProxyError, "it is none")


def _ended(choice: ProxyChoice) -> tuple[list[Request], list[float], Response]:
    flow = through_proxy(Request("GET", URL), choice)
    try:
        return [next(flow)], [], Response(Request("GET", URL))  # type: ignore[list-item]
    except StopIteration as stop:
        return [], [], stop.value


def test_rfc9110_11_7_1_proxy_credentials_of_the_handler() -> None:
    for refusal, realm in ((WANTED, "the proxy"), (REFUSED, "")):
        handler = ScriptedAuthHandler(("user", "wrong"), ("user", "right"))
        credential_cache: dict[Proxy, AuthConfig] = {}
        sent, last = run(refusal, refusal, response(200), own=PROXY, handler=handler, credential_cache=credential_cache)
        assert handler.questions == [(realm, "proxy:3128", 1), (realm, "proxy:3128", 2)]
        assert sent[2] == Proxy("http", "proxy", 3128, "user", "right") and last.status == 200
        # the handler is not asked again
        assert run(response(200), own=PROXY, handler=handler, credential_cache=credential_cache)[0] == [sent[2]]
        assert run(response(200), qts=PROXY, credential_cache=credential_cache)[0] == [sent[2]]


def test_proxy_credentials_for_the_application_proxy() -> None:
    sent, last = run(WANTED, response(200), qts=PROXY, handler=ScriptedAuthHandler(("u", "p")))
    assert sent == [None, Proxy("http", "proxy", 3128, "u", "p")] and last.status == 200


def test_handler_is_asked_three_times() -> None:
    handler = ScriptedAuthHandler(("u", "1"), ("u", "2"), ("u", "3"))
    sent, last = run(WANTED, WANTED, WANTED, WANTED, own=PROXY, handler=handler)
    assert len(sent) == 4 and last.status == 407


def test_handler_is_not_asked_without_a_proxy() -> None:
    handler = ScriptedAuthHandler()
    for own, qts in ((None, None), (NO_PROXY, PROXY)):
        sent, last = run(WANTED, own=own, qts=qts, handler=handler)
        assert len(sent) == 1 and last.status == 407


def test_rejected_credentials_are_removed_from_the_cache() -> None:
    credential_cache = {PROXY: AuthConfig.basic("old", "old")}
    run(WANTED, own=PROXY, credential_cache=credential_cache)
    assert not credential_cache


def test_message_if_credentials_were_not_accepted() -> None:
    text = "Proxy requires authentication: it did not accept the user and the password"
    _, last = run(REFUSED, own=Proxy("http", "proxy", 3128, "user", "wrong"))
    assert last.failure is not None and last.failure.text == text
    _, last = run(REFUSED, REFUSED, REFUSED, REFUSED, own=PROXY, handler=ScriptedAuthHandler(*[("u", "p")] * 3))
    assert last.failure is not None and last.failure.text == text
    _, last = run(REFUSED, own=PROXY)
    assert last.failure is not None and last.failure.text == "no"
