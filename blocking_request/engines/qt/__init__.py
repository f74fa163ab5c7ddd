"""The engine ``qt``: QNetworkAccessManagers in worker threads."""
