"""The steps that a flow, with or without a sink, yields to its driver: send a request, wait, call code of
the caller, do a step of the sink.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Union

from ..bodies.sink import SinkStep
from ..flows import CallerCode, Wait
from ..models.http_messages import Request, Response

CallStep = Union[Request, Wait, CallerCode, SinkStep]
CallSteps = Generator[CallStep, Any, Response]
