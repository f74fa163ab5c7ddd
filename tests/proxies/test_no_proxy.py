"""The environment variable ``no_proxy``: the hosts of curl's own table, and more."""

from __future__ import annotations

from typing import Optional

import pytest

from blocking_request.proxies.no_proxy import is_excluded
from blocking_request.proxies.rules import proxy_of_environment


@pytest.mark.parametrize(
    ("host", "no_proxy", "expected"),
    [
        ("www.example.com", "localhost,.example.com,.example.de", True),
        ("www.example.com.", "localhost,.example.com,.example.de", True),
        ("example.com", "localhost,.example.com,.example.de", True),
        ("example.com.", "localhost,.example.com,.example.de", True),
        ("www.example.com", "localhost,.example.com.,.example.de", True),
        ("www.example.com", "localhost,www.example.com.,.example.de", True),
        ("example.com", "localhost,example.com,.example.de", True),
        ("example.com.", "localhost,example.com,.example.de", True),
        ("www.example.com", "localhost,example.com,.example.de", True),  # since curl 7.87, and in requests
        ("127.0.0.1", "127.0.0.1,localhost", True),
        ("127.0.0.1", "127.0.0.1,localhost,", True),
        ("127.0.0.1", "127.0.0.1/8,localhost,", True),
        ("127.0.0.1", "127.0.0.1/28,localhost,", True),
        ("127.0.0.1", "127.0.0.1/31,localhost,", True),
        ("127.0.0.1", "localhost,127.0.0.1", True),
        ("127.0.0.1", "localhost," + "127.0.0.1." * 12 + "127.0.0.", False),
        ("localhost", "localhost,127.0.0.1", True),
        ("localhost", "127.0.0.1,localhost", True),
        ("foobar", "barfoo", False),
        ("foobar", "foobar", True),
        ("192.168.0.1", "foobar", False),
        ("192.168.0.1", "192.168.0.0/16", True),
        ("192.168.0.1", "192.168.0.0/24", True),
        ("192.168.0.1", "192.168.0.0/32", False),
        ("192.168.0.1", "192.168.0.0", False),
        ("192.168.1.1", "192.168.0.0/24", False),
        ("192.168.1.1", "foo, bar, 192.168.0.0/24", False),
        ("192.168.1.1", "foo, bar, 192.168.0.0/16", True),
        ("[::1]", "foo, bar, 192.168.0.0/16", False),
        ("[::1]", "foo, bar, ::1/64", True),
        ("bar", "foo, bar, ::1/64", True),
        ("BAr", "foo, bar, ::1/64", True),
        ("BAr", "foo,,,,,              bar, ::1/64", True),
        ("www.example.com", "foo, .example.com", True),
        ("www.example.com", "www2.example.com, .example.net", False),
        ("example.com", ".example.com, .example.net", True),
        ("nonexample.com", ".example.com, .example.net", False),
        ("192.160.0.1", "192.160.0.1/33", False),
        ("192.160.0.1", "192.160.0.1/0", True),
        ("192.160.0.1", "10.0.0.1/8", False),
        ("[fe80::ab47:4396:55c9:8474]", "fe80::ab47:4396:55c9:8474/64", True),
        ("[::1]", "0:0::1/129", False),
        # More than curl's.
        ("nonexample.com", "example.com", False),
        ("a.b.example.com", "*.example.com", True),
        ("anything.example", "*", True),
        ("anything.example", "foo *", True),
        ("anything.example", "", False),
        ("anything.example", " , .", False),
        ("[::1]", "[::1]", True),
        ("[fe80::1%25eth0]", "fe80::/10", True),
        ("1.1.1.1", "1", False),
        ("11.1.1.1", "1.1.1.1", False),
    ],
)
def test_is_excluded(host: str, no_proxy: str, expected: bool) -> None:
    assert is_excluded(host, 80, no_proxy) is expected


@pytest.mark.parametrize(
    ("host", "port", "no_proxy", "expected"),
    [
        ("example.com", 8000, "example.com:8000", True),
        ("example.com", 9000, "example.com:8000", False),
        ("www.example.com", 8000, ".example.com:8000", True),
        ("10.0.0.1", 8000, "10.0.0.1:8000", True),
        ("10.0.0.1", 80, "10.0.0.1:8000", False),
        ("::1", 8000, "[::1]:8000", True),
        ("::1", 80, "[::1]:8000", False),
        ("2001:db8::8000", 80, "2001:db8::8000", True),
        ("example.com", None, "example.com:80", False),
    ],
)
def test_entries_with_a_port(host: str, port: Optional[int], no_proxy: str, expected: bool) -> None:
    assert is_excluded(host, port, no_proxy) is expected


def test_long_list_takes_linear_time() -> None:
    assert not is_excluded("host.example", 80, "a.example," * 20_000)


def test_upper_case_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "example.com")
    for url, is_none in (("http://www.example.com/", True), ("http://example.org/", False)):
        proxy = proxy_of_environment(url)
        assert proxy is not None and proxy.is_none is is_none
