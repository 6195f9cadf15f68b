"""Groups and accounts of AWS IAM Identity Center (once called AWS SSO).

The integration (type `aws_sso` or `permission_context`) has the ARN of the Identity
Center instance as external_id; its settings have its region, and may have role_arn
and external_id of a role to assume. Without role_arn, the role of the handlers'
function is used. It needs identitystore:List*, Describe*, Get* and IsMemberInGroups,
sso:ListInstances unless identity_store_id is among the settings, and
organizations:ListAccounts and ListAccountsForParent for list_accounts.

A member of a group counts while its UserStatus is ENABLED, or where Identity Center
tells none.
"""

from typing import Any

from sym.sdk.exceptions import AWSSSOError
from sym.sdk.integration import Integration
from sym.sdk.integrations import _aws, _lookup
from sym.sdk.user import User

_STORE = "AWSIdentityStore"
_FEW = 20  # members that are asked for one by one; for more, all users are listed


def is_user_in_group(user: User, *, group_name: str) -> bool:
    """Whether a user is an active member of an Identity Center group.

    A user's stored identity is the id of an Identity Center user. Without one, the
    user with the same e-mail address counts.

    Args:
        user: whom to look for.
        group_name: the group's display name.

    Raises:
        AWSSSOError: there is no such group (AWSSSO:NOT_FOUND), or AWS can't be asked.
        IdentityNotFound: Identity Center knows nobody with the user's stored identity or e-mail.

    Example:
        aws_sso.is_user_in_group(event.user, group_name="Engineering")
    """
    directory = _Directory()
    group_id = directory.group_id(group_name)
    user_id = directory.user_id(user)
    results = directory.call("IsMemberInGroups", {"MemberId": {"UserId": user_id}, "GroupIds": [group_id]})["Results"]
    if not any(result.get("MembershipExists") is True for result in results):
        return False
    return _is_active(directory.call("DescribeUser", {"UserId": user_id}))


def list_groups() -> list[dict[str, Any]]:
    """The groups of Identity Center, as the Identity Store API has them: GroupId,
    DisplayName, Description and so on.

    Raises:
        AWSSSOError: AWS can't be asked.

    Example:
        [FieldOption(value=g["GroupId"], label=g["DisplayName"]) for g in aws_sso.list_groups()]
    """
    return list(_Directory().list("ListGroups", "Groups"))


def users_in_group(group_name: str) -> list[User]:
    """The active members of an Identity Center group, as our users, matched by e-mail. It may
    have any number of members: Sym's limit of 20 is gone.

    Args:
        group_name: the group's display name.

    Raises:
        AWSSSOError: there is no such group (AWSSSO:NOT_FOUND), or AWS can't be asked.

    Example:
        approve_deny=user_ids(aws_sso.users_in_group("Engineering"))
    """
    directory = _Directory()
    memberships = directory.list("ListGroupMemberships", "GroupMemberships", GroupId=directory.group_id(group_name))
    ids = [membership["MemberId"]["UserId"] for membership in memberships]
    if len(ids) <= _FEW:
        people = [directory.call("DescribeUser", {"UserId": id}) for id in ids]
    else:
        known = {person["UserId"]: person for person in directory.list("ListUsers", "Users")}
        people = [known[id] for id in ids if id in known]
    return _lookup.users(AWSSSOError, (_email(person) for person in people if _is_active(person)))


def list_accounts(organizational_unit_id: str | None = None) -> list[dict[str, Any]]:
    """The accounts of the AWS organization, as the Organizations API has them: Id, Arn,
    Name, Email, Status and so on.

    Args:
        organizational_unit_id: only accounts directly in this organizational unit
            ("ou-…"), not in units below; or, with the root's id ("r-…"), only those
            in no unit. None: all.

    Raises:
        AWSSSOError: there is no such unit (AWSSSO:NOT_FOUND), or AWS can't be asked.

    Example:
        [FieldOption(value=a["Id"], label=a["Name"]) for a in aws_sso.list_accounts("ou-ab12-34567890")]
    """
    integration = _lookup.integration("aws_sso")
    organizations = _service(integration, "organizations")
    if not organizational_unit_id:
        return list(organizations.list("AWSOrganizationsV20161128.ListAccounts", {}, "Accounts"))
    return list(
        organizations.list(
            "AWSOrganizationsV20161128.ListAccountsForParent",
            {"ParentId": organizational_unit_id},
            "Accounts",
            what=f"organizational unit {organizational_unit_id}",
        )
    )


class _Directory:
    """The users and groups of the integration's Identity Center instance."""

    def __init__(self) -> None:
        self._integration = _lookup.integration("aws_sso")
        self._store = _service(self._integration, "identitystore")
        self._store_id = self._integration.settings.get("identity_store_id") or self._find_store()

    def call(self, operation: str, body: dict[str, Any], *, what: str = "") -> dict[str, Any]:
        return self._store.call(f"{_STORE}.{operation}", {"IdentityStoreId": self._store_id, **body}, what=what)

    def list(self, operation: str, items: str, **body: Any) -> Any:
        body = {"IdentityStoreId": self._store_id, "MaxResults": 100, **body}
        return self._store.list(f"{_STORE}.{operation}", body, items)

    def group_id(self, name: str) -> str:
        _lookup.needed("group_name", name)
        by_name = {"UniqueAttribute": {"AttributePath": "displayName", "AttributeValue": name}}
        return self.call("GetGroupId", {"AlternateIdentifier": by_name}, what=f"group {name}")["GroupId"]

    def user_id(self, user: User) -> str:
        stored = _lookup.identity(user, "aws_sso", self._integration)
        if stored:
            return stored
        # User names nearly always are e-mail addresses; if not, the address is looked for.
        for path in ("userName", "emails.value"):
            by_path = {"UniqueAttribute": {"AttributePath": path, "AttributeValue": user.email}}
            try:
                return self.call("GetUserId", {"AlternateIdentifier": by_path})["UserId"]
            except AWSSSOError as error:
                if error.name != "NOT_FOUND":
                    raise
        raise _lookup.unknown(user, "aws_sso", self._integration)

    def _find_store(self) -> str:
        arn = self._integration.settings.get("instance_arn") or self._integration.external_id
        instances = _service(self._integration, "sso-admin").list("SWBExternalService.ListInstances", {}, "Instances")
        for instance in instances:
            if instance.get("InstanceArn") == arn:
                return instance["IdentityStoreId"]
        raise AWSSSOError(
            "NOT_FOUND",
            f"There is no Identity Center instance {arn!r} in this account and region.",
            f"Correct external_id, region and role_arn of integration {self._integration.name}.",
        )


def _service(integration: Integration, service: str) -> _aws.Service:
    region = integration.settings.get("region") or _aws.own_region()
    signed_for = "sso" if service == "sso-admin" else service
    credentials = _aws.credentials_of(integration)
    return _aws.Service(AWSSSOError, service, region, credentials, integration.name, signed_for=signed_for)


def _is_active(person: dict[str, Any]) -> bool:
    return _lookup.active(person, "UserStatus", "ENABLED")


def _email(person: dict[str, Any]) -> str:
    emails = person.get("Emails") or []
    emails = sorted(emails, key=lambda email: not email.get("Primary"))
    return emails[0].get("Value", "") if emails else person.get("UserName", "")
