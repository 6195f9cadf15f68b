"""Errors of AWS."""

from sym.sdk.exceptions.sym_exception import ServiceException


class AWSError(ServiceException):
    """AWS refused, or answered what we can't use."""

    service = "AWS"


class AWSIAMError(AWSError):
    """IAM refused, or answered what we can't use."""

    service = "AWSIAM"


class AWSLambdaError(AWSError):
    """A Lambda function could not be invoked, or failed."""

    service = "AWSLambda"


class AWSSSOError(AWSError):
    """IAM Identity Center refused, or answered what we can't use."""

    service = "AWSSSO"
