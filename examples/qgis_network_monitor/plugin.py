"""A QGIS plugin with a dock that shows the requests of the plugin's own copy of blocking_request."""

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QDockWidget

from .blocking_request import NetworkAccessManager
from .blocking_request.netlog import NetworkLog, NetworkMonitor

MENU = "Network monitor"


class NetworkMonitorPlugin:
    def __init__(self, iface):
        self.iface = iface

    def initGui(self):
        self.log = NetworkLog(timings=True)
        self.dock = QDockWidget("Network monitor", self.iface.mainWindow())
        self.dock.setObjectName("BlockingRequestNetworkMonitor")  # by this name QGIS remembers its place
        self.dock.setWidget(NetworkMonitor(self.log, self.dock))
        self.iface.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self.dock)
        self.iface.addPluginToMenu(MENU, self.dock.toggleViewAction())

    def unload(self):
        self.log.close()
        self.iface.removePluginMenu(MENU, self.dock.toggleViewAction())
        self.iface.removeDockWidget(self.dock)
        self.dock.deleteLater()  # with the monitor; calls that run are not disturbed by that
        del self.dock, self.log
        NetworkAccessManager.instance().shutdown()
