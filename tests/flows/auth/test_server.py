"""Credentials decided without a network."""

from __future__ import annotations

import hashlib
from typing import Any, Optional

import pytest

from blocking_request import AuthConfig, TlsSettings
from blocking_request.flows.auth.server import CachedCredential, CredentialRules, with_credentials
from blocking_request.models.auth import secret_name
from blocking_request.models.failure import QtNetworkError, network_failure
from blocking_request.models.http_messages import ConnectionCredentials, Request, Response

from ...support.auth_handler import ScriptedAuthHandler
from ...support.flow_driver import drive, field, response

URL = "http://host:8080/path?q=1"
OK = response(200)
BASIC = response(401, ("WWW-Authenticate", 'Basic realm="here"'))
DIGEST = response(401, ("WWW-Authenticate", 'Digest realm="there", nonce="n1", qop="auth-int, auth", opaque="o"'))
BOTH = response(401, ("WWW-Authenticate", 'Basic realm="here", Digest realm="there", nonce="n1", qop="auth"'))
NTLM = response(401, ("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "NTLM"))
USER = AuthConfig.basic("user", "pass:wörd")
BASIC_FIELD = "Basic dXNlcjpwYXNzOnfDtnJk"


def run(rules: CredentialRules, *responses: Any, request: Optional[Request] = None) -> tuple[list[Request], Response]:
    sent, _, last = drive(with_credentials(request or Request("GET", URL), rules), *responses)
    return sent, last


def test_rfc9110_11_6_2_no_known_credentials() -> None:
    sent, last = run(CredentialRules(), BASIC)
    assert sent == [Request("GET", URL)] and last.status == 401


@pytest.mark.parametrize(
    ("config", "name", "value"),
    [
        (USER, "Authorization", BASIC_FIELD),
        (AuthConfig.bearer("to.ken"), "Authorization", "Bearer to.ken"),
        (AuthConfig.apiKey("k"), "X-Api-Key", "k"),
        (AuthConfig.apiKey("k", header="X-Mine"), "X-Mine", "k"),
    ],
)
def test_preemptive_credentials(config: AuthConfig, name: str, value: str) -> None:
    sent, _ = run(CredentialRules(config), OK)
    assert field(sent[0], name) == [value]


def test_api_key_in_the_query_is_a_secret_parameter() -> None:
    config = AuthConfig.apiKey("s&cret", parameter="mine")
    sent, _ = run(CredentialRules(config), OK)
    assert sent[0].url == f"{URL}&mine=s%26cret" and secret_name(config) == ("mine",)
    sent, _ = run(CredentialRules(config), OK, request=Request("GET", "http://host/"))
    assert sent[0].url == "http://host/?mine=s%26cret"


def test_client_certificate_is_put_into_the_tls_settings() -> None:
    config = AuthConfig.clientCertificate("me.pem", keyPassword="p")
    sent, _ = run(CredentialRules(config), OK, request=Request("GET", "https://h/", tls=TlsSettings(verify=False)))
    assert sent[0].tls == TlsSettings(verify=False, clientCertificate="me.pem", keyPassword="p")


def test_credentials_are_not_sent_to_another_origin() -> None:
    elsewhere = Request("GET", "http://other/", same_origin=False)
    for config in (USER, AuthConfig.apiKey("k", parameter="p"), AuthConfig.clientCertificate("me.pem")):
        sent, _ = run(CredentialRules(config), BASIC, request=elsewhere)
        assert sent == [elsewhere]


def test_credentials_found_for_one_host_only() -> None:
    rules = CredentialRules(find=lambda url: USER if url == URL else None)
    sent, _ = run(rules, OK)
    assert field(sent[0], "Authorization") == [BASIC_FIELD]
    sent, _ = run(rules, OK, request=Request("GET", "http://other/", same_origin=False))
    assert not sent[0].headers


def test_authorization_header_of_the_caller_is_kept() -> None:
    own = Request("GET", URL, ((b"authorization", b"Mine"),))
    for rules in (
        CredentialRules(USER),
        CredentialRules(find=lambda url: USER),
        CredentialRules(credential_cache={"http://host:8080": CachedCredential(USER, True)}),
    ):
        sent, last = run(rules, BASIC, request=own)
        assert sent == [own] and last.status == 401
    # after a 401 the handler may give other credentials
    handler = ScriptedAuthHandler(("user", "pass:wörd"))
    sent, _ = run(CredentialRules(handler=handler), BASIC, OK, request=own)
    assert field(sent[1], "Authorization") == [BASIC_FIELD]


def test_rfc7616_3_4_digest() -> None:
    sent, last = run(CredentialRules(AuthConfig.digest("user", "pass")), DIGEST, OK)
    assert last.status == 200 and not sent[0].headers
    (value,) = field(sent[1], "Authorization")
    given = dict(part.split("=", 1) for part in value[len("Digest ") :].replace('"', "").split(", "))
    one = hashlib.md5(b"user:there:pass").hexdigest()
    two = hashlib.md5(b"GET:/path?q=1").hexdigest()
    proof = hashlib.md5(f"{one}:n1:00000001:{given['cnonce']}:auth:{two}".encode()).hexdigest()
    assert given["response"] == proof and given["uri"] == "/path?q=1" and given["opaque"] == "o"


def test_basic_credentials_for_a_digest_challenge() -> None:
    sent, last = run(CredentialRules(USER), BOTH, OK)
    assert field(sent[0], "Authorization") == [BASIC_FIELD]
    assert field(sent[1], "Authorization")[0].startswith("Digest ") and last.status == 200


def test_digest_credentials_are_not_sent_for_a_basic_challenge() -> None:
    sent, last = run(CredentialRules(AuthConfig.digest("user", "pass")), BASIC)
    assert len(sent) == 1 and last.status == 401


def test_rfc7616_3_3_stale_nonce_is_replaced_once() -> None:
    stale = response(401, ("WWW-Authenticate", 'Digest realm="there", nonce="n2", qop="auth", stale=TRUE'))
    sent, last = run(CredentialRules(AuthConfig.digest("user", "pass")), DIGEST, stale, OK)
    assert 'nonce="n2"' in field(sent[2], "Authorization")[0] and last.status == 200
    sent, last = run(CredentialRules(AuthConfig.digest("user", "pass")), DIGEST, stale, stale)
    assert len(sent) == 3 and last.status == 401


def test_rfc7616_3_7_strongest_algorithm() -> None:
    offers = ('Digest realm="r", nonce="n", algorithm=MD5', 'Digest realm="r", nonce="n", algorithm=SHA-256')
    challenge = response(401, *(("WWW-Authenticate", offer) for offer in offers))
    sent, _ = run(CredentialRules(AuthConfig.digest("user", "pass")), challenge, OK)
    assert "algorithm=SHA-256" in field(sent[1], "Authorization")[0]


@pytest.mark.parametrize(
    "challenge", ['Digest realm="r", nonce="n", qop="auth-int"', 'Digest realm="r"', 'Digest nonce="n", algorithm=X']
)
def test_unsupported_digest_challenge(challenge: str) -> None:
    sent, last = run(CredentialRules(AuthConfig.digest("u", "p")), response(401, ("WWW-Authenticate", challenge)))
    assert len(sent) == 1 and last.status == 401


def test_handler_gets_realm_host_and_attempt_three_times() -> None:
    handler = ScriptedAuthHandler(("a", "1"), ("a", "2"), ("a", "3"))
    sent, last = run(CredentialRules(handler=handler), BASIC, BASIC, BASIC, BASIC)
    assert handler.questions == [("here", "host:8080", 1), ("here", "host:8080", 2), ("here", "host:8080", 3)]
    assert len(sent) == 4 and last.status == 401


def test_handler_is_asked_after_rejected_credentials() -> None:
    handler = ScriptedAuthHandler(None)
    sent, last = run(CredentialRules(USER, handler=handler), BOTH, BOTH)
    assert len(sent) == 2 and len(handler.questions) == 1 and last.status == 401


def test_accepted_credentials_are_cached_for_their_origin() -> None:
    credential_cache: dict[str, CachedCredential] = {}
    handler = ScriptedAuthHandler(("user", "pass:wörd"))
    run(CredentialRules(handler=handler, credential_cache=credential_cache), BASIC, OK)
    sent, _ = run(CredentialRules(handler=handler, credential_cache=credential_cache), OK)
    assert field(sent[0], "Authorization") == [BASIC_FIELD] and len(handler.questions) == 1
    sent, _ = run(
        CredentialRules(credential_cache=credential_cache), BASIC, request=Request("GET", "http://host:8081/")
    )
    assert not sent[0].headers


def test_password_of_a_digest_is_not_sent_preemptively() -> None:
    credential_cache: dict[str, CachedCredential] = {}
    run(CredentialRules(handler=ScriptedAuthHandler(("user", "pass")), credential_cache=credential_cache), BOTH, OK)
    sent, _ = run(CredentialRules(credential_cache=credential_cache), BOTH, OK)
    assert not sent[0].headers and field(sent[1], "Authorization")[0].startswith("Digest ")


def test_rejected_credentials_are_removed_from_the_cache() -> None:
    credential_cache = {"http://host:8080": CachedCredential(USER, True)}
    handler = ScriptedAuthHandler(("new", "one"))
    _, last = run(CredentialRules(handler=handler, credential_cache=credential_cache), BASIC, OK)
    assert last.status == 200 and credential_cache["http://host:8080"] == CachedCredential(
        AuthConfig.basic("new", "one"), True
    )
    credential_cache = {"http://host:8080": CachedCredential(USER, True)}
    run(CredentialRules(credential_cache=credential_cache), BASIC)
    assert credential_cache == {}


def test_handler_is_not_asked_without_a_known_challenge() -> None:
    handler = ScriptedAuthHandler()
    for refusal in (response(401), response(401, ("WWW-Authenticate", "Frobnicate x=y")), response(403)):
        sent, last = run(CredentialRules(handler=handler), refusal)
        assert len(sent) == 1 and last.status in (401, 403)


def test_bearer_token_of_the_handler() -> None:
    bearer = response(401, ("WWW-Authenticate", 'Bearer realm="api", error="invalid_token"'))
    handler = ScriptedAuthHandler(AuthConfig.bearer("fresh"))
    sent, _ = run(CredentialRules(AuthConfig.bearer("old"), handler=handler), bearer, OK)
    assert [field(each, "Authorization") for each in sent] == [["Bearer old"], ["Bearer fresh"]]
    assert handler.questions == [("api", "host:8080", 1)]


def test_ntlm_by_the_engine() -> None:
    rules = CredentialRules(USER, engine_supports_ntlm=lambda request: True)
    sent, last = run(rules, NTLM, OK)
    assert sent[1].connection_credentials == ConnectionCredentials("user", "pass:wörd") and last.status == 200
    assert "wörd" not in repr(sent[1].connection_credentials)
    # if no engine does it, the refusal stays
    sent, last = run(CredentialRules(USER), NTLM)
    assert len(sent) == 1 and last.status == 401


def test_endless_ntlm_handshake_is_a_401() -> None:
    endless = Response(
        Request("GET", ""),
        failure=network_failure(QtNetworkError.AuthenticationRequiredError, "again and again"),
        engine="qt",
    )
    handler = ScriptedAuthHandler(("a", "b"), ("a", "b"), ("a", "b"))
    sent, last = run(
        CredentialRules(handler=handler, engine_supports_ntlm=lambda request: True), NTLM, endless, endless, endless
    )
    assert len(sent) == 4 and last.status == 401 and last.failure is None


@pytest.mark.parametrize("wrong", ["user:password", ("user",), ("user", 1), 5])
def test_invalid_handler_result(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"an auth handler returns \(user, password\)"):
        run(CredentialRules(handler=lambda realm, host, attempt: wrong), BASIC)
