"""Errors of Google Workspace."""

from sym.sdk.exceptions.sym_exception import ServiceException


class GoogleError(ServiceException):
    """Google Workspace refused, or answered what we can't use."""

    service = "Google"
