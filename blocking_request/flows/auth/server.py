"""Sends credentials with a request, and answers a 401 (RFC 9110 section 11).

Theory of operation: the caller's own credentials for this request (an AuthConfig, the user and password of the URL,
netrc) are tried first, each at most once. Then the handler is called, at most three times. An ``Authorization`` field
of the caller is sent as it is; after a 401, the handler's credentials replace it. Credentials belong to one origin, and
are not used for any other.

Only a user and a password answer Digest, NTLM and Negotiate. NTLM and Negotiate authenticate a connection: the request
then carries ConnectionCredentials, and the engine does the rounds.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Callable, NamedTuple, Optional
from urllib.parse import urlsplit

from ..._first_use import first_use
from ...models.auth import (
    AuthAnswer,
    AuthConfig,
    AuthHandler,
    AuthMethod,
    basic_authorization,
    first_answer,
    key_parameter,
)
from ...models.failure import QtNetworkError
from ...models.http_messages import ConnectionCredentials, Request, Response
from ...models.urls import DEFAULT_PORTS, origin
from .. import Flow, Send, send_directly
from .challenges import Challenge, challenges
from .digest import answer_to, strongest

ATTEMPTS = 3
"""How often the handler is called, as in browsers."""

_PASSWORDS = (AuthMethod.Basic, AuthMethod.Digest)


class CachedCredential(NamedTuple):
    """Credentials that the handler has returned and the server has accepted."""

    config: AuthConfig
    is_preemptive: bool
    """Whether they are sent before the server asks. A password that was not sent by Basic is not: it would go in clear
    text."""


Prompt = Callable[[Response, str], AuthAnswer]
"""Takes a 401 and its realm. Returns as an AuthHandler."""


@dataclass(frozen=True)
class CredentialRules:
    """The credentials that may be sent, and the handler that may be called for more."""

    config: Optional[AuthConfig] = None
    """Named for the origin of the call's first URL."""
    qgis_auth: Optional[Callable[[Request], Request]] = None
    """In the place of ``config``: adds the credentials that QGIS has for that origin."""
    find: Optional[Callable[[str], Optional[AuthConfig]]] = None
    """Returns the credentials of netrc for a URL."""
    handler: Optional[AuthHandler] = None
    prompt: Optional[Prompt] = None
    """It is called before the handler, which is called if it returns None."""
    credential_cache: MutableMapping[str, CachedCredential] = field(default_factory=dict)
    """By origin."""
    engine_supports_ntlm: Callable[[Request], bool] = lambda request: False
    """Whether there is an engine that does NTLM and Negotiate for it."""


def with_credentials(request: Request, rules: CredentialRules, send: Send = send_directly) -> Flow:
    """Send with the credentials that are known, and answer challenges."""
    has_authorization = request.has_field(b"authorization")
    if rules.qgis_auth is not None and request.same_origin:
        response = yield from send(rules.qgis_auth(request))
        if not _may_be_answered(request, response):
            return response
        return (yield from _call_handler(request, response, rules, send))
    config = _named_credentials(request, rules, has_authorization)
    cached = rules.credential_cache.get(origin(request.url)) if config is None and not has_authorization else None
    request = _with_partition_user(request, config if cached is None else cached.config)
    preemptive = cached.config if cached is not None and cached.is_preemptive else config
    response = yield from _send_preemptive(request, preemptive, send)
    if not _may_be_answered(request, response):
        return response
    named = config if cached is None else cached.config
    if named is not None:
        response = yield from _answer_challenge(request, response, named, rules, send, in_clear=False)
        if not _is_challenge(response):
            return response
    if cached is not None:
        # The server does not accept these credentials any more.
        rules.credential_cache.pop(origin(request.url), None)
    return (yield from _call_handler(request, response, rules, send))


def _call_handler(request: Request, response: Response, rules: CredentialRules, send: Send) -> Flow:
    """Answer challenges with the credentials that the handler returns."""
    for attempt in range(1, ATTEMPTS + 1):
        challenge = _strongest_challenge(request, response, rules)
        if challenge is None:
            return response
        config = first_answer(
            (rules.prompt, (response, challenge.realm)),
            (rules.handler, (challenge.realm, host_with_port(request.url), attempt)),
        )
        if config is None:
            return response
        response = yield from _answer_challenge(
            _with_partition_user(request, config), response, config, rules, send, in_clear=True
        )
        if not _is_challenge(response):
            if response.failure is None:
                is_preemptive = config.method not in _PASSWORDS or challenge.scheme == "basic"
                rules.credential_cache[origin(request.url)] = CachedCredential(config, is_preemptive)
            return response
    return response


def _with_partition_user(request: Request, config: Optional[AuthConfig]) -> Request:
    """Return the request with its user for the cache's partition key: a cache serves the response to this user only.

    An ``Authorization`` field of the caller may be sent beside a key. The field that is made from a config differs each
    time.
    """
    if config is None or config.method is AuthMethod.RequestsAuth:
        return request  # the key has each field that an auth object adds
    field = b"".join(value for name, value in request.headers if name.lower() == b"authorization").decode("latin-1")
    return request._replace(partition_user=(config.method.name, config.user, config.name, config.secret, field))


def _named_credentials(request: Request, rules: CredentialRules, has_authorization: bool) -> Optional[AuthConfig]:
    """Return the credentials that the caller has named for this request."""
    if rules.config is not None and request.same_origin:
        replaces = rules.config.method not in (*_PASSWORDS, AuthMethod.Bearer, AuthMethod.RequestsAuth)
        return rules.config if replaces or not has_authorization else None
    return rules.find(request.url) if rules.find is not None and not has_authorization else None


def _send_preemptive(request: Request, config: Optional[AuthConfig], send: Send) -> Flow:
    """Send with the credentials that need no challenge."""
    if config is not None and config.auth is not None:
        with first_use:
            from .requests_auth import send_with_auth
        return (yield from send_with_auth(request, config.auth, send))
    return (yield from send(_with_preemptive(request, config)))


def _with_preemptive(request: Request, config: Optional[AuthConfig]) -> Request:
    """Return the request with the credentials that are sent before a server asks for them."""
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


def _answer_challenge(
    request: Request, response: Response, config: AuthConfig, rules: CredentialRules, send: Send, in_clear: bool
) -> Flow:
    """Answer the server's challenges by a config; ``in_clear``: also by the way that needs no challenge."""
    if config.method in _PASSWORDS:
        digest = strongest(_challenges(response))
        if digest is not None:
            return (yield from _answer_digest(request, digest, config, send))
        if config.method is AuthMethod.Basic and _is_for_connection(request, response, rules):
            credentials = ConnectionCredentials(config.user, config.secret)
            return (yield from _authenticate_connection(request, response, credentials, send))
        in_clear = in_clear and config.method is AuthMethod.Basic and "basic" in _schemes(response)
    return (yield from _send_preemptive(request, config, send)) if in_clear else response


def _answer_digest(request: Request, digest: Challenge, config: AuthConfig, send: Send) -> Flow:
    """Answer a Digest challenge, and once more if the server says that its nonce is stale."""
    for _ in range(2):
        value = answer_to(digest, config, request.method, request.url)
        response = yield from send(_with_field(request, b"Authorization", value))
        stale = _stale_challenge(response)
        if stale is None:
            return response
        digest = stale
    return response


def _authenticate_connection(
    request: Request, response: Response, credentials: ConnectionCredentials, send: Send
) -> Flow:
    """Let the engine answer NTLM or Negotiate. ``response``: the 401, which is returned if the engine gives up."""
    if request.body is not None:
        # A request that may be sent any number of times authenticates the connection.
        headers = tuple(pair for pair in request.headers if not pair[0].lower().startswith(b"content-"))
        first = request._replace(method="OPTIONS", body=None, headers=headers, streams=False)
        yield from send(first._replace(connection_credentials=credentials))
    authenticated = yield from send(request._replace(connection_credentials=credentials))
    failure = authenticated.failure
    is_endless = failure is not None and failure.error is QtNetworkError.AuthenticationRequiredError
    return response if is_endless else authenticated


def _strongest_challenge(request: Request, response: Response, rules: CredentialRules) -> Optional[Challenge]:
    """Return the strongest challenge for which the handler could give credentials."""
    all_challenges = _challenges(response)
    digest = strongest(all_challenges)
    if digest is not None:
        return digest
    by_scheme = {each.scheme: each for each in reversed(all_challenges)}
    if _is_for_connection(request, response, rules):
        return by_scheme.get("negotiate") or by_scheme.get("ntlm")
    return by_scheme.get("basic") or by_scheme.get("bearer")


def _is_for_connection(request: Request, response: Response, rules: CredentialRules) -> bool:
    """Return whether the engine can answer this 401 by NTLM or Negotiate, which authenticate a connection."""
    # The engine sends the body several times by itself.
    is_held = request.body is None or isinstance(request.body, bytes)
    return is_held and not _schemes(response).isdisjoint(("ntlm", "negotiate")) and rules.engine_supports_ntlm(request)


def _stale_challenge(response: Response) -> Optional[Challenge]:
    """Return the new challenge if only the nonce was too old (RFC 7616 section 3.3); else None."""
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


def host_with_port(url: str) -> str:
    """Return the host, with its port if that is not the default."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"
