"""Errors of Okta."""

from sym.sdk.exceptions.sym_exception import ServiceException


class OktaError(ServiceException):
    """Okta refused, or answered what we can't use."""

    service = "Okta"
