"""The engine ``qt``: QNetworkAccessManager in threads of its own."""
