"""The colours of the monitor: made from the palette of a widget, so that they can be read on light and on dark."""

from __future__ import annotations

from typing import NamedTuple

from ...qt.widgets import QtGui

BAR_CONTRAST = 3.0
"""Of a bar with its background: WCAG 2.2, 1.4.11."""
TEXT_CONTRAST = 4.5
"""Of a text with its background: WCAG 2.2, 1.4.3."""

_HUES = {"lookUp": 172, "connect": 30, "tls": 292, "send": 52, "wait": 122, "receive": 214}
"""The hue of each step of ``Timings``, in degrees."""
_ERROR_HUE = 2


class MonitorColors(NamedTuple):
    """The colours for one palette."""

    steps: dict[str, QtGui.QColor]
    """By the names of ``Timings``; ``total`` for a request without known steps, ``other`` for the rest of one."""
    error: QtGui.QColor
    """Of the text of a failure."""
    faint: QtGui.QColor
    """Of the text of a call that is running."""
    grid: QtGui.QColor
    """Of the lines of the time axis."""
    base: QtGui.QColor
    """The background."""


def monitor_colors(palette: QtGui.QPalette) -> MonitorColors:
    """Return the colours for a palette."""
    role = QtGui.QPalette.ColorRole
    base, text = palette.color(role.Base), palette.color(role.Text)
    steps = {name: _readable(QtGui.QColor.fromHsl(hue, 165, 128), base, BAR_CONTRAST) for name, hue in _HUES.items()}
    steps["blocked"] = _mixed(text, base, 0.22)
    steps["total"] = steps["other"] = _readable(_mixed(text, base, 0.5), base, BAR_CONTRAST)
    return MonitorColors(
        steps,
        _readable(QtGui.QColor.fromHsl(_ERROR_HUE, 180, 128), base, TEXT_CONTRAST),
        _readable(_mixed(text, base, 0.6), base, TEXT_CONTRAST),
        _mixed(text, base, 0.16),
        base,
    )


def contrast(one: QtGui.QColor, other: QtGui.QColor) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: QtGui.QColor) -> float:
    def linear(value: float) -> float:
        return float(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)

    return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) + 0.0722 * linear(color.blueF())


def _readable(color: QtGui.QColor, background: QtGui.QColor, ratio: float) -> QtGui.QColor:
    """Return the colour, as much lighter or darker as it needs for the contrast with the background."""
    hue, saturation, lightness = max(color.hslHue(), 0), color.hslSaturation(), color.lightness()
    step = 4 if _luminance(background) < 0.18 else -4
    while contrast(color, background) < ratio and 0 <= lightness + step <= 255:
        lightness += step
        color = QtGui.QColor.fromHsl(hue, saturation, lightness)
    return color


def _mixed(one: QtGui.QColor, other: QtGui.QColor, share: float) -> QtGui.QColor:
    """Return a mixture. ``share``: of the first colour."""
    return QtGui.QColor.fromRgbF(
        *(
            min(max(a * share + b * (1 - share), 0.0), 1.0)
            for a, b in zip(
                (one.redF(), one.greenF(), one.blueF()),
                (other.redF(), other.greenF(), other.blueF()),
            )
        )
    )
