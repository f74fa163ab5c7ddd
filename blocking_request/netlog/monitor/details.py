"""CallDetails: the pane that shows one call of the log, and each request of it."""

from __future__ import annotations

from html import escape
from typing import Optional

from ...models.redaction import printable
from ...qt.binding import Slot
from ...qt.widgets import QtGui, QtWidgets, known
from ..entry import NetworkEntry, record_of_entry
from .body_preview import BodyPreview, BodySize
from .colors import MonitorColors
from .texts import bounded, counted, moment_text, size_text, status_text, time_text
from .timings_view import TimingsView

REQUESTS_LISTED = 200
"""Of one call, at most."""
FIELDS_LISTED = 300
"""Of one header, at most."""

_Pairs = list[tuple[str, str]]


class CallDetails(QtWidgets.QWidget):
    """Shows a call: general facts, header fields, bodies, timings and the TLS session.

    If the call has several requests, a list chooses one of them, or the call with its first request and last response.
    """

    def __init__(self, colors: MonitorColors, wants_trace: bool, parent: QtWidgets.QWidget) -> None:
        """``wants_trace``: whether the log asks the qt engine for the steps of its requests."""
        super().__init__(parent)
        self._wants_trace = wants_trace
        self._entry: Optional[NetworkEntry] = None
        self._state: Optional[tuple[object, ...]] = None
        self._requests = QtWidgets.QComboBox(self)
        self._requests.setAccessibleName("Request of the call")
        self._requests.setToolTip("The requests of this call: redirects, retries, logins, responses of the cache")
        policy = QtWidgets.QSizePolicy.Policy
        self._requests.setSizePolicy(policy.Ignored, policy.Fixed)
        self._requests.activated.connect(self._choose)
        self._general = self._page("General")
        self._headers = self._page("Header fields")
        self._tls = self._page("TLS session")
        self._request_body = BodyPreview("Body of the request", self)
        self._response_body = BodyPreview("Body of the response", self)
        self._timings = TimingsView(colors)
        scroll = QtWidgets.QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setBackgroundRole(QtGui.QPalette.ColorRole.Base)
        scroll.setWidget(self._timings)
        self.tabs = QtWidgets.QTabWidget(self)
        known(self.tabs.tabBar()).setAccessibleName("Details of the call")
        self.tabs.setDocumentMode(True)
        for page, title in (
            (self._general, "General"),
            (self._headers, "Headers"),
            (self._request_body, "Request"),
            (self._response_body, "Response"),
            (scroll, "Timings"),
            (self._tls, "TLS"),
        ):
            self.tabs.addTab(page, title)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._requests)
        layout.addWidget(self.tabs, 1)
        self.show_call(None)

    def _page(self, name: str) -> QtWidgets.QTextEdit:
        page = QtWidgets.QTextEdit(self)
        page.setReadOnly(True)
        page.setTabChangesFocus(True)
        page.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        page.setWordWrapMode(QtGui.QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        page.setAccessibleName(name)
        return page

    def set_colors(self, colors: MonitorColors) -> None:
        """Use the colours of another palette."""
        self._timings.set_colors(colors)

    def chosen(self) -> Optional[NetworkEntry]:
        """Return the call or the request of it that is shown; None without a call. The only request is the call."""
        if self._entry is None:
            return None
        requests = self._entry.children()
        place = self._requests.currentIndex() - 1 if len(requests) > 1 else 0
        return requests[place] if 0 <= place < len(requests) else self._entry

    def show_call(self, entry: Optional[NetworkEntry]) -> None:
        """Show a call; None: none. The chosen request and the scroll positions stay if the call is the same."""
        requests = [] if entry is None else entry.children()[:REQUESTS_LISTED]
        state = (entry, entry is not None and entry.isFinished(), [each.isFinished() for each in requests])
        if state == self._state:
            return
        chosen = max(self._requests.currentIndex(), 0) if entry == self._entry else 0
        self._state, self._entry = state, entry
        self._requests.clear()
        has_choice = entry is not None and len(requests) > 1
        for number, each in enumerate([entry, *requests] if entry is not None and has_choice else []):
            name = f"{number}. {each.kind()}" if number else "Call"
            self._requests.addItem(bounded(f"{name}: {status_text(each)} {each.method()} {each.url()}", 300))
        self._requests.setCurrentIndex(chosen)
        self._requests.setVisible(has_choice)
        self._show()

    @Slot(int)
    def _choose(self, place: int) -> None:
        self._show()

    def _show(self) -> None:
        call, request = self._entry, self.chosen()
        self._timings.show_entry(request, self._wants_trace)
        if call is None or request is None:
            for page in (self._general, self._headers, self._tls):
                page.setPlainText("Select a call in the table.")
            for body in (self._request_body, self._response_body):
                body.show_body(None, BodySize(0, 0), "", "Select a call in the table.")
            return
        _set_html(self._general, _table("The request" if request != call else "The call", _facts(request, call)))
        first, last = ("First request: ", "Last response: ") if len(request.children()) > 1 else ("", "")
        _set_html(
            self._headers,
            _table(first + (bounded(request.requestLine()) or "Request"), _first(request.requestHeaders()))
            + _table(last + _status_line(request), _first(request.responseHeaders())),
        )
        _set_html(self._tls, _table("TLS session", _session(request)) if request.sessionProtocol() else "No TLS.")
        self._show_bodies(request)

    def _show_bodies(self, request: NetworkEntry) -> None:
        record = record_of_entry(request)
        fields, size = request.requestHeaders(), request.requestSize()
        missing = "The request has no body."
        if record.request_body is None and size:
            missing = "The log has not kept the body: it was read from a file or an iterator."
        self._request_body.show_body(
            request.requestBody(), BodySize(size, len(record.request_body or b"")), _content_type(fields), missing
        )
        fields, size = request.responseHeaders(), request.responseSize()
        missing = "The log has not kept the body."
        if request.statusCode() is None:
            missing = "There is no response." if request.isFinished() else "There is no response yet."
        body = request.responseBody() if request.isFinished() else None
        self._response_body.show_body(
            body, BodySize(size, len(record.response_body or b"")), _content_type(fields), missing
        )


def _set_html(page: QtWidgets.QTextEdit, html: str) -> None:
    bar = known(page.verticalScrollBar())
    place = bar.value()
    page.setHtml(html)
    bar.setValue(place)


def _table(title: str, pairs: _Pairs) -> str:
    rows = "".join(
        f"<tr><td style='padding-right: 12px'><b>{escape(printable(bounded(name, 200)))}</b></td>"
        f"<td>{escape(printable(bounded(value)))}</td></tr>"
        for name, value in pairs
        if value
    )
    heading = f"<h4 style='margin: 4px 0'>{escape(printable(title))}</h4>"
    return f"{heading}<table cellspacing='0' cellpadding='2'>{rows}</table>"


def _first(pairs: _Pairs) -> _Pairs:
    left = len(pairs) - FIELDS_LISTED
    return pairs if left <= 0 else [*pairs[:FIELDS_LISTED], ("…", f"{left} more fields")]


def _content_type(pairs: _Pairs) -> str:
    return next((value for name, value in pairs if name.lower() == "content-type"), "")


def _status_line(request: NetworkEntry) -> str:
    if request.statusCode() is None:
        return "No response"
    return bounded(f"{request.httpVersion()} {request.statusCode()} {request.reasonPhrase()}".strip())


def _facts(request: NetworkEntry, call: NetworkEntry) -> _Pairs:
    reused = {None: "", True: "yes", False: "no"}[request.isReused()]
    calls = f"{call.requestId()}, {status_text(call)}"
    if call.isFinished():
        calls += f" after {time_text(call.elapsed() * 1000)}, {counted(len(call.children()), 'request')}"
    return [
        ("URL", request.url()),
        ("Method", request.method()),
        ("Status", f"{status_text(request)} {request.reasonPhrase()}".strip()),
        ("Error", request.errorString()),
        ("Reason", request.kind() if request != call else ""),
        ("Started", moment_text(request.started())),
        ("Time", time_text(request.elapsed() * 1000) if request.isFinished() else ""),
        ("Size", size_text(request.responseSize()) if request.statusCode() is not None else ""),
        ("Received", size_text(request.receivedBytes()) if request.isFinished() else ""),
        ("Engine", request.engine()),
        ("HTTP version", request.httpVersion()),
        ("Server", request.remoteAddress()),
        ("Proxy", request.proxy()),
        ("Connection reused", reused),
        ("Call", calls),
        ("Error of the call", call.errorString() if call.errorString() != request.errorString() else ""),
        ("Thread", call.thread()),
    ]


def _session(request: NetworkEntry) -> _Pairs:
    pairs = [("Protocol", request.sessionProtocol()), ("Cipher", request.sessionCipher())]
    certificate = request.peerCertificate()
    if certificate is not None:
        pairs += [
            ("Subject", certificate.subject()),
            ("Issuer", certificate.issuer()),
            ("Names", ", ".join(certificate.names())),
            ("Fingerprint", certificate.fingerprint()),
        ]
    return pairs
