"""The plugin's entry: QGIS calls classFactory."""


def classFactory(iface):
    from .plugin import NetworkMonitorPlugin

    return NetworkMonitorPlugin(iface)
