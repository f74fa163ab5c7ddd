"""A QGIS plugin with a dock that shows the requests of a copy of blocking_request."""

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QDockWidget, QMenu

try:
    from .blocking_request import BlockingNetworkRequest, NetworkAccessManager
    from .blocking_request.netlog import NetworkMonitor

    HAS_OWN_COPY = True
except ModuleNotFoundError:  # then it shows the calls of all plugins that use the package that is installed
    from blocking_request import BlockingNetworkRequest, NetworkAccessManager
    from blocking_request.netlog import NetworkMonitor

    HAS_OWN_COPY = False

MENU = "Network monitor"
URL = "https://qgis.org/"


class NetworkMonitorPlugin:
    def __init__(self, iface):
        self.iface = iface

    def initGui(self):
        # For your own plugin, take these lines and those of unload.
        self.dock = QDockWidget("Network monitor", self.iface.mainWindow())
        self.dock.setObjectName("BlockingRequestNetworkMonitor")  # by this name QGIS remembers its place
        self.dock.setWidget(NetworkMonitor(parent=self.dock))
        self.iface.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.dock)
        self.iface.addPluginToMenu(MENU, self.dock.toggleViewAction())

        self.menu = QMenu()
        self.sending = self.menu.addAction("Send a request")  # so that something is seen
        self.sending.triggered.connect(self.send)
        self.iface.addPluginToMenu(MENU, self.sending)

    def send(self):
        self.dock.show()
        BlockingNetworkRequest().get(URL)

    def unload(self):
        self.iface.removePluginMenu(MENU, self.sending)
        self.iface.removePluginMenu(MENU, self.dock.toggleViewAction())
        self.iface.removeDockWidget(self.dock)
        self.dock.deleteLater()  # with the monitor and its log; calls that run are not disturbed by that
        del self.dock, self.menu, self.sending
        if HAS_OWN_COPY:
            NetworkAccessManager.instance().shutdown()
