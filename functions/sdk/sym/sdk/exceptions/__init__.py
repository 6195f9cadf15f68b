"""All exceptions of the SDK: `from sym.sdk.exceptions import SlackError`.

Every one is a SymException with a code `Type:NAME`, a message, and often a hint.
"""

from sym.sdk.exceptions.access_strategy import AccessStrategyError
from sym.sdk.exceptions.aptible import AptibleError
from sym.sdk.exceptions.aws import AWSError, AWSIAMError, AWSLambdaError, AWSSSOError
from sym.sdk.exceptions.boundary import BoundaryError
from sym.sdk.exceptions.could_not_save import CouldNotSaveError
from sym.sdk.exceptions.github import GitHubError
from sym.sdk.exceptions.google import GoogleError
from sym.sdk.exceptions.http import HTTPError
from sym.sdk.exceptions.identity import IdentityError, IdentityNotFound
from sym.sdk.exceptions.jira import JiraError
from sym.sdk.exceptions.knowbe4 import KnowBe4Error
from sym.sdk.exceptions.okta import OktaError
from sym.sdk.exceptions.onelogin import OneLoginError
from sym.sdk.exceptions.pagerduty import PagerDutyError
from sym.sdk.exceptions.sdk import MissingArgument, SDKError
from sym.sdk.exceptions.slack import SlackError
from sym.sdk.exceptions.sym_exception import ExceptionWithHint, ServiceException, SymException
from sym.sdk.exceptions.sym_integration import SymIntegrationError

__all__ = [
    "AWSError",
    "AWSIAMError",
    "AWSLambdaError",
    "AWSSSOError",
    "AccessStrategyError",
    "AptibleError",
    "BoundaryError",
    "CouldNotSaveError",
    "ExceptionWithHint",
    "GitHubError",
    "GoogleError",
    "HTTPError",
    "IdentityError",
    "IdentityNotFound",
    "JiraError",
    "KnowBe4Error",
    "MissingArgument",
    "OktaError",
    "OneLoginError",
    "PagerDutyError",
    "SDKError",
    "ServiceException",
    "SlackError",
    "SymException",
    "SymIntegrationError",
    "from_code",
]


def from_code(code: str, message: str, hint: str = "") -> SymException:
    """The exception for an error that came as a value: of the class whose service
    is the first part of code, such as SlackError for "Slack:CHANNEL_NOT_FOUND"."""
    error_type, _, name = code.partition(":")
    for kind in _subclasses(ServiceException):
        if vars(kind).get("service") == error_type:
            return kind(name, message, hint)
    return ExceptionWithHint(error_type, name, message, hint)


def _subclasses(parent: type[ServiceException]) -> list[type[ServiceException]]:
    return [k for child in parent.__subclasses__() for k in [child, *_subclasses(child)]]
