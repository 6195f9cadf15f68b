"""Errors of what handlers ask of Sym Flows itself."""

from sym.sdk.exceptions.sym_exception import ServiceException


class SymIntegrationError(ServiceException):
    """Sym Flows could not do what a handler asked it for (users, messages, values)."""

    service = "SymIntegration"
