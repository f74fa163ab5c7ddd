"""Writes a request as a command for curl, and as a program of this package. Secrets are left out, as ``***``."""

from __future__ import annotations

import shlex
from typing import Optional

from ..models.body_redaction import redact_body
from ..models.call_record import REDIRECT, CallRecord
from ..models.exchange_redaction import redacted_fields
from ..models.headers import content_type, encoded
from .heads import request_fields

_ADDED_BY_ENGINES = frozenset(("host", "content-length", "transfer-encoding", "connection", "proxy-connection"))
_METHODS = {
    "GET": "get",
    "HEAD": "head",
    "POST": "post",
    "PUT": "put",
    "DELETE": "deleteResource",
    "PATCH": "patch",
    "OPTIONS": "options",
}
LONGEST_WORD = 100_000
"""How long the body may be in a command. Linux has 131 072 bytes for each argument."""
_WITH_BODY = ("POST", "PUT", "PATCH")


def as_curl(record: CallRecord) -> str:
    """Return a command for a POSIX shell. ``record``: of a call, or of one of its requests."""
    request = _sent(record)
    fields = {name.lower() for name, _ in request_fields(request)}
    body, missing = _body(request)
    words = ["curl"]
    if request.method == "HEAD":
        words.append("--head")
    elif request.method != ("POST" if missing or body is not None else "GET"):
        words += ["--request", shlex.quote(request.method)]
    words.append(shlex.quote(request.url.partition("#")[0]))
    for name, value in _fields(request):
        words += ["--header", _quoted(f"{name}: {value}" if value else f"{name};")]
    for name in ("user-agent", "accept", *(("content-type",) if body is not None else ())):
        if name.encode() not in fields:
            words += ["--header", shlex.quote(f"{name.title()}:")]  # curl would send a value of its own
    if request.is_decoded:
        words.append("--compressed")
    if any(each is not record and each.kind == REDIRECT for each in record.children):
        words.append("--location")
    if request.proxy:
        words += ["--proxy", shlex.quote(request.proxy)]
    if any(character in request.url for character in "[]{}"):
        words.append("--globoff")
    if "/." in request.url:
        words.append("--path-as-is")
    if request.http_version:
        words.append("--http2" if request.http_version == "HTTP/2" else "--http1.1")
    before = ""
    if body is not None and not missing:
        text = _text(body)
        if text is None:
            before, word = f"printf {shlex.quote(_octal(body))} | ", "@-"
        else:
            word = shlex.quote(text)
        if len(before) + len(word.encode()) > LONGEST_WORD:
            before, missing = (
                "",
                f"the body, of {len(body)} bytes, is too long for a command line: save it in this file",
            )
        else:
            words += ["--data-binary" if before else "--data-raw", word]
    if missing:
        words += ["--data-binary", "@body"]
    return before + " ".join(words) + (f"  # {missing}" if missing else "")


def as_python(record: CallRecord) -> str:
    """Return a program of this package. ``record``: of a call, or of one of its requests."""
    request = _sent(record)
    body, missing = _body(request)
    method = _METHODS.get(request.method)
    arguments = [repr(request.url)]
    if method is None or (body is not None and request.method not in _WITH_BODY):
        method = "sendCustomRequest"
        arguments.append(repr(request.method))
    if missing:
        arguments.append('open("body", "rb")')
    elif body is not None:
        arguments.append(repr(body))
    elif request.method in _WITH_BODY:
        arguments.append("b''")
    headers = dict(_fields(request, of_engine=True))
    if headers:
        lines = "".join(f"        {name!r}: {value!r},\n" for name, value in headers.items())
        arguments.append(f"headers={{\n{lines}    }}")
    comment = f"    # {missing}\n" if missing else ""
    text = comment + "".join(f"    {each},\n" for each in arguments)
    return (
        "from blocking_request import BlockingNetworkRequest\n\n"
        "request = BlockingNetworkRequest()\n"
        f"code = request.{method}(\n{text})\n"
        "print(code.name, request.reply().statusCode(), len(request.reply().body))\n"
    )


def _sent(record: CallRecord) -> CallRecord:
    """Return the record of the request that is shown: the first one of a call."""
    return record.children[0] if record.children else record


def _fields(request: CallRecord, of_engine: bool = False) -> list[tuple[str, str]]:
    """Return the fields without secrets, and without those that curl or the engine adds by itself."""
    pairs = request.request_headers if of_engine else request_fields(request)
    host = request.url.partition("://")[2].partition("/")[0].partition("?")[0].encode()
    left_out = _ADDED_BY_ENGINES | ({"accept-encoding"} if request.is_decoded else set())
    return [
        (name, value)
        for (name, value), (_, raw) in zip(redacted_fields(pairs, request.redacted_names, request.secrets), pairs)
        if not name.startswith(":")
        and (name.lower() not in left_out or (name.lower() == "host" and not _is_host_of(raw, host)))
    ]


def _is_host_of(value: bytes, authority: bytes) -> bool:
    return value.lower() in (authority.lower(), authority.lower().rpartition(b":")[0])


def _body(request: CallRecord) -> tuple[Optional[bytes], str]:
    """Return the body without secrets, and '' or why it is missing."""
    size = request.request_size
    if size == 0:
        return (b"" if request.request_body is not None else None), ""
    body = request.request_body
    if body is None or len(body) != size:
        return None, f"the log has not kept the body{f' of {size} bytes' if size > 0 else ''}"
    kind = content_type(request_fields(request))
    return request.secrets.hide(redact_body(body, kind, request.redacted_names)), ""


def _text(body: bytes) -> Optional[str]:
    """Return a body that a command line can contain, or None."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character in "\r\n\t" for character in text) else None


def _octal(body: bytes) -> str:
    """Return bytes in the form that ``printf`` of a POSIX shell reads. A ``-`` would begin an option."""
    text = "".join(chr(each) if 32 <= each < 127 and each not in b"%\\" else f"\\{each:03o}" for each in body)
    return f"\\055{text[1:]}" if text.startswith("-") else text


def _quoted(text: str) -> str:
    """Return a word for the shell with the bytes of a header field. Its terminal may have another encoding."""
    return shlex.quote(text) if text.isascii() else f'"$(printf {shlex.quote(_octal(encoded(text)))})"'
