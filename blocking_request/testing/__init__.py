"""Tests without a server: replies from the test in the place of the network."""

from .fake_replies import FakeReplies
from .reply import makeReply
from .routes import FakeRoute
from .sent_request import SentRequest

__all__ = ["FakeReplies", "FakeRoute", "SentRequest", "makeReply"]

for _each in (FakeReplies, FakeRoute, SentRequest, makeReply):
    _each.__module__ = __name__
