"""Credentials: what is sent along, how a 401 is answered, and when it is given up (RFC 9110 section 11).

Theory of operation: what the caller has named for this request (an AuthConfig, the user and password of the URL, netrc)
is tried first, each way at most once; then whoever may be asked is asked, three times at most. A field of the caller's
own is sent as it is, and is replaced only by what somebody answers to a 401. Whatever is used belongs to the origin it
was named for: at any other it is as if there were none.

Basic and Digest are made here (by ``requests.auth``). NTLM and Negotiate belong to a connection; the exchange then
carries a Login, and the wire does the rounds.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional
from urllib.parse import quote, urlsplit

from requests.auth import HTTPDigestAuth, _basic_auth_str

from ..auth import AuthConfig, AuthHandler, AuthMethod, checked_answer
from ..errors import QtNetworkError
from ..exchange import Answer, Exchange, Login
from ..urls import DEFAULT_PORTS, origin
from . import Flow, Send, directly
from .challenges import Challenge, challenges

ATTEMPTS = 3
"""How often somebody is asked, as browsers do it."""

_PASSWORDS = (AuthMethod.Basic, AuthMethod.Digest)


@dataclass(frozen=True)
class CredentialRules:
    """What may be presented, and who may be asked."""

    config: Optional[AuthConfig] = None
    """Named for the origin of the call's first URL."""
    find: Optional[Callable[[str], Optional[AuthConfig]]] = None
    """Gives what netrc has for a URL."""
    ask: Optional[AuthHandler] = None
    known: MutableMapping[str, AuthConfig] = field(default_factory=dict)
    """By origin: what was asked for earlier and found to be right."""
    wire_logs_in: Callable[[], bool] = lambda: False
    """Whether there is a wire that does NTLM and Negotiate."""

    @property
    def are_none(self) -> bool:
        return self.config is None and self.find is None and self.ask is None and not self.known


def with_credentials(exchange: Exchange, rules: CredentialRules, send: Send = directly) -> Flow:
    """Send with what is known, and answer challenges."""
    here = origin(exchange.url)
    is_own = exchange.has_field(b"authorization")
    config = _named(exchange, rules, is_own)
    known = rules.known.get(here) if config is None and not is_own else None
    answer = yield from send(_upfront(exchange, config or known))
    if answer.status != 401 or answer.failure is not None or not exchange.can_be_sent_again:
        return answer
    for candidate in (config, known):
        if candidate is not None:
            answer = yield from _answer_challenges(exchange, answer, candidate, rules, send, already_sent=True)
            if not _is_challenge(answer):
                return answer
    if known is not None:
        # It is right no more.
        rules.known.pop(here, None)
    return (yield from _ask(exchange, answer, rules, send))


def _ask(exchange: Exchange, answer: Answer, rules: CredentialRules, send: Send) -> Flow:
    for attempt in range(1, ATTEMPTS + 1):
        challenge = _best(answer, rules, None)
        if rules.ask is None or challenge is None:
            return answer
        given = checked_answer(rules.ask(challenge.realm, shown_host(exchange.url), attempt))
        if given is None:
            return answer
        used = _best(answer, rules, given)
        answer = yield from _answer_challenges(exchange, answer, given, rules, send, already_sent=False)
        if not _is_challenge(answer):
            if answer.failure is None and used is not None:
                rules.known[origin(exchange.url)] = _as_used(given, used)
            return answer
    return answer


def _as_used(given: AuthConfig, challenge: Challenge) -> AuthConfig:
    """What is kept of an answer: a password that was only proven must not be sent in clear text the next time."""
    if given.method in _PASSWORDS and challenge.scheme != "basic":
        return AuthConfig.digest(given.user, given.secret)
    return given


def _named(exchange: Exchange, rules: CredentialRules, is_own: bool) -> Optional[AuthConfig]:
    """What the caller has named for this exchange."""
    if rules.config is not None and exchange.keeps_identity:
        replaces = rules.config.method not in (*_PASSWORDS, AuthMethod.Bearer)
        return rules.config if replaces or not is_own else None
    return rules.find(exchange.url) if rules.find is not None and not is_own else None


def _upfront(exchange: Exchange, config: Optional[AuthConfig]) -> Exchange:
    """The exchange with what is sent before a server asks."""
    if config is None:
        return exchange
    method = config.method
    if method is AuthMethod.Basic:
        return _with_field(exchange, b"Authorization", _basic(config))
    if method is AuthMethod.Bearer:
        return _with_field(exchange, b"Authorization", f"Bearer {config.secret}".encode())
    if method is AuthMethod.ApiKeyHeader:
        named = exchange._replace(secret_names=(*exchange.secret_names, config.name))
        return _with_field(named, config.name.encode(), config.secret.encode())
    if method is AuthMethod.ApiKeyQuery:
        parts = urlsplit(exchange.url)
        parameter = f"{quote(config.name, safe='')}={quote(config.secret, safe='')}"
        query = f"{parts.query}&{parameter}" if parts.query else parameter
        url = parts._replace(query=query).geturl()
        return exchange._replace(url=url, secret_names=(*exchange.secret_names, quote(config.name, safe="")))
    if method is AuthMethod.ClientCertificate:
        return exchange._replace(tls=config.tls(exchange.tls))
    return exchange


def _answer_challenges(
    exchange: Exchange, answer: Answer, config: AuthConfig, rules: CredentialRules, send: Send, already_sent: bool
) -> Flow:
    """Try a config on what the server asks for; ``already_sent``: its way without being asked has been tried."""
    challenge = _best(answer, rules, config)
    if challenge is None:
        return answer
    if challenge.scheme == "digest":
        for _ in range(2):
            value = _digest(exchange, challenge, config)
            if value is None:
                return answer
            answer = yield from send(_with_field(exchange, b"Authorization", value))
            challenge = _stale(answer)
            if challenge is None:
                return answer
        return answer
    if challenge.scheme in ("ntlm", "negotiate"):
        return (yield from _log_in(exchange, answer, Login(config.user, config.secret), send))
    if already_sent:
        return answer
    return (yield from send(_upfront(exchange, config)))


def _log_in(exchange: Exchange, answer: Answer, login: Login, send: Send) -> Flow:
    """``answer``: the 401, which stands where the rounds lead nowhere."""
    logged_in = yield from send(exchange._replace(login=login))
    failure = logged_in.failure
    is_endless = failure is not None and failure.error is QtNetworkError.AuthenticationRequiredError
    return answer if is_endless else logged_in


def _best(answer: Answer, rules: CredentialRules, config: Optional[AuthConfig]) -> Optional[Challenge]:
    """The strongest challenge that can be answered: with ``config``, or at all where that is None."""
    found = {challenge.scheme: challenge for challenge in reversed(_challenges(answer))}
    if config is None or config.method in _PASSWORDS:
        digest = _strongest_digest(answer)
        if digest is not None:
            return digest
        for scheme in ("negotiate", "ntlm"):
            # The wire sends the body several times by itself.
            is_held = answer.exchange.body is None or isinstance(answer.exchange.body, bytes)
            if scheme in found and is_held and rules.wire_logs_in():
                return found[scheme]
        if "basic" in found and (config is None or config.method is AuthMethod.Basic):
            return found["basic"]
        return found.get("bearer") if config is None else None
    # A token or a key is tried whatever it was that the server has asked for.
    return next(iter(found.values()), None)


def _strongest_digest(answer: Answer) -> Optional[Challenge]:
    digests = [challenge for challenge in _challenges(answer) if _strength(challenge) > 0]
    return max(digests, key=_strength, default=None)


def _strength(challenge: Challenge) -> int:
    """0 for what is no digest, or one that nobody here can make."""
    if challenge.scheme != "digest" or "nonce" not in challenge.parameters:
        return 0
    algorithm = challenge.parameters.get("algorithm", "MD5").upper()
    return {"MD5": 1, "MD5-SESS": 2, "SHA": 3, "SHA-256": 4, "SHA-512": 5}.get(algorithm, 0)


def _stale(answer: Answer) -> Optional[Challenge]:
    """The new challenge of a server to which only the nonce was too old (RFC 7616 section 3.3)."""
    challenge = _strongest_digest(answer) if _is_challenge(answer) else None
    return challenge if challenge is not None and challenge.parameters.get("stale", "").lower() == "true" else None


def _is_challenge(answer: Answer) -> bool:
    return answer.status == 401 and answer.failure is None


def _challenges(answer: Answer) -> list[Challenge]:
    return challenges(value for name, value in answer.headers.pairs if name.lower() == b"www-authenticate")


def _basic(config: AuthConfig) -> bytes:
    return _basic_auth_str(config.user.encode(), config.secret.encode()).encode("latin-1")


def _digest(exchange: Exchange, challenge: Challenge, config: AuthConfig) -> Optional[bytes]:
    """None where the server wants a quality of protection that nobody here has."""
    maker: Any = HTTPDigestAuth(config.user, config.secret)
    maker.init_per_thread_state()
    asked = {"realm": "", **challenge.parameters}
    if "qop" in asked:
        asked["qop"] = asked["qop"].replace(" ", "")
    maker._thread_local.chal = asked
    value = maker.build_digest_header(exchange.method, exchange.url)
    return None if value is None else value.encode("utf-8")


def _with_field(exchange: Exchange, name: bytes, value: bytes) -> Exchange:
    others = tuple(pair for pair in exchange.headers if pair[0].lower() != name.lower())
    return exchange._replace(headers=(*others, (name, value)))


def shown_host(url: str) -> str:
    """The host, with its port where that is not the default."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"
