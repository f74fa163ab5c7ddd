"""Makes the QSslConfiguration of a reply."""

from __future__ import annotations

from ..models.http_messages import Response
from ..models.tls import LazySession, TlsUnusable, without_client_certificate
from ..qt.binding import QtCore, QtNetwork, has_tls
from .qt_configuration import caller_configuration, configuration_for

_Configuration = QtNetwork.QSslConfiguration


def reply_configuration(response: Response) -> QtNetwork.QSslConfiguration:
    """Return the configuration of the connection, without its secrets; a null one if Qt cannot have it."""
    tls = response.tls
    if tls is None or not tls.is_live or response.from_cache or not has_tls():
        return _Configuration()
    known = tls.configuration
    configuration = _Configuration(known) if known is not None else _of_python_engine(response, tls)
    configuration.setPrivateKey(QtNetwork.QSslKey())
    configuration.setSessionTicket(QtCore.QByteArray())  # with it, another program could continue the session
    return configuration


def _of_python_engine(response: Response, tls: LazySession) -> QtNetwork.QSslConfiguration:
    """Return the settings of the connection, as far as Qt has functions to set them."""
    request, session = response.request, tls.session
    caller_tls = caller_configuration(request)
    if caller_tls is not None:
        configuration = _Configuration(caller_tls)
    elif request.tls is not None:
        settings = request.tls if request.same_origin else without_client_certificate(request.tls)
        try:
            configuration = _Configuration(configuration_for(settings))
        except TlsUnusable:  # Qt cannot use these settings, or a file has gone
            configuration = _Configuration.defaultConfiguration()
    else:
        configuration = _Configuration.defaultConfiguration()
    if not request.same_origin:
        configuration.setLocalCertificate(QtNetwork.QSslCertificate())
    protocol = getattr(QtNetwork.QSsl.SslProtocol, _PROTOCOLS.get(session.protocol, ""), None)
    if protocol is not None:
        configuration.setProtocol(protocol)
    ciphers = [cipher for cipher in configuration.supportedCiphers() if cipher.name() == session.cipher]
    if ciphers:
        configuration.setCiphers(ciphers)
    return configuration


_PROTOCOLS = {"TLSv1": "TlsV1_0", "TLSv1.1": "TlsV1_1", "TLSv1.2": "TlsV1_2", "TLSv1.3": "TlsV1_3"}
"""Qt's names of the versions."""
