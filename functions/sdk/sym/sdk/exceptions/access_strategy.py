"""Errors of strategies."""

from sym.sdk.exceptions.sym_exception import ServiceException


class AccessStrategyError(ServiceException):
    """A strategy can't grant or remove access, or is written wrongly."""

    service = "AccessStrategy"
