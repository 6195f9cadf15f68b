"""Errors of KnowBe4."""

from sym.sdk.exceptions.sym_exception import ServiceException


class KnowBe4Error(ServiceException):
    """KnowBe4 refused, or answered what we can't use."""

    service = "KnowBe4"
