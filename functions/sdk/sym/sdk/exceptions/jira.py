"""Errors of Jira."""

from sym.sdk.exceptions.sym_exception import ServiceException


class JiraError(ServiceException):
    """Jira refused, or answered what we can't use."""

    service = "Jira"
