"""Http: an HTTP client with the methods and signals of Qt 4's QHttp."""

from .headers import HttpHeader, HttpRequestHeader, HttpResponseHeader
from .http import Http

__all__ = ["Http", "HttpHeader", "HttpRequestHeader", "HttpResponseHeader"]

for _each in (Http, HttpHeader, HttpRequestHeader, HttpResponseHeader):
    _each.__module__ = __name__
