"""The rule of ``--retry``."""

from __future__ import annotations

from typing import Any

from urllib3.util import Retry

LONGEST_PAUSE_SECONDS = 600.0


class Retries(Retry):
    """The rule of ``--retry``, with curl's pauses: 1, 2, 4 ... seconds, or always the same."""

    def __init__(self, *arguments: Any, delay: Any = None, **options: Any) -> None:
        """``delay``: the pause in seconds; None: curl's pauses."""
        defaults = {"redirect": False, "raise_on_status": False}
        super().__init__(*arguments, **{**defaults, **options})
        self.delay = delay

    def new(self, **options: Any) -> Any:
        """Return the rule with other counts, as urllib3 calls it."""
        return super().new(delay=self.delay, **options)

    def get_backoff_time(self) -> float:
        """Return the pause before the next attempt in seconds."""
        if self.delay is not None:
            return float(self.delay)
        return float(min(LONGEST_PAUSE_SECONDS, 2.0 ** (len(self.history) - 1)))
