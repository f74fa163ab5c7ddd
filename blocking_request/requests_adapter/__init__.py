"""Programs of ``requests`` over the engines of this package."""

from .adapter import QtAdapter
from .response import RequestCanceled
from .sessions import requests_session, route_requests

__all__ = ["QtAdapter", "RequestCanceled", "requests_session", "route_requests"]

RequestCanceled.__module__ = __name__
