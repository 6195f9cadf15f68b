"""Errors of GitHub."""

from sym.sdk.exceptions.sym_exception import ServiceException


class GitHubError(ServiceException):
    """GitHub refused, or answered what we can't use."""

    service = "GitHub"
