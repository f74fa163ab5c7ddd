"""Sends a request that an auth object of requests signs, and calls the response hooks that the object registers.

Theory of operation: ``auth(prepared)`` is called as requests calls it, for each attempt. A hook (``HTTPDigestAuth``,
``HTTPKerberosAuth``) is a function that gets a ``requests.Response``, may send further requests by
``response.connection.send()``, and returns the response that counts. It cannot be suspended as a generator can. It
cannot be called twice either, because it counts its calls. So the flow yields CallerCode: the driver calls the hook,
and drives the flow of each further request while the hook waits for its response.
"""

from __future__ import annotations

import io
from functools import partial
from types import SimpleNamespace
from typing import Any, Callable, NoReturn, Optional

import requests
from requests.adapters import BaseAdapter
from requests.cookies import extract_cookies_to_jar
from requests.models import PreparedRequest
from requests.models import Response as RequestsResponse
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from ...errors import ErrorCode
from ...models.auth import RequestsAuth
from ...models.headers import FRAMING_FIELDS, Headers, encoded, known_fields
from ...models.http_messages import Request, Response
from ...models.urllib3_response import OriginalResponse, urllib3_response
from .. import CallerCode, Flow, Send
from .prepared_request import prepared_request, signed_request, without_parameters_in_location

Drive = Callable[[Flow], Response]
"""Drives a flow to its end, in the thread of the caller."""

CLIENT_ERRORS = range(400, 500)
"""The statuses that the hook of HTTPDigestAuth looks at."""

_FRAMING_AND_CODING = FRAMING_FIELDS | {b"content-encoding"}


def send_with_auth(request: Request, auth: RequestsAuth, send: Send) -> Flow:
    """Have an auth object sign a request, send it, and call the hooks of the object.

    Raises TypeError for results of wrong types, RequestNotSent if the signed request may not be sent, and the
    exceptions of the object and its hooks.
    """
    prepared = _signed(auth, request)
    if not isinstance(prepared, PreparedRequest):
        raise TypeError(
            "an auth object must return the requests.PreparedRequest that it was given, "
            f"and {type(auth).__name__} has returned {type(prepared).__name__}"
        )
    hooks = prepared.hooks.get("response") or ()
    hooks = [hooks] if callable(hooks) else list(hooks)
    if hooks and request.streams_all:
        request = request._replace(streams_all=False)  # hooks read the bodies of challenges
    signed, added = signed_request(prepared, request)
    response = yield from send(signed)
    if hooks and response.failure is None and response.status is not None:
        connection = _Connection(request, send, added)
        sign_again = partial(_sign_again, auth, request)
        response = yield CallerCode(partial(_call_hooks, hooks, prepared, response, connection, sign_again))
        added = connection.added_parameters
    headers = without_parameters_in_location(response.headers, added)
    return response if headers is response.headers else response._replace(headers=headers)


def _sign_again(auth: RequestsAuth, request: Request) -> None:
    _signed(auth, request)


def _signed(auth: RequestsAuth, request: Request) -> Any:
    """Return what an auth object makes of a request.

    An object that reads a body without content has an error that does not name the reason. Symptom: "TypeError: object
    supporting the buffer API required", of hashlib.
    """
    try:
        return auth(prepared_request(request))
    except (TypeError, AttributeError) as error:
        if request.body is None or isinstance(request.body, bytes):
            raise
        raise TypeError(
            f"{error} (an error of the auth object of the type {type(auth).__name__}). No auth object can read this "
            "body, because it is read while it is sent: give it as bytes, or an auth object that does not need it"
        ) from error


def _call_hooks(
    hooks: list[Callable[..., Any]],
    prepared: PreparedRequest,
    first: Response,
    connection: _Connection,
    sign_again: Callable[[], None],
    drive: Drive,
    has_others: bool,
) -> Response:
    """Call hooks as ``requests.Session.send`` does; return the response that counts."""
    if has_others and first.status in CLIENT_ERRORS:
        # HTTPDigestAuth keeps its state by thread, and begins it when it signs. Another request may have changed it.
        sign_again()
    connection.drive = drive
    current = connection.add_response(prepared, first)
    try:
        for hook in hooks:
            result = hook(current, stream=False, timeout=None, verify=True, cert=None, proxies={})
            current = current if result is None else result
        return connection.stopped or connection.response_of(current)
    except requests.RequestException as error:
        failed = connection.response_of_error(error)
        if failed is None:
            raise
        return failed
    finally:
        connection.end()


class _Connection(BaseAdapter):
    """The ``connection`` of the responses that hooks get. It sends by the policies below the credentials."""

    def __init__(self, request: Request, send: Send, added_parameters: frozenset[str]) -> None:
        super().__init__()
        self.drive: Optional[Drive] = None
        """None outside the hooks."""
        self.added_parameters = added_parameters
        self.stopped: Optional[Response] = None
        """The response of a call that was cancelled or timed out while a hook waited. No hook can change it."""
        self._request = request
        self._send = send
        self._responses: list[tuple[RequestsResponse, Response]] = []
        self._errors: list[tuple[Exception, Response]] = []

    def __repr__(self) -> str:
        return "<the connection of a response hook>"

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> RequestsResponse:
        """Send a request to the same origin; block until its response is there.

        The settings of the call count, and not the arguments. Raises ConnectionError, Timeout, UnrewindableBodyError of
        requests, and RequestNotSent.
        """
        if self.drive is None:
            raise RuntimeError("a connection of a response hook can send while the hook runs, and not afterwards")
        signed, added = signed_request(request, self._request)
        if not signed.is_replayable:
            text = "the body cannot be sent again: what it is read from cannot go back to its beginning"
            self._fail(requests.exceptions.UnrewindableBodyError(text, request=request), self._responses[-1][1])
        self.added_parameters |= added
        response = self.drive(self._send(signed))
        failure = response.failure
        if failure is not None:
            if failure.ends_the_call or failure.code is ErrorCode.CanceledError:
                self.stopped = response
            is_late = failure.code is ErrorCode.TimeoutError
            kind = requests.exceptions.ReadTimeout if is_late else requests.exceptions.ConnectionError
            self._fail(kind(failure.text, request=request), response)
        return self.add_response(request, response)

    def close(self) -> None:
        pass

    def end(self) -> None:
        """Refuse further requests, and drop the responses, which reference this object."""
        self.drive = None
        self._responses, self._errors = [], []

    def _fail(self, error: Exception, response: Response) -> NoReturn:
        self._errors.append((error, response))
        raise error

    def response_of_error(self, error: Exception) -> Optional[Response]:
        """Return the result of the call if ``send`` has raised this error, and the hook has let it pass."""
        return next((response for known, response in self._errors if known is error), None)

    def add_response(self, prepared: PreparedRequest, response: Response) -> RequestsResponse:
        """Return a response as a hook sees it. It is one of those that the hook may return."""
        shown = _build_response(prepared, response, self)
        self._responses.append((shown, response))
        return shown

    def response_of(self, shown: Any) -> Response:
        """Return the Response that a hook means. Raises TypeError, and RuntimeError if its body cannot be read."""
        if not isinstance(shown, RequestsResponse):
            raise TypeError(f"a response hook must return a requests.Response or None, not {type(shown).__name__}")
        last = self._responses[-1][1]
        for known, response in self._responses:
            if known is shown:
                if response.is_streaming and response is not last:
                    raise RuntimeError("a response hook has returned a response whose body is gone: it has sent again")
                return response
        if not isinstance(shown.status_code, int):
            raise TypeError("a response hook has returned a requests.Response without a status_code")
        # The hook has made it itself, as HTTPKerberosAuth does to hide a body that was not authenticated.
        pairs = tuple((encoded(name), encoded(value)) for name, value in shown.headers.items())
        return last._replace(
            status=shown.status_code,
            reason=shown.reason or "",
            headers=known_fields(pairs),
            body=shown.content or b"",
            is_streaming=False,
            keep=None,
        )


class _StreamedBody(io.RawIOBase):
    """Stands for a body that goes to the caller as it comes."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise RuntimeError("a response hook cannot read the body of a response that is streamed, or goes into a file")


def _build_response(prepared: PreparedRequest, response: Response, connection: BaseAdapter) -> RequestsResponse:
    """Return what ``HTTPAdapter.build_response`` makes of a response."""
    pairs = response.headers.pairs
    shown = RequestsResponse()
    shown.status_code = response.status or 0
    shown.headers = CaseInsensitiveDict(Headers(pairs))
    shown.encoding = get_encoding_from_headers(shown.headers)  # type: ignore[no-untyped-call]
    shown.reason = response.reason
    shown.url = prepared.url or ""
    shown.request = prepared
    shown.connection = connection  # type: ignore[assignment]
    # requests would decode the body again if ``raw`` named its coding.
    raw_fields = pairs
    if response.request.decode:
        raw_fields = tuple(pair for pair in pairs if pair[0].lower() not in _FRAMING_AND_CODING)
    body = _StreamedBody() if response.is_streaming else io.BytesIO(response.body)
    shown.raw = urllib3_response(response, body, raw_fields, prepared)
    _extract_cookies(shown, response)
    return shown


def _extract_cookies(shown: RequestsResponse, response: Response) -> None:
    """Fill ``cookies``.

    ``raw`` has no cookies. A hook copies cookies from ``raw`` into its next request; the cookie layer adds them
    already, so they would be sent twice.
    """
    if not response.headers.has_set_cookie:
        return
    raw = SimpleNamespace(_original_response=OriginalResponse(response.headers.pairs))
    extract_cookies_to_jar(shown.cookies, shown.request, raw)  # type: ignore[no-untyped-call]
