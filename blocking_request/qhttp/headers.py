"""HttpHeader and its kin: what QHttpHeader, QHttpRequestHeader and QHttpResponseHeader were."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Union

_FOLD = re.compile(r"\r?\n[ \t]+")
_BLANK = re.compile(r"\s")
_REQUEST_LINE = re.compile(r"(\S+)\s+(\S+)\s+HTTP/(\d)\.(\d)")
_MAXIMUM_DIGITS = 18
"""Of a length: as many as fit into 64 bits."""
_STATUS_LINE = re.compile(r"HTTP/(\d)\.(\d)\s+(\d{1,9})(?:\s(.*))?")


class HttpHeader:
    """The fields of a request or a response, with QHttpHeader's names. For one thread at a time.

    Names are found in any case and kept as they were given; a field may stand there several times.
    """

    _major = 1
    _minor = 1

    def __init__(self, header: Union[HttpHeader, str, None] = None) -> None:
        """A copy of another, or what stands in a text of lines ``name: value``; empty, and not valid, without one."""
        self._fields: list[tuple[str, str]] = []
        self._is_valid = False
        if isinstance(header, HttpHeader):
            self.__dict__.update(header.__dict__)
            self._fields = list(header._fields)
        elif isinstance(header, str):
            self._is_valid = self._parse(header)
        elif header is not None:
            raise TypeError(f"header must be another one or a str, not {type(header).__name__}")

    def isValid(self) -> bool:
        """Whether anything has been put in, and could be read."""
        return self._is_valid

    def value(self, key: str) -> str:
        """The first value of a field, '' where there is none."""
        return next(iter(self.allValues(key)), "")

    def allValues(self, key: str) -> list[str]:
        """Every value of a field."""
        return [value for name, value in self._fields if name.lower() == key.lower()]

    def hasKey(self, key: str) -> bool:
        """Whether there is a field."""
        return bool(self.allValues(key))

    def keys(self) -> list[str]:
        """The names of the fields, each once."""
        return list({name.lower(): name for name, _ in reversed(self._fields)}.values())[::-1]

    def values(self) -> list[tuple[str, str]]:
        """Name and value of each field."""
        return list(self._fields)

    def setValue(self, key: str, value: str) -> None:
        """Set the first field of that name; another is added where there is none."""
        for place, (name, _) in enumerate(self._fields):
            if name.lower() == key.lower():
                self._fields[place] = name, value
                return
        self.addValue(key, value)

    def setValues(self, values: Iterable[tuple[str, str]]) -> None:
        """Name and value of each field, in the place of what was there."""
        self._fields = [(name, value) for name, value in values]

    def addValue(self, key: str, value: str) -> None:
        """Add a field, also where there is one of that name."""
        self._fields.append((key, value))

    def removeValue(self, key: str) -> None:
        """Remove the first field of that name."""
        for place, (name, _) in enumerate(self._fields):
            if name.lower() == key.lower():
                del self._fields[place]
                return

    def removeAllValues(self, key: str) -> None:
        """Remove every field of that name."""
        self._fields = [pair for pair in self._fields if pair[0].lower() != key.lower()]

    def hasContentLength(self) -> bool:
        """Whether there is a ``Content-Length``."""
        return self.hasKey("content-length")

    def contentLength(self) -> int:
        """What ``Content-Length`` says, in bytes; 0 where it is no number."""
        text = self.value("content-length").strip()
        # Python refuses to read a number of thousands of digits.
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAXIMUM_DIGITS else 0

    def setContentLength(self, len: int) -> None:
        """Set ``Content-Length``, in bytes. What is sent has the length of its body, whatever this says."""
        self.setValue("Content-Length", str(len))

    def hasContentType(self) -> bool:
        """Whether there is a ``Content-Type``."""
        return self.hasKey("content-type")

    def contentType(self) -> str:
        """The media type, without its parameters."""
        return self.value("content-type").partition(";")[0].strip()

    def setContentType(self, type: str) -> None:
        """Set ``Content-Type``."""
        self.setValue("Content-Type", type)

    def majorVersion(self) -> int:
        """Of HTTP."""
        return self._major

    def minorVersion(self) -> int:
        """Of HTTP."""
        return self._minor

    def toString(self) -> str:
        """As it stands on the connection; '' where it is not valid."""
        return "".join(f"{name}: {value}\r\n" for name, value in self._fields) if self._is_valid else ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._fields)} fields>"

    def _set_version(self, major: int, minor: int) -> None:
        self._is_valid, self._major, self._minor = True, major, minor

    def _parse(self, text: str) -> bool:
        # A line that begins with a blank goes on with the one before.
        lines = _FOLD.sub(" ", text.strip()).splitlines()
        return bool(lines) and all(self._parse_line(line, number) for number, line in enumerate(lines))

    def _parse_line(self, line: str, number: int) -> bool:
        name, colon, value = line.partition(":")
        if colon:
            self.addValue(name.strip(), value.strip())
        return bool(colon)


class HttpRequestHeader(HttpHeader):
    """The header of a request: ``HttpRequestHeader("GET", "/index.html")``, a text, a copy of another, or empty."""

    _method = ""
    _path = ""

    def __init__(
        self, method: Union[str, HttpRequestHeader] = "", path: str = "", majorVer: int = 1, minorVer: int = 1
    ) -> None:
        """``path``: absolute, or an absolute URI, percent-encoded."""
        is_first_line = isinstance(method, str) and method and not path and not _BLANK.search(method)
        if path or is_first_line:
            super().__init__()
            self.setRequest(str(method), path, majorVer, minorVer)
        else:
            super().__init__(method or None)

    def setRequest(self, method: str, path: str, majorVer: int = 1, minorVer: int = 1) -> None:
        """Set the first line."""
        self._method, self._path = method, path
        self._set_version(majorVer, minorVer)

    def method(self) -> str:
        """``GET`` and its like."""
        return self._method

    def path(self) -> str:
        """Of the request: a path or a URI."""
        return self._path

    def toString(self) -> str:
        """As it stands on the connection."""
        return f"{self._method} {self._path} HTTP/{self._major}.{self._minor}\r\n{super().toString()}\r\n"

    def _parse_line(self, line: str, number: int) -> bool:
        if number:
            return super()._parse_line(line, number)
        match = _REQUEST_LINE.fullmatch(line.strip())
        if match:
            self.setRequest(match[1], match[2], int(match[3]), int(match[4]))
        return bool(match)


class HttpResponseHeader(HttpHeader):
    """The header of a response: ``HttpResponseHeader(200, "OK")``, a text, a copy of another, or empty."""

    _code = 0
    _text = ""

    def __init__(
        self,
        code: Union[int, str, HttpResponseHeader, None] = None,
        text: str = "",
        majorVer: int = 1,
        minorVer: int = 1,
    ) -> None:
        if isinstance(code, int):
            super().__init__()
            self.setStatusLine(code, text, majorVer, minorVer)
        else:
            super().__init__(code)

    def setStatusLine(self, code: int, text: str = "", majorVer: int = 1, minorVer: int = 1) -> None:
        """Set the first line."""
        self._code, self._text = code, text
        self._set_version(majorVer, minorVer)

    def statusCode(self) -> int:
        """200 and its like (RFC 9110 section 15); 0 where there is none."""
        return self._code

    def reasonPhrase(self) -> str:
        """What the server says beside the status; HTTP/2 has none."""
        return self._text

    def toString(self) -> str:
        """As it stands on the connection."""
        return f"HTTP/{self._major}.{self._minor} {self._code} {self._text}\r\n{super().toString()}\r\n"

    def _parse_line(self, line: str, number: int) -> bool:
        if number:
            return super()._parse_line(line, number)
        match = _STATUS_LINE.fullmatch(line.strip())
        if match:
            self.setStatusLine(int(match[3]), (match[4] or "").strip(), int(match[1]), int(match[2]))
        return bool(match)
