"""Errors of OneLogin."""

from sym.sdk.exceptions.sym_exception import ServiceException


class OneLoginError(ServiceException):
    """OneLogin refused, or answered what we can't use."""

    service = "OneLogin"
