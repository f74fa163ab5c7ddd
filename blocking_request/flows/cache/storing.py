"""What a cache may keep, what of it, and what a later answer changes in it (RFC 9111 sections 3 and 4.3.4)."""

from __future__ import annotations

from typing import Optional

from ...models.headers import Fields, Pairs, known_fields
from ...models.http_messages import Answer, Exchange
from .cache_control import Directives
from .freshness import HEURISTIC_STATUSES, is_explicit
from .http_date import date_field, parsed_date
from .store import Store, StoredAnswer, opaque, varying

_UNDERSTOOD = frozenset((*HEURISTIC_STATUSES, 302, 303, 307, 400, 403, 500, 502, 503, 504)) - {206}

_NEVER_KEPT_STATUSES = frozenset((206, 304, 401, 407))
"""A part, what is no answer by itself, and the questions that a later request may answer otherwise."""

_NEVER_KEPT = frozenset(
    (
        # Of the connection, not of the answer (section 3.1).
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        # Of the one exchange, and secrets: a jar would take an old one for a new one.
        b"set-cookie",
        b"set-cookie2",
        b"authentication-info",
    )
)

_NEEDED = frozenset((b"cache-control", b"expires", b"vary", b"etag", b"last-modified"))
"""Whoever names these in ``Connection`` must not make something fresh of what is not."""

_OF_THE_BODY = frozenset((b"content-encoding", b"content-length", b"content-md5", b"content-range", b"etag"))
"""What a 304 cannot change: the body is the one that was kept, its coding undone (section 3.2)."""


def may_be_kept(exchange: Exchange, answer: Answer, asked: Directives, said: Directives) -> bool:
    """``asked``: the request's directives, ``said``: the answer's (section 3)."""
    status = answer.status or 0
    if exchange.method != "GET" or answer.failure is not None or status < 200 or status in _NEVER_KEPT_STATUSES:
        return False
    if "no-store" in asked or ("no-store" in said and "must-understand" not in said):
        return False
    if "must-understand" in said and status not in _UNDERSTOOD:
        return False
    if answer.tls is not None and answer.tls.session.errors:
        # From somebody whose certificate is not right, whoever has accepted that.
        return False
    says_so = is_explicit(answer.headers, said) or "public" in said or "private" in said
    return says_so or status in HEURISTIC_STATUSES


def stored_answer(
    exchange: Exchange, answer: Answer, store: Store, implied: Pairs, requested: float, received: float
) -> Optional[StoredAnswer]:
    """None where no later request can be known to match (section 4.1)."""
    vary = varying(exchange, answer, store, implied)
    if vary is None:
        return None
    return StoredAnswer(
        answer.status or 0,
        answer.reason,
        known_fields(_dated(_kept(answer.headers), received)),
        requested,
        received,
        vary,
        exchange.decode,
        answer.encoded_bytes,
        answer.total_bytes,
        answer.body,
    )


def _kept(fields: Fields) -> Pairs:
    named = (fields.value(b"connection") or b"").split(b",")
    dropped = _NEVER_KEPT | ({name.strip().lower() for name in named} - _NEEDED)
    return tuple(pair for pair in fields.pairs if pair[0].lower() not in dropped)


def _dated(pairs: Pairs, received: float) -> Pairs:
    """Who keeps an answer without a date gives it one (RFC 9110 section 6.6.1)."""
    if any(name.lower() == b"date" and parsed_date(value, received) is not None for name, value in pairs):
        return pairs
    others = (pair for pair in pairs if pair[0].lower() != b"date")
    return (*others, (b"Date", date_field(received)))


def is_confirmed(stored: StoredAnswer, answer: Answer) -> bool:
    """Whether a 304 speaks of what was kept (section 4.3.4)."""
    tag = answer.headers.value(b"etag")
    kept = stored.fields.value(b"etag")
    return tag is None or kept is None or opaque(tag) == opaque(kept)


def speaks_of(stored: StoredAnswer, answer: Answer, exchange: Exchange) -> bool:
    """Whether a 304 to the caller's own condition speaks of what was kept, and not of what the caller has."""
    tag, kept = answer.headers.value(b"etag"), stored.fields.value(b"etag")
    if tag is not None:
        return tag == kept
    asked = {name.lower(): value for name, value in exchange.headers}
    if b"if-none-match" in asked:
        return asked[b"if-none-match"] == kept
    return asked.get(b"if-modified-since") == stored.fields.value(b"last-modified")


def is_same_representation(stored: StoredAnswer, head: Answer) -> bool:
    """Whether the answer to a HEAD speaks of what was kept (section 4.3.5)."""
    for name in (b"etag", b"last-modified", b"content-length"):
        told, kept = head.headers.value(name), stored.fields.value(name)
        if told is not None and told != kept:
            return False
    return head.status == stored.status


def freshened(stored: StoredAnswer, answer: Answer, requested: float, received: float) -> StoredAnswer:
    """What was kept with the fields of a later answer (section 3.2)."""
    news = tuple(pair for pair in _kept(answer.headers) if pair[0].lower() not in _OF_THE_BODY)
    names = {name.lower() for name, _ in news} | {b"age", b"date"}
    fields = _dated((*(pair for pair in stored.fields.pairs if pair[0].lower() not in names), *news), received)
    return stored._replace(fields=known_fields(fields), requested=requested, received=received)
