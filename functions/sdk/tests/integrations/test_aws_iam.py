"""IAM: the Query API, with forms and XML, markers and error codes."""

import os
import unittest
from unittest import mock

from sym.sdk.exceptions import AWSIAMError, IdentityNotFound, MissingArgument
from sym.sdk.integrations import aws_iam
from tests.integrations import aws
from tests.integrations.fakes import Asked, Faults, IntegrationTest, Reply, pages, user

ARN = "arn:aws:iam::111111111111:user/"
GROUPS = {"Admins": ["bob", "carol@example.com", "Alice@example.com"], "Empty": []}
USERS = ["Alice@example.com", "bob", "carol@example.com", "dora@example.com"]


class IAMTest(Faults, IntegrationTest):
    service = "aws_iam"
    error = AWSIAMError
    external_id = "111111111111"
    secrets = {}

    def settings(self):
        return {"cloud": "aws", "region": "us-east-1"}

    def setUp(self) -> None:
        super().setUp()
        environ = {**aws.ENVIRONMENT, "AWS_ENDPOINT_URL_IAM": self.server.url}
        self.stack.enter_context(mock.patch.dict(os.environ, environ, clear=True))

    def call(self):
        return aws_iam.is_user_in_group(user(), group_name="Admins")

    def route(self, asked: Asked) -> Reply:
        aws.check(asked, "iam")
        form = asked.form
        self.assertEqual(form["Version"], "2010-05-08")
        if form["Action"] == "GetGroup" and form["GroupName"] in GROUPS:
            start = int(form.get("Marker", "0"))
            some, more = pages(GROUPS[form["GroupName"]], start, 1)
            members = "".join(f"<member><UserName>{n}</UserName><Arn>{ARN}{n}</Arn></member>" for n in some)
            marker = f"<IsTruncated>true</IsTruncated><Marker>{start + 1}</Marker>" if more else "<IsTruncated>false</IsTruncated>"
            return self.xml(f"<GetGroupResponse{self.NS}><GetGroupResult><Users>{members}</Users>{marker}</GetGroupResult></GetGroupResponse>")
        if form["Action"] == "GetUser" and form["UserName"] in USERS:
            return self.xml(f"<GetUserResponse{self.NS}><GetUserResult/></GetUserResponse>")
        return self.xml(
            f"<ErrorResponse{self.NS}><Error><Type>Sender</Type><Code>NoSuchEntity</Code>"
            "<Message>It cannot be found.</Message></Error></ErrorResponse>",
            404,
        )

    NS = ' xmlns="https://iam.amazonaws.com/doc/2010-05-08/"'

    def xml(self, text: str, status: int = 200) -> Reply:
        return Reply(status, text.encode(), {"Content-Type": "text/xml"})

    def test_is_user_in_group(self) -> None:
        bob = user("bob@example.com", ("aws_iam", "111111111111", ARN + "bob"))
        for who, group, want in [
            (user("alice@example.com"), "Admins", True),  # on the last page
            (user("dora@example.com"), "Admins", False),
            (bob, "Admins", True),
            (bob, "Empty", False),
            (user("carol@example.com", ("aws_iam", "111111111111", ARN + "other")), "Admins", False),
        ]:
            with self.subTest(user=who, group=group):
                self.assertIs(aws_iam.is_user_in_group(who, group_name=group), want)

    def test_group_is_not_there(self) -> None:
        failed = self.fails("NOT_FOUND", lambda: aws_iam.is_user_in_group(user(), group_name="None"))
        self.assertEqual(failed.message, "AWSIAM has no group None.")

    def test_user_is_unknown(self) -> None:
        # Identities of another account say nothing about this one.
        nobody = user("nobody@example.com", ("aws_iam", "222222222222", ARN + "bob"))
        self.fails("NOT_FOUND", lambda: aws_iam.is_user_in_group(nobody, group_name="Admins"), IdentityNotFound)

    def test_arguments(self) -> None:
        self.fails("MISSING_ARGUMENT", lambda: aws_iam.is_user_in_group(user(), group_name=""), MissingArgument)
        self.fails("MISSING_ARGUMENT", lambda: aws_iam.is_user_in_group(None, group_name="Admins"), MissingArgument)


if __name__ == "__main__":
    unittest.main()
