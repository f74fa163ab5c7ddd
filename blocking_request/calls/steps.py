"""The steps of a call: what a flow, or a flow with a sink at its end, asks its driver to do next."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Union

from ..bodies.sink import SinkStep
from ..flows import Wait
from ..models.http_messages import Request, Response

CallStep = Union[Request, Wait, SinkStep]
CallSteps = Generator[CallStep, Any, Response]
