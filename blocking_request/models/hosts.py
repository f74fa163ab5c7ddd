"""The host of a URL in the one form in which it is looked up, compared and sent.

The rules are those of browsers (https://url.spec.whatwg.org/#host-parsing): names by UTS 46, non-transitional; numbers
such as ``127.1`` and ``0x7f.1`` are IPv4 addresses. A name must also be one that DNS can have (RFC 1123 section 2.1),
plus the underscore.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from .._first_use import first_use

MOST_NAME_CHARACTERS = 253
MOST_LABEL_CHARACTERS = 63
"""RFC 1035 section 2.3.4."""

_OCTET = r"(?:[1-9]?[0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
_ADDRESS = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_NUMBER = re.compile(r"0[xX](?P<hex>[0-9a-fA-F]*)|0(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]*)")
_LOOKS_LIKE_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_PUNYCODE = "xn--"


def canonical_host(host: str) -> str:
    """Return a host in ASCII and lower case; an IPv6 address is in brackets. Raises ValueError, which names it.

    ``host``: as it stands in a URL, so it may be percent-encoded.
    """
    if host.startswith("["):
        return _ipv6(host)
    try:
        name = unquote_to_bytes(host).decode("utf-8") if "%" in host else host
        name = name.lower() if name.isascii() else _to_ascii(name)
    except UnicodeError:
        raise ValueError(f"the host {host!r} cannot be encoded for DNS (UTS 46)") from None
    if _ADDRESS.fullmatch(name):
        return name
    labels = (name[:-1] if name.endswith(".") else name).split(".")
    if _LOOKS_LIKE_NUMBER.fullmatch(labels[-1]):
        return _ipv4(host, labels)
    for label in labels:
        _check_label(host, label)
    if len(name) > MOST_NAME_CHARACTERS:
        raise ValueError(f"the host {host!r} has more than {MOST_NAME_CHARACTERS} characters")
    return name


def canonical_host_without_brackets(host: str) -> str:
    """As ``canonical_host``, of a host whose IPv6 address has no brackets; that of the result has none either."""
    return canonical_host(f"[{host}]").strip("[]") if ":" in host else canonical_host(host)


def _check_label(host: str, label: str) -> None:
    if not label:
        raise ValueError(f"the host {host!r} has an empty part between dots")
    if len(label) > MOST_LABEL_CHARACTERS:
        raise ValueError(f"the host {host!r} has a part of more than {MOST_LABEL_CHARACTERS} characters")
    if _LABEL.fullmatch(label) is None:
        raise ValueError(
            f"the host {host!r} has characters other than letters, digits, '-' and '_', "
            "or a part that begins or ends with '-'"
        )
    if label.startswith(_PUNYCODE):
        try:
            label[len(_PUNYCODE) :].encode("ascii").decode("punycode").encode("utf-8")
        except (UnicodeError, OverflowError, ValueError):
            raise ValueError(f"the host {host!r} has a part that is no encoded name (RFC 3492)") from None


def _to_ascii(name: str) -> str:
    """Raises UnicodeError."""
    with first_use:
        try:
            import idna
        except ImportError:  # Python's own knows IDNA 2003 only
            return _DOTS.sub(".", name).encode("idna").decode("ascii").lower()
    mapped: str = idna.uts46_remap(name, std3_rules=False, transitional=False)
    labels = []
    for label in mapped.split("."):
        if label.isascii():
            labels.append(label)
            continue
        if label.startswith(_PUNYCODE):
            raise UnicodeError
        idna.check_initial_combiner(label)
        idna.check_bidi(label)
        labels.append(_PUNYCODE + label.encode("punycode").decode("ascii"))
    return ".".join(labels)


def _ipv4(host: str, labels: list[str]) -> str:
    """The address that one to four numbers mean: the last one fills the rest."""
    numbers = [_number(label) for label in labels]
    if len(numbers) > 4 or any(number is None for number in numbers):
        raise ValueError(f"the host {host!r} ends in a number and is no IPv4 address")
    value = 0
    for place, number in enumerate(numbers):
        room = 4 - place if place == len(numbers) - 1 else 1
        assert number is not None
        if number >= 1 << (8 * room):
            raise ValueError(f"the host {host!r} ends in a number and is no IPv4 address")
        value = (value << (8 * room)) + number
    return ".".join(str((value >> shift) & 255) for shift in (24, 16, 8, 0))


def _number(label: str) -> int | None:
    match = _NUMBER.fullmatch(label)
    if match is None or len(label) > MOST_LABEL_CHARACTERS:
        return None
    if match["hex"] is not None:
        return int(match["hex"] or "0", 16)
    return int(match["octal"], 8) if match["octal"] else int(match["decimal"])


def _ipv6(host: str) -> str:
    """The zone is left as it is, because it means something to this computer only (RFC 6874)."""
    with first_use:
        from ipaddress import AddressValueError, IPv6Address
    address, percent, zone = host[1:-1].partition("%")
    try:
        if not host.endswith("]"):
            raise AddressValueError
        parsed = IPv6Address(address)
        # As Qt and Python 3.13 write it (RFC 5952 section 5).
        text = f"::ffff:{parsed.ipv4_mapped}" if parsed.ipv4_mapped is not None else parsed.compressed
        return f"[{text}{percent}{zone}]"
    except AddressValueError:
        raise ValueError(f"the host {host!r} is no IPv6 address") from None
