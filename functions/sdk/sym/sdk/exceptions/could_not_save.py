"""Errors of storing things."""

from sym.sdk.exceptions.sym_exception import ServiceException


class CouldNotSaveError(ServiceException):
    """Something that was to be kept could not be stored."""

    service = "CouldNotSave"
