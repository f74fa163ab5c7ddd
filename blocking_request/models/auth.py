"""AuthConfig: credentials for a server, as a value that does not show its secrets."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any, Callable, NoReturn, Optional, Union
from urllib.parse import quote

from .._first_use import first_use
from .._names import public
from .tls import TlsSettings


@public
class AuthMethod(Enum):
    Basic = "basic"
    """User and password in clear text with every request (RFC 7617)."""
    Digest = "digest"
    """User and password, of which a digest is sent if the server asks (RFC 7616)."""
    Bearer = "bearer"
    """A token with every request (RFC 6750)."""
    ApiKeyHeader = "api-key-header"
    """A key in a header field of any name."""
    ApiKeyQuery = "api-key-query"
    """A key in a query parameter of any name."""
    ClientCertificate = "client-certificate"
    """A certificate shown in the TLS handshake."""
    RequestsAuth = "requests-auth"
    """A function of the caller's that signs each request, such as the ``auth`` objects of requests."""


RequestsAuth = Callable[[Any], Any]
"""Takes a ``requests.PreparedRequest``, adds credentials to it, and returns it: as a ``requests.auth.AuthBase``."""


def checked_auth_cfg(auth_cfg: Any) -> str:
    """Return the id of an authentication config; '' stands for no config. Raises TypeError."""
    if not isinstance(auth_cfg, str):
        text = f"authCfg must be the id of an authentication config, a str, not {type(auth_cfg).__name__}"
        if isinstance(auth_cfg, AuthConfig):
            text += ": setAuthConfig of a BlockingNetworkRequest takes the AuthConfig itself"
        raise TypeError(text)
    return auth_cfg


_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSENDABLE = re.compile(r"[\r\n\0]")


@public
@dataclass(frozen=True, repr=False)
class AuthConfig:
    """Credentials. A value, which any thread may use. Neither its repr nor an error shows its secrets.

    It cannot be pickled: send its id to another process, which must have a config of that id.

    Make one with ``AuthConfig.basic()``, ``digest()``, ``bearer()``, ``apiKey()``, ``clientCertificate()`` or
    ``requestsAuth()``.
    """

    method: AuthMethod
    user: str = ""
    secret: str = ""
    """Password, token or key; of a client certificate the password of its key."""
    name: str = ""
    """Of the header field or the query parameter."""
    certificate: str = ""
    """PEM, or the path of a file, which may be PKCS#12."""
    key: str = ""
    """The key as PEM, or the path of its file; '' if it is in the certificate's file."""
    auth: Optional[RequestsAuth] = field(default=None, compare=False)
    """The object of ``requestsAuth``. Configs are equal if they have the same object: it need not have a hash."""
    _auth_id: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.method, AuthMethod):
            raise TypeError("make one with AuthConfig.basic(user, password), bearer(token) or one of the others")
        for name in ("user", "secret", "name", "certificate", "key"):
            if not isinstance(getattr(self, name), str):
                what = "password, token or key" if name == "secret" else name
                raise TypeError(f"{what} must be a str, not {type(getattr(self, name)).__name__}")
        if self.method is AuthMethod.RequestsAuth or self.auth is not None:
            _check_auth(self.method, self.auth)
            object.__setattr__(self, "_auth_id", id(self.auth))
        if self.method in (AuthMethod.Basic, AuthMethod.Digest) and ":" in self.user:
            raise ValueError("a user name must not hold a colon (RFC 7617 section 2)")
        if self.method in (AuthMethod.Bearer, AuthMethod.ApiKeyHeader) and not self.secret.strip():
            raise ValueError("a token or key must not be empty")
        is_sent_as_it_is = self.method not in (AuthMethod.ClientCertificate, AuthMethod.ApiKeyQuery)
        if is_sent_as_it_is and _UNSENDABLE.search(self.user + self.secret):
            raise ValueError("a user name, password, token or key must not hold a line end or NUL")
        if self.method is AuthMethod.ApiKeyHeader and not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a header field (RFC 9110 section 5.1)")
        if self.method is AuthMethod.ApiKeyQuery and not self.name:
            raise ValueError("the name of a query parameter must not be empty")
        if self.method is AuthMethod.ClientCertificate and not self.certificate:
            raise ValueError("a client certificate is a path or PEM, and not empty")

    @classmethod
    def basic(cls, user: str, password: str) -> AuthConfig:
        """User and password, sent with every request. If the server asks for a digest, it gets a digest."""
        return cls(AuthMethod.Basic, user, password)

    @classmethod
    def digest(cls, user: str, password: str) -> AuthConfig:
        """User and password, of which only a digest is sent, and only when the server asks for it."""
        return cls(AuthMethod.Digest, user, password)

    @classmethod
    def bearer(cls, token: str) -> AuthConfig:
        """A token, sent as ``Authorization: Bearer ...``."""
        return cls(AuthMethod.Bearer, secret=token)

    @classmethod
    def apiKey(cls, key: str, header: str = "X-Api-Key", parameter: Optional[str] = None) -> AuthConfig:
        """A key, sent in the header field ``header``, or in the query parameter ``parameter`` if one is given."""
        if parameter is not None:
            return cls(AuthMethod.ApiKeyQuery, secret=key, name=parameter)
        return cls(AuthMethod.ApiKeyHeader, secret=key, name=header)

    @classmethod
    def clientCertificate(
        cls,
        certificate: Union[str, os.PathLike[str], bytes],
        key: Union[str, os.PathLike[str], bytes, None] = None,
        keyPassword: str = "",
    ) -> AuthConfig:
        """A certificate and its key, as paths or PEM; the key may stand in the certificate's file.

        ``certificate`` may be the path or the bytes of a PKCS#12 file, and ``keyPassword`` its password: as in
        TlsSettings.
        """
        return cls(AuthMethod.ClientCertificate, "", keyPassword, certificate=_text(certificate), key=_text(key or ""))

    @classmethod
    def requestsAuth(cls, auth: RequestsAuth) -> AuthConfig:
        """An ``auth`` object of requests: a ``requests.auth.AuthBase``, or any function that takes a
        ``requests.PreparedRequest``, adds credentials to it, and returns it.

        It is called in the thread of the blocked call, for each redirect and each attempt anew, and for the origin only
        for which the config was given. It may change the URL within that origin, header fields and the body, and
        register response hooks. A body that is read as it is sent is shown without its content: if the
        object fails with a TypeError or an AttributeError then, it is raised as a TypeError that names the reason.
        Other exceptions of the object are raised to the caller.

        Raises TypeError if ``auth`` cannot be called.
        """
        return cls(AuthMethod.RequestsAuth, auth=auth)

    def tls(self, base: Optional[TlsSettings]) -> TlsSettings:
        """``base`` with this client certificate."""
        return replace(
            base or TlsSettings(),
            clientCertificate=self.certificate,
            clientKey=self.key or None,
            keyPassword=self.secret or None,
        )

    def toJson(self) -> str:
        """Everything, the secrets too, as text for a place that keeps secrets.

        Raises TypeError for a config of ``requestsAuth``, whose object is no text.
        """
        if self.method is AuthMethod.RequestsAuth:
            raise TypeError(
                "an auth object of requests is no text: store the config in an AuthRegistry without keyring"
            )
        values = {name: value for name, value in asdict(self).items() if value}
        with first_use:
            import json
        return json.dumps({**values, "method": self.method.value})

    @classmethod
    def fromJson(cls, text: str) -> AuthConfig:
        """Return the config of a text that ``toJson`` has made. Raises ValueError for other texts."""
        with first_use:
            import json
        try:
            values = json.loads(text)
            return cls(**{**values, "method": AuthMethod(values["method"])})
        except (KeyError, TypeError, ValueError):
            # The text holds secrets: neither it nor the error that has it may go on.
            raise ValueError("this is no authentication config") from None

    def __repr__(self) -> str:
        return f"<AuthConfig {self.method.name}>"

    def __copy__(self) -> AuthConfig:
        return self

    def __deepcopy__(self, memo: Any) -> AuthConfig:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an AuthConfig is not pickled, because it holds secrets: pass its id (authCfg), and store the config under "
            "that id in the other process; toJson() gives the secrets to who really wants them"
        )


def _check_auth(method: AuthMethod, auth: Any) -> None:
    """Raise TypeError if ``auth`` is not a function that signs requests, or belongs to another method."""
    if method is not AuthMethod.RequestsAuth:
        raise TypeError(f"auth belongs to AuthConfig.requestsAuth(auth), and not to {method.name}")
    if isinstance(auth, type):
        raise TypeError(f"auth must be an object that can be called, not the class {auth.__name__}: make one of it")
    if isinstance(auth, (tuple, list)):
        raise TypeError("auth must be an object that can be called: for a user and a password take AuthConfig.basic")
    if not callable(auth):
        raise TypeError(
            "auth must be a requests.auth.AuthBase, or a function that takes and returns a requests.PreparedRequest, "
            f"not {type(auth).__name__}"
        )


AuthAnswer = Union[tuple[str, str], AuthConfig, None]
AuthHandler = Callable[[str, str, int], AuthAnswer]
"""A function that gets the realm, the host (with its port, unless it is the default) and the number of the attempt,
beginning with 1. It returns a pair of user and password, an AuthConfig, or None to give up."""


def basic_authorization(user: str, password: str) -> bytes:
    """The value of ``Authorization`` or ``Proxy-Authorization`` (RFC 7617), in UTF-8."""
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


def checked_answer(value: AuthAnswer) -> Optional[AuthConfig]:
    """Return the config that an AuthHandler means. Raises TypeError if its result is of another type."""
    if value is None or isinstance(value, AuthConfig):
        return value
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, str) for part in value):
        return AuthConfig.basic(*value)
    raise TypeError(f"an auth handler returns (user, password), an AuthConfig or None, not {type(value).__name__}")


def first_answer(*asked: tuple[Optional[Callable[..., AuthAnswer]], tuple[Any, ...]]) -> Optional[AuthConfig]:
    """Call functions with their arguments until one returns credentials. Return these, or None.

    Raises TypeError if a result is of another type.
    """
    for function, arguments in asked:
        config = None if function is None else checked_answer(function(*arguments))
        if config is not None:
            return config
    return None


def _text(value: Union[str, os.PathLike[str], bytes]) -> str:
    if not isinstance(value, bytes):
        return os.fspath(value)
    try:
        return value.decode("ascii")
    except UnicodeDecodeError:
        # PKCS#12. Text can be stored.
        return f"-----BEGIN PKCS12-----\n{base64.b64encode(value).decode()}\n-----END PKCS12-----\n"


def key_parameter(config: AuthConfig) -> str:
    """The query parameter of an API key, as it stands in the URL."""
    return f"{quote(config.name, safe='')}={quote(config.secret, safe='')}"


def secret_name(config: Optional[AuthConfig]) -> tuple[str, ...]:
    """Return the name of the query parameter or header field whose value must not be shown."""
    if config is None or config.method not in (AuthMethod.ApiKeyHeader, AuthMethod.ApiKeyQuery):
        return ()
    return (config.name if config.method is AuthMethod.ApiKeyHeader else quote(config.name, safe=""),)
