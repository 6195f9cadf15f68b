"""Errors of Aptible."""

from sym.sdk.exceptions.sym_exception import ServiceException


class AptibleError(ServiceException):
    """Aptible refused, or answered what we can't use."""

    service = "Aptible"
