"""Errors of Slack."""

from sym.sdk.exceptions.sym_exception import ServiceException


class SlackError(ServiceException):
    """Slack refused, or a destination in it can't be."""

    service = "Slack"
