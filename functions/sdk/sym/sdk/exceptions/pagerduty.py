"""Errors of PagerDuty."""

from sym.sdk.exceptions.sym_exception import ServiceException


class PagerDutyError(ServiceException):
    """PagerDuty refused, or answered what we can't use."""

    service = "PagerDuty"
