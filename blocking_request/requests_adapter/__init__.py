"""Programs of ``requests`` over the engines of this package."""

from .adapter import QtAdapter, requests_session, route_requests
from .response import RequestCanceled

__all__ = ["QtAdapter", "RequestCanceled", "requests_session", "route_requests"]

RequestCanceled.__module__ = __name__
