"""Draw the output of the benchmarks small_get, batch and start as docs/pictures/benchmarks.svg.

Needs matplotlib (``python3 -m pip install matplotlib``). Nothing is measured here, so that drawing does not disturb a
measurement. On a machine that does nothing else::

    python -m benchmarks small_get batch start | tee figures.txt
    python -m benchmarks.plot figures.txt docs/pictures/benchmarks.svg
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

OURS = ("python", "auto", "qt", "blocking_request")
"""These bars have the first colour: the engines, and a batch."""
IN_THREADS = ("requests", "urllib3")
"""A batch over these libraries uses 8 threads."""
COLOURS = ("#2f6fab", "#b8bcc2")

_FIGURE = re.compile(r"(?P<name>.+) (?P<value>[\d.]+) (?P<unit>\S+)$")


class Panel(NamedTuple):
    line: str
    """How the title of the benchmark's line begins."""
    title: str
    note: str


PANELS = (
    Panel("warm GET of 1 KB, http,", "A GET of 1 KB on a kept connection", "µs, shorter is better"),
    Panel("1024 bytes, ", "1 000 GETs of 1 KB, 24 at once", "requests/s, longer is better"),
    Panel("both, http,", "Import of the package and first GET", "ms, shorter is better"),
)


def read_figures(text: str) -> dict[str, dict[str, float]]:
    """Return the figures of each line that ``measure.show`` printed, by the title of the line."""
    figures = {}
    for line in text.splitlines():
        title, colon, rest = line.partition(": ")
        matches = [_FIGURE.match(part) for part in rest.split(", ")]
        if colon and not line.startswith(" ") and all(matches):
            figures[title] = {match["name"]: float(match["value"]) for match in matches if match}
    return figures


def machine_of(text: str) -> str:
    """Return the line on which ``python -m benchmarks`` tells the machine and the versions."""
    return next((line.removeprefix("-- on ") for line in text.splitlines() if line.startswith("-- on ")), "")


def draw(text: str, path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.size": 8, "font.family": "sans-serif"}
    )
    from matplotlib import pyplot

    figures = read_figures(text)
    canvas, axes = pyplot.subplots(1, len(PANELS), figsize=(10, 2.3), layout="constrained")
    for panel, axis in zip(PANELS, axes):
        found = [values for title, values in figures.items() if title.startswith(panel.line)]
        if not found:
            sys.exit(f"no line begins with {panel.line!r}: run python -m benchmarks small_get batch start")
        draw_panel(axis, panel, found[0])
    canvas.supxlabel(machine_of(text), fontsize=7, color="#555555")
    canvas.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def label_of(name: str, is_batch: bool) -> str:
    if is_batch and name in IN_THREADS:
        return f"{name}, 8 threads"
    return f"{name} engine" if name in ("python", "qt") else name


def draw_panel(axis: Any, panel: Panel, values: dict[str, float]) -> None:
    colours = [COLOURS[name not in OURS] for name in values]
    labels = [label_of(name, "blocking_request" in values) for name in values]
    bars = axis.barh(labels, list(values.values()), color=colours, height=0.7)
    axis.bar_label(bars, fmt="%.0f", padding=2)
    axis.invert_yaxis()
    axis.margins(x=0.15)
    axis.set_title(f"{panel.title}\n{panel.note}", fontsize=8, loc="left")
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.tick_params(left=False, bottom=False, labelbottom=False)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    draw(Path(sys.argv[1]).read_text("utf-8"), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
