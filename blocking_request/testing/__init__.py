"""Tests without a server: replies from the test, or recorded ones, in the place of the network."""

from .fake_replies import FakeReplies
from .recording import Recording
from .reply import makeReply
from .routes import FakeRoute
from .sent_request import SentRequest

__all__ = ["FakeReplies", "FakeRoute", "Recording", "SentRequest", "makeReply"]

for _each in (FakeReplies, FakeRoute, Recording, SentRequest, makeReply):
    _each.__module__ = __name__
