"""Identity Center: the Identity Store, SSO Admin and Organizations APIs, in JSON 1.1."""

import os
import unittest
from unittest import mock

from sym.sdk.exceptions import AWSSSOError, IdentityNotFound, MissingArgument
from sym.sdk.flow import Flow
from sym.sdk.integrations import aws_sso
from sym.sdk.strategy import Strategy
from tests.integrations import aws
from tests.integrations.fakes import Asked, Faults, IntegrationTest, Reply, pages, user

INSTANCE = "arn:aws:sso:::instance/ssoins-1"
USERS = [
    {"UserId": "u-1", "UserName": "alice@example.com", "Emails": [{"Value": "Alice@example.com", "Primary": True}]},
    {"UserId": "u-2", "UserName": "bob", "Emails": [{"Value": "old@example.com"}, {"Value": "bob@example.com", "Primary": True}], "UserStatus": "ENABLED"},
    {"UserId": "u-3", "UserName": "carol@example.com"},
    {"UserId": "u-4", "UserName": "gone@example.com", "UserStatus": "DISABLED"},
    *({"UserId": f"u-{i}", "UserName": f"user{i}@example.com"} for i in range(10, 40)),
]
GROUPS = {"Engineering": ("g-1", ["u-1", "u-4", "u-2", "u-3"]), "Everyone": ("g-2", [u["UserId"] for u in USERS]), "Empty": ("g-3", [])}
ACCOUNTS = [{"Id": "111111111111", "Name": "prod"}, {"Id": "222222222222", "Name": "dev"}, {"Id": "333333333333", "Name": "root"}]
PARENTS = {"ou-1": ["111111111111", "222222222222"], "r-1": ["333333333333"]}
MISSING = Reply(400, {"__type": "ResourceNotFoundException", "Message": "not found"})


class SSOTest(Faults, IntegrationTest):
    service = "aws_sso"
    error = AWSSSOError
    external_id = INSTANCE
    secrets = {}

    def settings(self):
        return {"region": "eu-west-1", "identity_store_id": "d-1"}

    def setUp(self) -> None:
        super().setUp()
        environ = {**aws.ENVIRONMENT, "AWS_ENDPOINT_URL": self.server.url}
        self.stack.enter_context(mock.patch.dict(os.environ, environ, clear=True))

    def call(self):
        return aws_sso.list_groups()

    def route(self, asked: Asked) -> Reply:
        self.assertEqual((asked.method, asked.target), ("POST", "/"))
        self.assertEqual(asked.headers["Content-Type"], "application/x-amz-json-1.1")
        api, _, operation = asked.headers["X-Amz-Target"].partition(".")
        body = asked.json
        if api == "SWBExternalService":
            aws.check(asked, "sso", region="eu-west-1")
            self.assertEqual(operation, "ListInstances")
            instances = [{"InstanceArn": f"{INSTANCE}0", "IdentityStoreId": "d-0"}, {"InstanceArn": INSTANCE, "IdentityStoreId": "d-1"}]
            return self.page(body, "Instances", instances)
        if api == "AWSOrganizationsV20161128":
            aws.check(asked, "organizations", region="us-east-1")
            if operation == "ListAccounts":
                return self.page(body, "Accounts", ACCOUNTS)
            self.assertEqual(operation, "ListAccountsForParent")
            if body["ParentId"] not in PARENTS:
                return Reply(400, {"__type": "ParentNotFoundException", "Message": "no such parent"})
            return self.page(body, "Accounts", [a for a in ACCOUNTS if a["Id"] in PARENTS[body["ParentId"]]])
        self.assertEqual(api, "AWSIdentityStore")
        aws.check(asked, "identitystore", region="eu-west-1")
        self.assertEqual(body["IdentityStoreId"], "d-1")
        return getattr(self, operation)(body)

    def page(self, body: dict, key: str, found: list, size: int = 1) -> Reply:
        start = int(body.get("NextToken", "0"))
        some, more = pages(found, start, size)
        return Reply(200, {key: some, **({"NextToken": str(start + size)} if more else {})})

    def ListGroups(self, body: dict) -> Reply:
        return self.page(body, "Groups", [{"GroupId": id, "DisplayName": name} for name, (id, _) in GROUPS.items()])

    def ListUsers(self, body: dict) -> Reply:
        return self.page(body, "Users", USERS, 20)

    def GetGroupId(self, body: dict) -> Reply:
        unique = body["AlternateIdentifier"]["UniqueAttribute"]
        self.assertEqual(unique["AttributePath"], "displayName")
        found = GROUPS.get(unique["AttributeValue"])
        return Reply(200, {"GroupId": found[0], "IdentityStoreId": "d-1"}) if found else MISSING

    def GetUserId(self, body: dict) -> Reply:
        unique = body["AlternateIdentifier"]["UniqueAttribute"]
        for one in USERS:
            values = [one["UserName"]]
            if unique["AttributePath"] == "emails.value":
                values = [email["Value"] for email in one.get("Emails", [])]
            if unique["AttributeValue"] in values:
                return Reply(200, {"UserId": one["UserId"], "IdentityStoreId": "d-1"})
        return MISSING

    def DescribeUser(self, body: dict) -> Reply:
        return Reply(200, next(one for one in USERS if one["UserId"] == body["UserId"]))

    def IsMemberInGroups(self, body: dict) -> Reply:
        members = {id: members for id, members in GROUPS.values()}
        return Reply(200, {"Results": [
            {"GroupId": id, "MemberId": body["MemberId"], "MembershipExists": body["MemberId"]["UserId"] in members[id]}
            for id in body["GroupIds"]
        ]})

    def ListGroupMemberships(self, body: dict) -> Reply:
        members = {id: members for id, members in GROUPS.values()}[body["GroupId"]]
        found = [{"MembershipId": f"m-{id}", "MemberId": {"UserId": id}} for id in members]
        return self.page(body, "GroupMemberships", found, 2)

    def test_is_user_in_group(self) -> None:
        for who, group, want in [
            (user("alice@example.com"), "Engineering", True),
            (user("bob@example.com"), "Engineering", True),  # whose user name is another
            (user("user10@example.com"), "Engineering", False),
            (user("al@example.com", ("aws_sso", INSTANCE, "u-3")), "Engineering", True),
            (user("alice@example.com"), "Empty", False),
            (user("gone@example.com"), "Engineering", False),
        ]:
            with self.subTest(user=who, group=group):
                self.assertIs(aws_sso.is_user_in_group(who, group_name=group), want)

    def test_user_is_unknown(self) -> None:
        nobody = user("nobody@example.com")
        self.fails("NOT_FOUND", lambda: aws_sso.is_user_in_group(nobody, group_name="Engineering"), IdentityNotFound)

    def test_group_is_not_there(self) -> None:
        for call in (lambda: aws_sso.is_user_in_group(user(), group_name="None"), lambda: aws_sso.users_in_group("None")):
            self.assertEqual(self.fails("NOT_FOUND", call).message, "AWSSSO has no group None.")
        self.fails("MISSING_ARGUMENT", lambda: aws_sso.users_in_group(""), MissingArgument)

    def test_list_groups(self) -> None:
        self.assertEqual([group["GroupId"] for group in aws_sso.list_groups()], ["g-1", "g-2", "g-3"])

    def test_users_in_group(self) -> None:
        found = aws_sso.users_in_group("Engineering")
        self.assertEqual(self.emails(found), ["alice@example.com", "bob@example.com", "carol@example.com"])
        self.assertEqual(aws_sso.users_in_group("Empty"), [])

    def test_large_group_is_not_asked_one_by_one(self) -> None:
        self.assertEqual(len(aws_sso.users_in_group("Everyone")), 33)
        self.assertNotIn("AWSIdentityStore.DescribeUser", [asked.headers["X-Amz-Target"] for asked in self.server.asked])

    def test_list_accounts(self) -> None:
        for unit, want in [(None, ["prod", "dev", "root"]), ("ou-1", ["prod", "dev"]), ("r-1", ["root"])]:
            with self.subTest(unit=unit):
                self.assertEqual([account["Name"] for account in aws_sso.list_accounts(unit)], want)
        failed = self.fails("NOT_FOUND", lambda: aws_sso.list_accounts("ou-9"))
        self.assertEqual(failed.message, "AWSSSO has no organizational unit ou-9.")

    def test_identity_store_is_found(self) -> None:
        del self.integration._settings["identity_store_id"]
        self.assertEqual(len(aws_sso.list_groups()), 3)
        self.integration._external_id = "arn:aws:sso:::instance/ssoins-9"
        self.fails("NOT_FOUND", self.call)

    def test_strategys_own_integration_is_used(self) -> None:
        event = mock.Mock()
        event.flow = Flow(
            srn="sym:flow:sso:1.0.0", name="sso",
            strategy=Strategy(srn="", type="aws_sso", name="sso", integration=self.integration),
        )
        self.around(integrations={}, event=event)
        self.assertEqual(len(aws_sso.list_groups()), 3)


if __name__ == "__main__":
    unittest.main()
