"""Strict transport security decided without a network."""

from __future__ import annotations

import pytest

from blocking_request.flows.hsts import with_strict_transport
from blocking_request.models.certificate import Certificate
from blocking_request.models.http_messages import Request
from blocking_request.models.tls import TlsError, TlsErrorKind, TlsSession, known_session
from blocking_request.stores.hsts_hosts import StrictTransportHosts

from ..support.flow_driver import drive, response

FIELD = ("Strict-Transport-Security", "max-age=1000")


def url_of(hosts: StrictTransportHosts, url: str) -> str:
    (sent,), _, _ = drive(with_strict_transport(Request("GET", url), hosts), response(200))
    return sent.url


def hosts_after(url: str, value: str) -> StrictTransportHosts:
    hosts = StrictTransportHosts()
    drive(with_strict_transport(Request("GET", url), hosts), response(200, (FIELD[0], value)))
    return hosts


def test_rfc6797_8_3_http_becomes_https() -> None:
    hosts = hosts_after("https://Host.example/", "max-age=1000")
    assert url_of(hosts, "http://host.example/a?b#c") == "https://host.example/a?b#c"
    assert url_of(hosts, "http://host.example:80/a") == "https://host.example/a"
    assert url_of(hosts, "http://host.example:8080/a") == "https://host.example:8080/a"
    assert url_of(hosts, "http://sub.host.example/") == "http://sub.host.example/"
    assert url_of(hosts, "http://other.example/") == "http://other.example/"


def test_rfc6797_8_2_subdomains() -> None:
    hosts = hosts_after("https://host.example/", 'max-age="1000"; includeSubDomains')
    assert url_of(hosts, "http://a.b.host.example/") == "https://a.b.host.example/"
    assert url_of(hosts, "http://ahost.example/") == "http://ahost.example/"


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("http://host.example/", "max-age=1000"),
        ("https://host.example/", "max-age=x"),
        ("https://host.example/", "includeSubDomains"),
        ("https://host.example/", "max-age=1; max-age=2"),
        ("https://host.example/", "max-age=0"),
        ("https://127.0.0.1/", "max-age=1000"),
        ("https://[::1]/", "max-age=1000"),
    ],
)
def test_rfc6797_8_1_ignored_fields(url: str, value: str) -> None:
    assert hosts_after(url, value).hosts() == []


def test_rfc6797_8_1_field_over_a_connection_with_tls_errors() -> None:
    hosts = StrictTransportHosts()
    session = TlsSession(errors=(TlsError(TlsErrorKind.CertificateExpired, Certificate(b"")),))
    bad = response(200, FIELD)._replace(tls=known_session(session))
    drive(with_strict_transport(Request("GET", "https://host.example/"), hosts), bad)
    assert hosts.hosts() == []


def test_rfc6797_6_1_1_max_age_0_removes_the_host() -> None:
    hosts = hosts_after("https://host.example/", "max-age=1000")
    drive(with_strict_transport(Request("GET", "https://host.example/"), hosts), response(200, (FIELD[0], "max-age=0")))
    assert url_of(hosts, "http://host.example/") == "http://host.example/"
