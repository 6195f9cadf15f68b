"""Groups of AWS IAM.

The integration (type `aws_iam` or `permission_context`) has the number of the account
as external_id; its settings may have role_arn and external_id of a role to assume, and
its region. Without role_arn, the role of the handlers' function is used. It needs
iam:GetGroup, and iam:GetUser for users without a stored identity.
"""

from sym.sdk.exceptions import AWSIAMError
from sym.sdk.integrations import _aws, _lookup
from sym.sdk.integrations._http import MAX_PAGES
from sym.sdk.user import User

_VERSION = "2010-05-08"


def is_user_in_group(user: User, *, group_name: str) -> bool:
    """Whether a user is a member of an IAM group.

    A user's stored identity is the ARN of an IAM user. Without one, the IAM user with
    the user's e-mail address as name counts.

    Args:
        user: whom to look for.
        group_name: the group's name, without path.

    Raises:
        AWSIAMError: there is no such group (AWSIAM:NOT_FOUND), or IAM can't be asked.
        IdentityNotFound: no identity is stored, and no IAM user has the e-mail as name.

    Example:
        aws_iam.is_user_in_group(event.user, group_name="DatabaseAdmins")
    """
    integration = _lookup.integration("aws_iam")
    stored = _lookup.identity(user, "aws_iam", integration)
    _lookup.needed("group_name", group_name)
    region = integration.settings.get("region") or _aws.own_region()
    iam = _aws.Service(AWSIAMError, "iam", region, _aws.credentials_of(integration), integration.name)
    marker = None
    member = False
    for _ in range(MAX_PAGES):
        page = iam.query("GetGroup", _VERSION, what=f"group {group_name}", GroupName=group_name, Marker=marker)
        for found in page.iterfind(".//{*}Users/{*}member"):
            arn, name = found.findtext("{*}Arn") or "", found.findtext("{*}UserName") or ""
            member = member or (arn == stored if stored else name.lower() == user.email.lower())
        marker = page.findtext(".//{*}Marker")
        if member or page.findtext(".//{*}IsTruncated") != "true" or not marker:
            break
    if not member and not stored and not _exists(iam, user.email):
        raise _lookup.unknown(user, "aws_iam", integration)
    return member


def _exists(iam: _aws.Service, name: str) -> bool:
    try:
        iam.query("GetUser", _VERSION, UserName=name)
    except AWSIAMError as error:
        if error.name == "NOT_FOUND":
            return False
        raise
    return True
