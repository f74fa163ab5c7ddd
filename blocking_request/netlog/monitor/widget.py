"""NetworkMonitor: a widget that shows the calls of a NetworkLog while they run.

Theory of operation: the signals of the log start a timer, and the timer has the model take a slice of the changes. So
the event loop handles other events between two slices, however many requests there are.
"""

from __future__ import annotations

import os
from typing import Any, Optional, Union

from ...qt.binding import QtCore, Slot, application, check_binding, type_name
from ...qt.widgets import QAction, QtWidgets, known
from ..entry import NetworkEntry
from ..entry_filter import entry_filter
from ..log import NetworkLog, ring_of
from .colors import monitor_colors
from .details import CallDetails
from .filter_bar import FilterBar
from .har_saver import HarSaver
from .keys import KeyFilter
from .model import CallsModel
from .table import CallsTable
from .texts import counted

COLLECT_MS = 100
"""How long changes are collected, in ms, before the table shows them."""
NEXT_SLICE_MS = 5
"""How long other events are handled before the next slice, in ms, if more changes wait."""

OWN_ENTRIES, OWN_BODY_BYTES = 500, 1 << 19
"""Of the log that a monitor makes itself. Its responses take 262 MB at most, and so do its requests."""

_EventType = QtCore.QEvent.Type


class NetworkMonitor(QtWidgets.QWidget):
    """Shows the calls of a NetworkLog: a table with a waterfall of timings, a filter, and the details of one call.

    Put it into a window, a dock or a layout. Like every widget, it is made and used in the thread of the application.
    The calls may run in any thread. At 1 000 requests a second, the event loop goes on handling events.

    Nothing in it contains secrets: see ``NetworkEntry``. Keys: Ctrl+F goes to the filter, Ctrl+L clears the log; in the
    table, Ctrl+C copies the call as a command for curl, Space pauses. If the details show one request of several, that
    request is copied.
    """

    _is_ready = False
    """Qt calls ``event`` before ``__init__`` is done."""

    def __init__(self, log: Optional[NetworkLog] = None, parent: Optional[QtWidgets.QWidget] = None) -> None:
        """``log``: the log that is shown; None: a new one of all managers, with timings, that keeps 500 calls and the
        first 524 kB of each body, for pictures, and ends with the widget. ``parent``: the parent widget, as in Qt.

        Raises TypeError if an argument is of another type; RuntimeError if there is no ``QApplication``, or in another
        thread than that of the application.
        """
        check_binding(parent, "parent")
        if log is not None and not isinstance(log, NetworkLog):
            raise TypeError(f"log must be a NetworkLog or None, not {type_name(log)}")
        _check_application()
        super().__init__(parent)
        self._log = NetworkLog(None, OWN_ENTRIES, OWN_BODY_BYTES, timings=True) if log is None else log
        if log is None:
            self.destroyed.connect(self._log.close)
        colors = monitor_colors(self.palette())
        self._model = CallsModel(ring_of(self._log), colors, self)
        self._table = CallsTable(self._model, self)
        self._details = CallDetails(colors, ring_of(self._log).wants_trace, self)
        self._selected: Optional[NetworkEntry] = None
        self._filter = FilterBar(self)
        self._filter.set_colors(colors)
        self._saver = HarSaver(self)
        self._saver.finished.connect(self._show_remark)
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._advance)
        self._build()
        self._filter.changed.connect(self._filter_changed)
        keys = {"pause": self._pause, "clear": self._clear, "copy": self._curl}
        self._keys = KeyFilter(self, self._table, self._filter.focus, keys)
        self._table.selection.selectionChanged.connect(self._selection_changed)
        self._model.modelReset.connect(self._note_reset)
        self._log.entryAdded.connect(self._note_new)
        self._log.entryChanged.connect(self._note_change)
        self._log.cleared.connect(self._note_clear)
        self._log.pausedChanged.connect(self._note_paused)
        self._is_ready = True
        self._advance()

    # -- the parts

    def _build(self) -> None:
        self.setWindowTitle("Network")
        self._bar = QtWidgets.QToolBar(self)
        self._bar.setToolButtonStyle(QtCore.Qt.ToolButtonStyle.ToolButtonTextOnly)
        self._pause = self._action("Pause", "Leave new calls out (Space)", self.setPaused)
        self._pause.setCheckable(True)
        self._pause.setChecked(self._log.isPaused())
        self._clear = self._action("Clear", "Drop all calls of the log (Ctrl+L)", self.clear)
        self._curl = self._action(
            "Copy as cURL", "Copy a command that sends the request again (Ctrl+C)", self.copyAsCurl
        )
        self._python = self._action("Copy as Python", "Copy a program that sends the request again", self.copyAsPython)
        self._save = self._action("Save HAR…", "Save all calls of the log as a HAR file", self._ask_for_path)
        self._message = QtWidgets.QLabel(self)
        self._message.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._message.setWordWrap(True)
        self._message.setAccessibleName("State of the log")
        self._table.setAccessibleName("Calls")
        self._table.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.ActionsContextMenu)
        splitter = QtWidgets.QSplitter(QtCore.Qt.Orientation.Vertical, self)
        splitter.addWidget(self._table)
        splitter.addWidget(self._details)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        splitter.setChildrenCollapsible(False)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(self._filter)
        layout.addWidget(self._bar)
        layout.addWidget(splitter, 1)
        layout.addWidget(self._message)
        self._remark = ""
        self._show_selected()

    def _action(self, text: str, tip: str, slot: Any) -> QAction:
        action = QAction(text, self)
        action.setToolTip(tip)
        action.triggered.connect(slot)
        self._bar.addAction(action)
        self._table.addAction(action)
        button = known(self._bar.widgetForAction(action))
        button.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)  # a tool bar's buttons have none
        button.setAutoRaise(False)  # a button with a frame shows that it has the focus
        button.setAccessibleName(text)
        return action

    # -- following the log

    @Slot(object)
    def _note_new(self, entry: object) -> None:
        self._start(COLLECT_MS)

    @Slot(object)
    def _note_change(self, entry: NetworkEntry) -> None:
        self._model.note_change(entry)
        self._start(COLLECT_MS)

    @Slot()
    def _note_clear(self) -> None:
        self._start(COLLECT_MS)

    @Slot(bool)
    def _note_paused(self, paused: bool) -> None:
        """The program, or another monitor, has paused the log."""
        self._pause.setChecked(self._log.isPaused())
        self._show_state()

    @Slot()
    def _note_reset(self) -> None:
        """Take the next slice soon: the order or the filter has changed."""
        self._timer.start(0)

    def _start(self, milliseconds: int) -> None:
        if not self._timer.isActive():
            self._timer.start(milliseconds)

    @Slot()
    def _advance(self) -> None:
        follows = self._table.is_at_end() and self._model.is_by_start()
        if self._model.advance():
            self._timer.start(NEXT_SLICE_MS)
        if self._selected is not None and self._table.selected_row() < 0:
            row = self._model.row_of(self._selected)
            if row is not None:
                self._table.select(row)
        elif self._selected is not None:
            self._show_selected()
        if follows:
            self._table.scrollToBottom()
        self._show_state()

    @Slot()
    def _selection_changed(self) -> None:
        row = self._table.selected_row()
        if row >= 0:
            self._selected = self._model.entry(row)
            self._show_selected()

    def _show_selected(self) -> None:
        self._details.show_call(self._selected)
        for action in (self._curl, self._python):
            action.setEnabled(self._selected is not None)

    def _show_state(self) -> None:
        shown, total = self._model.rowCount(), self._model.total()
        text = counted(total, "call") if shown == total else f"{shown} of {counted(total, 'call')}"
        if self._log.isPaused():
            text += ", paused"
        self._message.setText(f"{text}. {self._remark}" if self._remark else text)

    @Slot(str)
    def _show_remark(self, text: str) -> None:
        self._remark = text
        self._show_state()

    # -- what the user does

    @Slot()
    def _filter_changed(self) -> None:
        try:
            accepts = self._filter.accepts()
        except ValueError as error:
            self._show_remark(f"The filter is not used: {error}.")
            return
        self._remark = ""
        self._model.set_filter(accepts)
        self._advance()

    @Slot()
    def _ask_for_path(self) -> None:
        dialog = QtWidgets.QFileDialog(self, "Save HAR")
        dialog.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QtWidgets.QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter("HAR files (*.har)")
        dialog.setDefaultSuffix("har")
        dialog.selectFile("calls.har")
        dialog.fileSelected.connect(self.saveHar)
        dialog.open()

    # -- public

    def log(self) -> NetworkLog:
        """Return the log that is shown."""
        return self._log

    def setFilter(self, text: str = "", host: str = "", status: Union[int, str, None] = None) -> None:
        """Show only calls that the filter accepts. The arguments are those of ``NetworkLog.entries``.

        Raises TypeError, ValueError if an argument is wrong.
        """
        entry_filter(text, host, status)
        self._filter.set_values(text, host, status)

    def selectedEntry(self) -> Optional[NetworkEntry]:
        """Return the call that the details show; None if none is selected."""
        return self._selected

    def selectEntry(self, entry: Optional[NetworkEntry]) -> None:
        """Select a call; None: none. It is shown in the details also if the filter hides its row."""
        if entry is not None and not isinstance(entry, NetworkEntry):
            raise TypeError(f"entry must be a NetworkEntry or None, not {type_name(entry)}")
        self._selected = None
        self._table.clearSelection()
        self._selected = entry
        row = None if entry is None else self._model.row_of(entry)
        if row is not None:
            self._table.select(row)
            self._table.show_row(row)
        self._show_selected()

    @Slot(bool)
    def setPaused(self, paused: bool) -> None:
        """Set whether the log leaves new calls out, as ``NetworkLog.setPaused``."""
        self._log.setPaused(paused)
        self._pause.setChecked(bool(paused))
        self._show_state()

    @Slot()
    def clear(self) -> None:
        """Drop all calls of the log."""
        self._log.clear()
        self._remark = ""
        self.selectEntry(None)
        self._advance()

    @Slot()
    def copyAsCurl(self) -> None:
        """Copy the call, or the request of it that the details show, to the clipboard, as ``NetworkEntry.asCurl``."""
        self._copy(NetworkEntry.asCurl, "The command for curl")

    @Slot()
    def copyAsPython(self) -> None:
        """Copy the call, or the request of it that the details show, to the clipboard, as ``NetworkEntry.asPython``."""
        self._copy(NetworkEntry.asPython, "The Python program")

    def _copy(self, text_of: Any, name: str) -> None:
        chosen = self._details.chosen()
        if chosen is not None:
            clipboard = known(QtWidgets.QApplication.clipboard())
            clipboard.setText(text_of(chosen))
            self._show_remark(f"{name} is in the clipboard.")

    @Slot(str)
    def saveHar(self, path: Union[str, os.PathLike[str]]) -> None:
        """Save all calls of the log into a HAR file, as ``NetworkLog.saveHar``, in a thread.

        The line at the bottom tells when the file is complete, or why there is none. Raises TypeError if ``path`` is
        not a path.
        """
        target = os.fsdecode(path)
        self._show_remark(f"Saving {target} …")
        self._saver.save(self._log, target)

    def event(self, event: Optional[QtCore.QEvent]) -> bool:
        """Follow the palette and the font. Qt calls it."""
        if event is None:
            return False
        if not self._is_ready:
            return super().event(event)
        if event.type() == _EventType.PaletteChange:
            colors = monitor_colors(self.palette())
            self._model.colors = colors
            self._details.set_colors(colors)
            self._filter.set_colors(colors)
            self._table.update_rows()
        elif event.type() == _EventType.FontChange:
            self._table.fit_to_font()
        return super().event(event)


def _check_application() -> None:
    app = application()
    if app is None or not app.inherits("QApplication"):
        raise RuntimeError("A NetworkMonitor is a widget: make a QApplication before it")
    if app.thread() != QtCore.QThread.currentThread():
        raise RuntimeError("A NetworkMonitor is a widget: make it in the thread of the QApplication")
