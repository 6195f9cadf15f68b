"""Errors of talking HTTP."""

from sym.sdk.exceptions.sym_exception import ServiceException


class HTTPError(ServiceException):
    """A system did not answer, or with a status that tells of a failure."""

    service = "HTTP"
