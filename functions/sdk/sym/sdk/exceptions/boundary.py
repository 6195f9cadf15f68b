"""Errors of HashiCorp Boundary."""

from sym.sdk.exceptions.sym_exception import ServiceException


class BoundaryError(ServiceException):
    """HashiCorp Boundary refused, or answered what we can't use."""

    service = "Boundary"
