"""Makes the classes of PySide6 that this package uses, before other threads use them.

PySide6 makes a class when it is first used, and without a lock. Symptom if two threads use a class first at the same
moment, also if PySide6 itself does so for the argument of a slot or a virtual method: the process crashes in
``Shiboken::Module::get`` (6.12). Two network threads did so with the first QTimerEvent of the process.
"""

from __future__ import annotations

from typing import Any

_CLASSES = """
QAbstractEventDispatcher QBuffer QByteArray QChildEvent QCoreApplication QDateTime QDynamicPropertyChangeEvent QEvent
QIODevice QLocale QMetaMethod QMetaObject QObject QSettings QSocketNotifier QStandardPaths QThread QTimer QTimerEvent
QUrl QUrlQuery Qt

QAbstractNetworkCache QAbstractSocket QAuthenticator QHostAddress QHttp1Configuration QHttp2Configuration QHttpHeaders
QHttpMultiPart QHttpPart QNetworkAccessManager QNetworkCacheMetaData QNetworkCookie QNetworkCookieJar QNetworkDiskCache
QNetworkProxy QNetworkProxyFactory QNetworkProxyQuery QNetworkReply QNetworkRequest QSsl QSslCertificate QSslCipher
QSslConfiguration QSslError QSslKey QSslPreSharedKeyAuthenticator QSslSocket QTcpSocket
"""
"""Those of QtCore and QtNetwork that the package names, and those that PySide6 makes for events and arguments."""


def make_classes(core: Any, network: Any) -> None:
    """Make the classes of QtCore and QtNetwork in this thread. A Qt may lack some."""
    for name in _CLASSES.split():
        getattr(core, name, None) or getattr(network, name, None)
