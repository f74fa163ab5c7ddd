"""Hosts by the rules of browsers. The vectors are modelled on those of the URL standard."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

import pytest

from blocking_request.models.hosts import canonical_host


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org."),
        ("a_b.example", "a_b.example"),
        ("r3---sn-x.example", "r3---sn-x.example"),
        ("a%62c.example", "abc.example"),
        ("localhost", "localhost"),
        # names, UTS 46
        ("straße.example", "xn--strae-oqa.example"),
        ("stra%C3%9Fe.example", "xn--strae-oqa.example"),
        ("faß.ExAmPlE", "xn--fa-hia.example"),
        ("βόλος.com", "xn--nxasmm1c.com"),
        ("xn--strae-oqa.example", "xn--strae-oqa.example"),
        ("☃.net", "xn--n3h.net"),
        ("💩.la", "xn--ls8h.la"),
        ("ＧＯ.com", "go.com"),
        ("日本語。jp", "xn--wgv71a119e.jp"),
        ("bü\u00adcher.de", "xn--bcher-kva.de"),
        # numbers
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0x7F000001", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("1.2.3", "1.2.0.3"),
        ("192.168.0.257", None),
        ("１２７.0.0.1", "127.0.0.1"),
        ("0x", "0.0.0.0"),
        ("127.0.0.1.", "127.0.0.1"),
        ("256.1.1.1", None),
        ("1.2.3.4.5", None),
        ("1.2.3.08", None),
        ("foo.0x4", None),
        ("4294967296", None),
        # IPv6
        ("[::1]", "[::1]"),
        ("[0:0:0::0001]", "[::1]"),
        ("[2001:DB8::A]", "[2001:db8::a]"),
        ("[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]"),
        ("[fe80::1%25eth0]", "[fe80::1%25eth0]"),
        ("[::1", None),
        ("[v1.x]", None),
        ("[]", None),
        # invalid
        ("", None),
        (".", None),
        ("a..invalid", None),
        (".a", None),
        ("-a.", None),
        ("a-.b", None),
        ("xn--.", None),
        ("xn--a\u00e4", None),
        ("xn--99999999999.de", None),
        ("a b.", None),
        ("a%20b", None),
        ("a%00b", None),
        ("a%", None),
        ("a%c3", None),
        ("a,b", None),
        ("a<b", None),
        ("a%2fb", None),
        ("a%40b", None),
        ("\u0301a.de", None),
        ("\ud800.de", None),
        ("a" * 64 + ".x", None),
        ("a" * 63 + ".x", "a" * 63 + ".x"),
        (".".join(["a" * 50] * 6), None),
        ("ä" * 60 + ".x", None),
    ],
)
def test_canonical_host(host: str, expected: str | None) -> None:
    if expected is not None:
        assert canonical_host(host) == expected
        assert canonical_host(expected) == expected
        return
    with pytest.raises(ValueError, match=r"^the host ") as caught:
        canonical_host(host)
    assert repr(host) in str(caught.value)


def test_without_the_package_idna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "idna", None)
    assert canonical_host("bücher.de") == "xn--bcher-kva.de"
    with pytest.raises(ValueError, match="UTS 46"):
        canonical_host("ä..b")


@pytest.mark.parametrize(
    "text",
    ["a" * 65_536, "a-" * 30_000, "1" * 65_536, "0x" + "f" * 65_536, "1." * 30_000, "%41" * 20_000, "é" * 30_000],
)
def test_long_hosts_take_linear_time(text: str) -> None:
    began = time.monotonic()
    for host in (text, f"[{text}]", f"xn--{text}"):
        with suppress(ValueError):
            canonical_host(host)
    assert time.monotonic() - began < 2
