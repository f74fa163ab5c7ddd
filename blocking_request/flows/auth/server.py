"""Credentials: what is sent along, how a 401 is answered, and when it is given up (RFC 9110 section 11).

Theory of operation: what the caller has named for this request (an AuthConfig, the user and password of the URL, netrc)
is tried first, each way at most once; then whoever may be asked is asked, three times at most. A field of the caller's
own is sent as it is, and is replaced only by what somebody answers to a 401. Whatever is used belongs to the origin it
was named for: at any other it is as if there were none.

Only a user and a password answer Digest, NTLM and Negotiate. The last two belong to a connection; the request then
carries a Login, and the engine does the rounds.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Callable, NamedTuple, Optional
from urllib.parse import quote, urlsplit

from ...models.auth import AuthConfig, AuthHandler, AuthMethod, basic_authorization, checked_answer
from ...models.failure import QtNetworkError
from ...models.http_messages import Login, Request, Response
from ...models.urls import DEFAULT_PORTS, origin
from .. import Flow, Send, send_directly
from .challenges import Challenge, challenges
from .digest import answer_to, strength, strongest

ATTEMPTS = 3
"""How often somebody is asked, as browsers do it."""

_PASSWORDS = (AuthMethod.Basic, AuthMethod.Digest)


class Known(NamedTuple):
    """What somebody has answered and a server or proxy has found right."""

    config: AuthConfig
    is_upfront: bool
    """Whether it is sent before it is asked for. A password that was only proven is not: it would go in clear text."""


@dataclass(frozen=True)
class CredentialRules:
    """What may be presented, and who may be asked."""

    config: Optional[AuthConfig] = None
    """Named for the origin of the call's first URL."""
    grant: Optional[Callable[[Request], Request]] = None
    """In its place: adds what another store of credentials has for that origin."""
    find: Optional[Callable[[str], Optional[AuthConfig]]] = None
    """Gives what netrc has for a URL."""
    ask: Optional[AuthHandler] = None
    known: MutableMapping[str, Known] = field(default_factory=dict)
    """By origin."""
    engine_supports_ntlm: Callable[[Request], bool] = lambda request: False
    """Whether there is an engine that does NTLM and Negotiate for it."""


def with_credentials(request: Request, rules: CredentialRules, send: Send = send_directly) -> Flow:
    """Send with what is known, and answer challenges."""
    is_own = request.has_field(b"authorization")
    if rules.grant is not None and request.same_origin:
        granted = rules.grant(request)
        response = yield from send(granted)
        return (
            response if not _may_be_answered(request, response) else (yield from _ask(request, response, rules, send))
        )
    config = _named(request, rules, is_own)
    known = rules.known.get(origin(request.url)) if config is None and not is_own else None
    request = _identified(request, config if known is None else known.config)
    upfront = known.config if known is not None and known.is_upfront else config
    response = yield from send(_upfront(request, upfront))
    if not _may_be_answered(request, response):
        return response
    named = config if known is None else known.config
    if named is not None:
        response = yield from _answer_challenge(request, response, named, rules, send, in_clear=False)
        if not _is_challenge(response):
            return response
    if known is not None:
        # It is right no more.
        rules.known.pop(origin(request.url), None)
    return (yield from _ask(request, response, rules, send))


def _ask(request: Request, response: Response, rules: CredentialRules, send: Send) -> Flow:
    for attempt in range(1, ATTEMPTS + 1):
        challenge = _best(request, response, rules)
        if rules.ask is None or challenge is None:
            return response
        given = checked_answer(rules.ask(challenge.realm, shown_host(request.url), attempt))
        if given is None:
            return response
        response = yield from _answer_challenge(
            _identified(request, given), response, given, rules, send, in_clear=True
        )
        if not _is_challenge(response):
            if response.failure is None:
                is_proven = given.method in _PASSWORDS and challenge.scheme != "basic"
                rules.known[origin(request.url)] = Known(given, not is_proven)
            return response
    return response


def _identified(request: Request, config: Optional[AuthConfig]) -> Request:
    """The request with who we are, however that is shown: a cache keeps what comes for them alone.

    A field of the caller's own may be sent beside a key; what we make of a config ourselves differs each time.
    """
    if config is None:
        return request
    own = b"".join(value for name, value in request.headers if name.lower() == b"authorization").decode("latin-1")
    return request._replace(identity=(config.method.name, config.user, config.name, config.secret, own))


def _named(request: Request, rules: CredentialRules, is_own: bool) -> Optional[AuthConfig]:
    """What the caller has named for this request."""
    if rules.config is not None and request.same_origin:
        replaces = rules.config.method not in (*_PASSWORDS, AuthMethod.Bearer)
        return rules.config if replaces or not is_own else None
    return rules.find(request.url) if rules.find is not None and not is_own else None


def _upfront(request: Request, config: Optional[AuthConfig]) -> Request:
    """The request with what is sent before a server asks."""
    if config is None:
        return request
    method = config.method
    if method is AuthMethod.Basic:
        return _with_field(request, b"Authorization", _basic(config))
    if method is AuthMethod.Bearer:
        return _with_field(request, b"Authorization", f"Bearer {config.secret}".encode())
    if method is AuthMethod.ApiKeyHeader:
        return _with_field(request, config.name.encode(), config.secret.encode())
    if method is AuthMethod.ApiKeyQuery:
        parts = urlsplit(request.url)
        query = f"{parts.query}&{key_parameter(config)}" if parts.query else key_parameter(config)
        return request._replace(url=parts._replace(query=query).geturl())
    if method is AuthMethod.ClientCertificate:
        return request._replace(tls=config.tls(request.tls))
    return request


def key_parameter(config: AuthConfig) -> str:
    """The query parameter of an API key, as it stands in the URL."""
    return f"{quote(config.name, safe='')}={quote(config.secret, safe='')}"


def secret_name(config: Optional[AuthConfig]) -> tuple[str, ...]:
    """The name whose value must not be shown, in the URL or among the header fields."""
    if config is None or config.method not in (AuthMethod.ApiKeyHeader, AuthMethod.ApiKeyQuery):
        return ()
    return (config.name if config.method is AuthMethod.ApiKeyHeader else quote(config.name, safe=""),)


def _answer_challenge(
    request: Request, response: Response, config: AuthConfig, rules: CredentialRules, send: Send, in_clear: bool
) -> Flow:
    """Try a config on what the server asks for; ``in_clear``: also as it would be sent without being asked."""
    if config.method in _PASSWORDS:
        digest = strongest(_challenges(response))
        if digest is not None:
            return (yield from _prove(request, digest, config, send))
        if config.method is AuthMethod.Basic and _is_login(request, response, rules):
            return (yield from _log_in(request, response, Login(config.user, config.secret), send))
        in_clear = in_clear and config.method is AuthMethod.Basic and "basic" in _schemes(response)
    return (yield from send(_upfront(request, config))) if in_clear else response


def _prove(request: Request, digest: Challenge, config: AuthConfig, send: Send) -> Flow:
    for _ in range(2):
        value = answer_to(digest, config, request.method, request.url)
        response = yield from send(_with_field(request, b"Authorization", value))
        stale = _stale(response)
        if stale is None:
            return response
        digest = stale
    return response


def _log_in(request: Request, response: Response, login: Login, send: Send) -> Flow:
    """``response``: the 401, which stands where the rounds lead nowhere."""
    if request.body is not None:
        # The connection logs in with a request that may be sent any number of times.
        headers = tuple(pair for pair in request.headers if not pair[0].lower().startswith(b"content-"))
        yield from send(request._replace(method="OPTIONS", body=None, headers=headers, login=login, streams=False))
    logged_in = yield from send(request._replace(login=login))
    failure = logged_in.failure
    is_endless = failure is not None and failure.error is QtNetworkError.AuthenticationRequiredError
    return response if is_endless else logged_in


def _best(request: Request, response: Response, rules: CredentialRules) -> Optional[Challenge]:
    """Return the strongest challenge for which the handler could give credentials."""
    found = _challenges(response)
    digest = strongest(found)
    if digest is not None:
        return digest
    known = {each.scheme: each for each in reversed(found) if each.scheme != "digest" or strength(each)}
    if _is_login(request, response, rules):
        return known.get("negotiate") or known.get("ntlm")
    return known.get("basic") or known.get("bearer")


def _is_login(request: Request, response: Response, rules: CredentialRules) -> bool:
    # The engine sends the body several times by itself.
    is_held = request.body is None or isinstance(request.body, bytes)
    return is_held and not _schemes(response).isdisjoint(("ntlm", "negotiate")) and rules.engine_supports_ntlm(request)


def _stale(response: Response) -> Optional[Challenge]:
    """The new challenge of a server to which only the nonce was too old (RFC 7616 section 3.3)."""
    challenge = strongest(_challenges(response)) if _is_challenge(response) else None
    return challenge if challenge is not None and challenge.parameters.get("stale", "").lower() == "true" else None


def _is_challenge(response: Response) -> bool:
    return response.status == 401 and response.failure is None


def _may_be_answered(request: Request, response: Response) -> bool:
    return _is_challenge(response) and request.is_replayable


def _challenges(response: Response) -> list[Challenge]:
    return challenges(response.headers.values(b"www-authenticate"))


def _schemes(response: Response) -> set[str]:
    return {challenge.scheme for challenge in _challenges(response)}


def _basic(config: AuthConfig) -> bytes:
    return basic_authorization(config.user, config.secret)


def _with_field(request: Request, name: bytes, value: bytes) -> Request:
    others = tuple(pair for pair in request.headers if pair[0].lower() != name.lower())
    return request._replace(headers=(*others, (name, value)))


def shown_host(url: str) -> str:
    """The host, with its port where that is not the default."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"
