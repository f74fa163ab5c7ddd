"""Policies as generators: they yield an Exchange, are sent its Answer, and return the last Answer.

Rules of this folder: no Qt, no urllib3, no sockets, no threads, no clock. The blocking call drives a flow over a wire,
a test drives it with no network at all. An Answer with a failure ends every flow.
"""

from collections.abc import Generator

from ..exchange import Answer, Exchange

Flow = Generator[Exchange, Answer, Answer]
