"""Interleaved timing: every round runs each contender, and the medians of the rounds are compared."""

from __future__ import annotations

import statistics
import sys
import time
from typing import Callable

Contenders = dict[str, Callable[[], object]]

_missed: list[str] = []


def medians(contenders: Contenders, rounds: int) -> dict[str, float]:
    """Seconds a run of each contender takes."""
    for run in contenders.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def show(title: str, unit: str, figures: dict[str, float]) -> None:
    print(f"{title}: " + ", ".join(f"{name} {value:.1f} {unit}" for name, value in figures.items()), flush=True)


def bound(claim: str, value: float, limit: float) -> None:
    """Print a figure beside what is promised of it."""
    is_within = value <= limit
    print(f"    {claim}: {value:.2f} (at most {limit:g}){'' if is_within else '   MISSED'}", flush=True)
    if not is_within:
        _missed.append(claim)


def finish() -> None:
    """End the program, with 1 where a bound was missed."""
    sys.stdout.flush()
    sys.exit(1 if _missed else 0)
