"""HttpHeader, HttpRequestHeader and HttpResponseHeader: the header classes of Qt 4's QHttp."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Union

_FOLD = re.compile(r"\r?\n[ \t]+")
_BLANK = re.compile(r"\s")
_REQUEST_LINE = re.compile(r"(\S+)\s+(\S+)\s+HTTP/(\d)\.(\d)")
_MAXIMUM_DIGITS = 18
"""The most digits of a Content-Length that surely fit into 64 bits."""
_STATUS_LINE = re.compile(r"HTTP/(\d)\.(\d)\s+(\d{1,9})(?:\s(.*))?")


class HttpHeader:
    """The fields of a request or a response, with the methods of Qt 4's QHttpHeader. For one thread at a time.

    Names are compared without regard to case, and keep the case they were given in. A name may occur several times.
    """

    _major = 1
    _minor = 1

    def __init__(self, header: Union[HttpHeader, str, None] = None) -> None:
        """Copy a header, or parse a str of lines ``name: value``. None: create an empty header, which is not valid.

        Raises TypeError for another object.
        """
        self._fields: list[tuple[str, str]] = []
        self._is_valid = False
        if isinstance(header, HttpHeader):
            self.__dict__.update(header.__dict__)
            self._fields = list(header._fields)
        elif isinstance(header, str):
            self._is_valid = self._parse(header)
        elif header is not None:
            raise TypeError(f"header must be an HttpHeader or a str, not {type(header).__name__}")

    def isValid(self) -> bool:
        """Return whether the first line was set, or a text was parsed without error."""
        return self._is_valid

    def value(self, key: str) -> str:
        """Return the first value of a field, '' if there is none."""
        return next(iter(self.allValues(key)), "")

    def allValues(self, key: str) -> list[str]:
        """Return all values of a field."""
        return [value for name, value in self._fields if name.lower() == key.lower()]

    def hasKey(self, key: str) -> bool:
        """Return whether there is a field of that name."""
        return bool(self.allValues(key))

    def keys(self) -> list[str]:
        """Return the names of the fields, each once."""
        return list({name.lower(): name for name, _ in reversed(self._fields)}.values())[::-1]

    def values(self) -> list[tuple[str, str]]:
        """Return the name and value of each field."""
        return list(self._fields)

    def setValue(self, key: str, value: str) -> None:
        """Replace the first field of that name, or add a field if there is none."""
        for place, (name, _) in enumerate(self._fields):
            if name.lower() == key.lower():
                self._fields[place] = name, value
                return
        self.addValue(key, value)

    def setValues(self, values: Iterable[tuple[str, str]]) -> None:
        """Replace all fields by pairs of name and value."""
        self._fields = [(name, value) for name, value in values]

    def addValue(self, key: str, value: str) -> None:
        """Add a field. Fields of the same name stay."""
        self._fields.append((key, value))

    def removeValue(self, key: str) -> None:
        """Remove the first field of that name."""
        for place, (name, _) in enumerate(self._fields):
            if name.lower() == key.lower():
                del self._fields[place]
                return

    def removeAllValues(self, key: str) -> None:
        """Remove all fields of that name."""
        self._fields = [pair for pair in self._fields if pair[0].lower() != key.lower()]

    def hasContentLength(self) -> bool:
        """Return whether there is a ``Content-Length``."""
        return self.hasKey("content-length")

    def contentLength(self) -> int:
        """Return ``Content-Length`` in bytes; 0 if it is missing or not a number."""
        text = self.value("content-length").strip()
        # int() raises ValueError for more than 4300 digits.
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAXIMUM_DIGITS else 0

    def setContentLength(self, len: int) -> None:
        """Set ``Content-Length`` in bytes. A request is always sent with the length of its body instead."""
        self.setValue("Content-Length", str(len))

    def hasContentType(self) -> bool:
        """Return whether there is a ``Content-Type``."""
        return self.hasKey("content-type")

    def contentType(self) -> str:
        """Return the media type, without its parameters (RFC 9110 section 8.3)."""
        return self.value("content-type").partition(";")[0].strip()

    def setContentType(self, type: str) -> None:
        """Set ``Content-Type``."""
        self.setValue("Content-Type", type)

    def majorVersion(self) -> int:
        """Return the major version of HTTP."""
        return self._major

    def minorVersion(self) -> int:
        """Return the minor version of HTTP."""
        return self._minor

    def toString(self) -> str:
        """Return the fields as lines, as they are sent; '' if the header is not valid."""
        return "".join(f"{name}: {value}\r\n" for name, value in self._fields) if self._is_valid else ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._fields)} fields>"

    def _set_version(self, major: int, minor: int) -> None:
        self._is_valid, self._major, self._minor = True, major, minor

    def _parse(self, text: str) -> bool:
        # A line that begins with a space or tab continues the line before (obs-fold, RFC 9112 section 5.2).
        lines = _FOLD.sub(" ", text.strip()).splitlines()
        return bool(lines) and all(self._parse_line(line, number) for number, line in enumerate(lines))

    def _parse_line(self, line: str, number: int) -> bool:
        name, colon, value = line.partition(":")
        if colon:
            self.addValue(name.strip(), value.strip())
        return bool(colon)


class HttpRequestHeader(HttpHeader):
    """The header of a request, with the methods of Qt 4's QHttpRequestHeader."""

    _method = ""
    _path = ""

    def __init__(
        self, method: Union[str, HttpRequestHeader] = "", path: str = "", majorVer: int = 1, minorVer: int = 1
    ) -> None:
        """Create a header: ``HttpRequestHeader("GET", "/index.html")``.

        Or parse a str, copy an HttpRequestHeader, or create an empty header that is not valid. ``path``: an absolute
        path or an absolute URI; percent-encoded.
        """
        is_first_line = isinstance(method, str) and method and not path and not _BLANK.search(method)
        if path or is_first_line:
            super().__init__()
            self.setRequest(str(method), path, majorVer, minorVer)
        else:
            super().__init__(method or None)

    def setRequest(self, method: str, path: str, majorVer: int = 1, minorVer: int = 1) -> None:
        """Set the request line: the method, the path or URI, and the version of HTTP."""
        self._method, self._path = method, path
        self._set_version(majorVer, minorVer)

    def method(self) -> str:
        """Return the method, such as ``GET``."""
        return self._method

    def path(self) -> str:
        """Return the path or URI of the request."""
        return self._path

    def toString(self) -> str:
        """Return the request line and the fields, as they are sent."""
        return f"{self._method} {self._path} HTTP/{self._major}.{self._minor}\r\n{super().toString()}\r\n"

    def _parse_line(self, line: str, number: int) -> bool:
        if number:
            return super()._parse_line(line, number)
        match = _REQUEST_LINE.fullmatch(line.strip())
        if match:
            self.setRequest(match[1], match[2], int(match[3]), int(match[4]))
        return bool(match)


class HttpResponseHeader(HttpHeader):
    """The header of a response, with the methods of Qt 4's QHttpResponseHeader."""

    _code = 0
    _text = ""

    def __init__(
        self,
        code: Union[int, str, HttpResponseHeader, None] = None,
        text: str = "",
        majorVer: int = 1,
        minorVer: int = 1,
    ) -> None:
        """Create a header: ``HttpResponseHeader(200, "OK")``.

        Or parse a str, copy an HttpResponseHeader, or create an empty header that is not valid.
        """
        if isinstance(code, int):
            super().__init__()
            self.setStatusLine(code, text, majorVer, minorVer)
        else:
            super().__init__(code)

    def setStatusLine(self, code: int, text: str = "", majorVer: int = 1, minorVer: int = 1) -> None:
        """Set the status line: the status code, the reason phrase, and the version of HTTP."""
        self._code, self._text = code, text
        self._set_version(majorVer, minorVer)

    def statusCode(self) -> int:
        """Return the status code, such as 200 (RFC 9110 section 15); 0 if there is none."""
        return self._code

    def reasonPhrase(self) -> str:
        """Return the reason phrase, such as ``OK``; '' over HTTP/2, which has none."""
        return self._text

    def toString(self) -> str:
        """Return the status line and the fields, as HTTP/1.1 sends them."""
        return f"HTTP/{self._major}.{self._minor} {self._code} {self._text}\r\n{super().toString()}\r\n"

    def _parse_line(self, line: str, number: int) -> bool:
        if number:
            return super()._parse_line(line, number)
        match = _STATUS_LINE.fullmatch(line.strip())
        if match:
            self.setStatusLine(int(match[3]), (match[4] or "").strip(), int(match[1]), int(match[2]))
        return bool(match)
