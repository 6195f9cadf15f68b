"""Signatures, credentials and addresses of AWS."""

import os
import unittest
from datetime import datetime, timezone
from unittest import mock

from sym.sdk.exceptions import AWSError, AWSSSOError
from sym.sdk.integrations import _aws
from sym.sdk.integrations._http import Request
from tests.integrations import aws
from tests.integrations.fakes import NOON, Asked, IntegrationTest, Reply


class SignTest(unittest.TestCase):
    def test_example_of_the_documentation(self) -> None:
        request = Request(
            "GET",
            "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
            {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
            b"",
        )
        headers = _aws.sign(
            request,
            _aws.Credentials("AKIDEXAMPLE", aws.SECRET),
            "us-east-1",
            "iam",
            datetime(2015, 8, 30, 12, 36, tzinfo=timezone.utc),
        )
        self.assertEqual(
            headers["Authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        )

    def test_credentials_are_not_shown(self) -> None:
        self.assertNotIn(aws.SECRET, repr(_aws.Credentials("AKIDEXAMPLE", aws.SECRET, "token")))


class EndpointTest(unittest.TestCase):
    def test_addresses(self) -> None:
        for service, region, want in [
            ("lambda", "eu-west-1", ("https://lambda.eu-west-1.amazonaws.com", "eu-west-1")),
            ("sso-admin", "us-east-1", ("https://sso.us-east-1.amazonaws.com", "us-east-1")),
            ("identitystore", "us-gov-west-1", ("https://identitystore.us-gov-west-1.amazonaws.com", "us-gov-west-1")),
            ("iam", "eu-west-1", ("https://iam.amazonaws.com", "us-east-1")),
            ("iam", "us-gov-east-1", ("https://iam.us-gov.amazonaws.com", "us-gov-west-1")),
            ("iam", "cn-north-1", ("https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1")),
            ("organizations", "eu-west-1", ("https://organizations.us-east-1.amazonaws.com", "us-east-1")),
            ("organizations", "us-gov-east-1", ("https://organizations.us-gov-west-1.amazonaws.com", "us-gov-west-1")),
            ("organizations", "cn-north-1", ("https://organizations.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1")),
            ("sts", "cn-north-1", ("https://sts.cn-north-1.amazonaws.com.cn", "cn-north-1")),
        ]:
            with self.subTest(service=service, region=region), mock.patch.dict(os.environ, {}, clear=True):
                self.assertEqual(_aws.endpoint(service, region), want)

    def test_environment_has_another(self) -> None:
        environ = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SSO_ADMIN": "http://127.0.0.1:2"}
        with mock.patch.dict(os.environ, environ, clear=True):
            self.assertEqual(_aws.endpoint("sso-admin", "us-east-1")[0], "http://127.0.0.1:2")
            self.assertEqual(_aws.endpoint("lambda", "us-east-1")[0], "http://127.0.0.1:1")

    def test_region_leads_nowhere_else(self) -> None:
        for region in ("", "us-east-1.evil.example.com/", "us east 1", "US-EAST-1"):
            with self.subTest(region=region), self.assertRaises(AWSError) as caught:
                _aws.endpoint("lambda", region)
            self.assertEqual(caught.exception.name, "BAD_REGION")


class CredentialsTest(IntegrationTest):
    service = "aws_sso"
    error = AWSError
    secrets = {"session": "s3ss10n-t0k3n"}

    def settings(self):
        return {"region": "us-east-1", "role_arn": "arn:aws:iam::111111111111:role/sym/SSO", "external_id": "ext-1"}

    def environ(self, **environ: str) -> None:
        self.stack.enter_context(mock.patch.dict(os.environ, environ, clear=True))

    def route(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            if asked.headers["Authorization"] != "Bearer c0nta1ner":
                return Reply(401, {})
            return Reply(200, {"AccessKeyId": "ASIA1", "SecretAccessKey": "k3y", "Token": "t0k3n"})
        aws.check(asked, "sts")
        self.assertEqual(asked.form, {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": "arn:aws:iam::111111111111:role/sym/SSO",
            "RoleSessionName": "sym-flows",
            "DurationSeconds": "900",
            "ExternalId": "ext-1",
        })
        return Reply(
            200,
            b'<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
            b"<AccessKeyId>ASIA2</AccessKeyId><SecretAccessKey>k3y2</SecretAccessKey><SessionToken>t0k3n2</SessionToken>"
            b"</Credentials></AssumeRoleResult></AssumeRoleResponse>",
            {"Content-Type": "text/xml"},
        )

    def test_of_the_environment(self) -> None:
        self.environ(**aws.ENVIRONMENT)
        self.assertEqual(_aws.own_credentials(), _aws.Credentials("AKIDEXAMPLE", aws.SECRET, "s3ss10n"))

    def test_of_the_container(self) -> None:
        self.environ(
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{self.server.url}/role?x=1",
            AWS_CONTAINER_AUTHORIZATION_TOKEN="Bearer c0nta1ner",
        )
        self.assertEqual(_aws.own_credentials(), _aws.Credentials("ASIA1", "k3y", "t0k3n"))
        self.assertEqual(self.server.asked[0].target, "/role?x=1")

    def test_container_gives_nothing(self) -> None:
        self.environ(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{self.server.url}/role")
        self.fails("UNAUTHORIZED", _aws.own_credentials)
        self.server.first = [Reply(200, [])]
        self.fails("BAD_ANSWER", _aws.own_credentials)

    def test_container_is_far_away(self) -> None:
        self.environ(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://evil.example.com/role")
        self.fails("BAD_URL", _aws.own_credentials)

    def test_none(self) -> None:
        self.environ()
        self.fails("NO_CREDENTIALS", _aws.own_credentials)
        self.fails("NO_REGION", _aws.own_region)

    def test_of_a_role(self) -> None:
        self.environ(**aws.ENVIRONMENT, AWS_ENDPOINT_URL_STS=self.server.url)
        self.assertEqual(_aws.credentials_of(self.integration), _aws.Credentials("ASIA2", "k3y2", "t0k3n2"))

    def test_role_is_refused(self) -> None:
        self.environ(**aws.ENVIRONMENT, AWS_ENDPOINT_URL_STS=self.server.url)
        denied = b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>No.</Message></Error></ErrorResponse>"
        self.server.first = [Reply(403, denied)]
        failed = self.fails("FORBIDDEN", lambda: _aws.credentials_of(self.integration))
        self.assertIn("AccessDenied: No.", failed.message)
        self.server.first = [Reply(200, b"<AssumeRoleResponse/>")]
        self.fails("BAD_ANSWER", lambda: _aws.credentials_of(self.integration))
        self.server.first = [Reply(200, b"no XML")]
        self.fails("BAD_ANSWER", lambda: _aws.credentials_of(self.integration))

    def test_what_errors_mean(self) -> None:
        self.environ(**aws.ENVIRONMENT, AWS_ENDPOINT_URL=self.server.url)
        service = _aws.Service(AWSSSOError, "identitystore", "us-east-1", _aws.own_credentials())
        call = lambda: service.call("AWSIdentityStore.ListGroups", {})
        for status, body, headers, name in [
            (400, {"__type": "com.amazonaws.identitystore#ResourceNotFoundException", "message": "m"}, {}, "NOT_FOUND"),
            (400, {"message": "m"}, {"X-Amzn-ErrorType": "AccessDeniedException:http://internal/"}, "FORBIDDEN"),
            (400, {"__type": "ExpiredTokenException"}, {}, "UNAUTHORIZED"),
            (403, {"__type": "UnrecognizedClientException"}, {}, "UNAUTHORIZED"),
            (400, {"__type": "ValidationException", "Message": "bad id"}, {}, "REJECTED"),
            (400, b"", {}, "REJECTED"),
            (400, b"<html", {}, "REJECTED"),
            (400, [], {}, "REJECTED"),
        ]:
            with self.subTest(body=body):
                self.server.first = [Reply(status, body, headers)]
                self.fails(name, call, AWSSSOError)
        self.server.first = [Reply(400, {"__type": "ThrottlingException"}), Reply(200, {"Groups": []})]
        self.assertEqual(call(), {"Groups": []})

    def test_each_try_is_signed_anew(self) -> None:
        self.environ(**aws.ENVIRONMENT, AWS_ENDPOINT_URL=self.server.url)
        service = _aws.Service(AWSSSOError, "identitystore", "us-east-1", _aws.own_credentials())
        self.server.first = [Reply(429, {}, {"Retry-After": "30"}), Reply(200, {})]
        service.call("AWSIdentityStore.ListGroups", {})
        stamps = [asked.headers["X-Amz-Date"] for asked in self.server.asked]
        self.assertEqual(stamps, ["20260302T120000Z", "20260302T120030Z"])
        self.assertEqual(self.clock.time, NOON + 30)
        for asked in self.server.asked:
            aws.check(asked, "identitystore")


if __name__ == "__main__":
    unittest.main()
