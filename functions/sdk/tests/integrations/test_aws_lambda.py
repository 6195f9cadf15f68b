"""Lambda: the Invoke API, and services in its place on one machine."""

import json
import os
import unittest
from datetime import datetime, timezone
from unittest import mock

from sym.sdk.access_target import AccessTarget
from sym.sdk.channel import Channel
from sym.sdk.event import Event
from sym.sdk.exceptions import AWSLambdaError, MissingArgument
from sym.sdk.flow import Flow
from sym.sdk.forms import SlackUserSelection
from sym.sdk.integrations import aws_lambda
from sym.sdk.payload import Payload
from sym.sdk.run import Run
from tests.integrations import aws
from tests.integrations.fakes import HANG_UP, Asked, IntegrationTest, Reply, refuse, user

ARN = "arn:aws:lambda:eu-west-1:111111111111:function:report"


def event() -> Event:
    alice = user("alice@example.com", ("slack", "T1", "U1"))
    target = AccessTarget(srn="sym:access_target:custom:db:1.0.0", name="db", type="custom", label="DB", settings={"a": "b"})
    fields = {
        "duration": 600, "target": target, "who": SlackUserSelection("U2", "bob@example.com"), "tags": ["x"],
    }
    when = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
    return Event(
        name="approve", user=alice, channel=Channel("slack", "C1"), flow=Flow(srn="acme:flow:report:1.0.0", name="report"),
        payload=Payload(srn="", timestamp=when, user=alice, fields=fields),
        run=Run(srn="acme:run:report:1.0.0:7e81", actors={"request": user("bob@example.com")}),
    )


class LambdaTest(IntegrationTest):
    service = "aws_lambda"
    error = AWSLambdaError
    secrets = {}

    def setUp(self) -> None:
        super().setUp()
        environ = {**aws.ENVIRONMENT, "AWS_ENDPOINT_URL_LAMBDA": self.server.url}
        self.stack.enter_context(mock.patch.dict(os.environ, environ, clear=True))
        self.around()  # no integration is needed
        self.reply = Reply(200, {"rows": 3})

    def route(self, asked: Asked) -> Reply:
        aws.check(asked, "lambda", region="eu-west-1")
        name = asked.path.removeprefix("/2015-03-31/functions/").removesuffix("/invocations")
        if name not in (ARN, ARN + ":live"):
            return Reply(404, {"Type": "User", "Message": f"Function not found: {name}"}, {"X-Amzn-ErrorType": "ResourceNotFoundException"})
        if asked.headers["X-Amz-Invocation-Type"] == "Event":
            return Reply(202, b"")
        self.assertEqual(asked.headers["X-Amz-Invocation-Type"], "RequestResponse")
        return self.reply

    def test_invoke(self) -> None:
        self.assertEqual(aws_lambda.invoke(ARN, {"table": "orders"}), {"rows": 3})
        self.assertEqual(self.server.asked[0].json, {"table": "orders"})
        self.assertEqual(self.server.asked[0].target, f"/2015-03-31/functions/{ARN}/invocations")
        self.assertEqual(aws_lambda.invoke(ARN + ":live"), {"rows": 3})
        self.assertEqual(self.server.asked[1].json, {})
        for body, want in [(b"null", None), (b"", None), (b'"text"', "text"), (b"[1]", [1])]:
            self.reply = Reply(200, body)
            self.assertEqual(aws_lambda.invoke(ARN), want)

    def test_invoke_async(self) -> None:
        self.assertIs(aws_lambda.invoke_async(ARN, {"a": 1}), True)

    def test_function_fails(self) -> None:
        fault = {"errorType": "KeyError", "errorMessage": "'table'", "stackTrace": []}
        self.reply = Reply(200, fault, {"X-Amz-Function-Error": "Unhandled"})
        failed = self.fails("FUNCTION_ERROR", lambda: aws_lambda.invoke(ARN))
        self.assertEqual(failed.message, f"{ARN} failed: KeyError: 'table'")

    def test_function_is_not_there(self) -> None:
        other = ARN.replace("report", "none")
        failed = self.fails("NOT_FOUND", lambda: aws_lambda.invoke(other))
        self.assertEqual(failed.message, f"AWSLambda has no function {other}.")

    def test_not_allowed(self) -> None:
        denied = Reply(403, {"Message": "not authorized to perform: lambda:InvokeFunction"}, {"X-Amzn-ErrorType": "AccessDeniedException"})
        self.server.first = [denied]
        failed = self.fails("FORBIDDEN", lambda: aws_lambda.invoke(ARN))
        self.assertIn("lambda:InvokeFunction", failed.message)

    def test_is_invoked_once(self) -> None:
        for fault in (Reply(500, {}, {"X-Amzn-ErrorType": "ServiceException"}), Reply(503, {}), HANG_UP):
            for call in (aws_lambda.invoke, aws_lambda.invoke_async):
                self.server.asked.clear()
                self.server.first = [fault]
                self.fails("UNAVAILABLE", lambda: call(ARN))
                self.assertEqual(len(self.server.asked), 1)

    def test_throttled_call_is_made_again(self) -> None:
        self.server.first = [Reply(429, {}, {"X-Amzn-ErrorType": "TooManyRequestsException", "Retry-After": "1"})]
        self.assertEqual(aws_lambda.invoke(ARN), {"rows": 3})

    def test_answer_is_no_json(self) -> None:
        self.reply = Reply(200, b"<html>")
        self.fails("BAD_ANSWER", lambda: aws_lambda.invoke(ARN))

    def test_arguments(self) -> None:
        for arn in ("report", "arn:aws:s3:::bucket", ARN + "/../x", ARN + ":a:b"):
            with self.subTest(arn=arn):
                self.fails("BAD_ARN", lambda: aws_lambda.invoke(arn))
        self.fails("MISSING_ARGUMENT", lambda: aws_lambda.invoke(""), MissingArgument)
        self.fails("BAD_PAYLOAD", lambda: aws_lambda.invoke(ARN, {"a": object()}))
        self.assertEqual(self.server.asked, [])

    def test_event_as_payload(self) -> None:
        aws_lambda.invoke(ARN, event())
        record = self.server.asked[0].json
        self.assertEqual(record["run"]["srn"], "acme:run:report:1.0.0:7e81")
        self.assertEqual(record["run"]["actors"]["request"]["username"], "bob@example.com")
        self.assertEqual(record["event"]["type"], "approve")
        self.assertEqual(record["event"]["timestamp"], "2026-03-02T12:00:00+00:00")
        self.assertEqual(record["actor"]["identity"], {"service": "slack", "external_id": "T1", "user_id": "U1"})
        self.assertEqual(record["fields"]["target"]["settings"], {"a": "b"})
        self.assertEqual(record["fields"]["who"], {"user_id": "U2", "username": "bob@example.com"})
        self.assertEqual(record["fields"]["duration"], 600)

    def test_role_of_an_integration(self) -> None:
        role = "arn:aws:iam::111111111111:role/sym/Lambda"
        self.integration._settings.update(role_arn=role, region="eu-west-1")
        self.around(integrations={"aws_lambda": self.integration})
        with mock.patch.dict(os.environ, AWS_ENDPOINT_URL_STS=self.server.url):
            self.server.first = [Reply(200, (
                "<AssumeRoleResponse><Credentials><AccessKeyId>ASIA2</AccessKeyId><SecretAccessKey>k3y2</SecretAccessKey>"
                "<SessionToken>t2</SessionToken></Credentials></AssumeRoleResponse>"
            ).encode())]
            self.server.route = lambda asked: Reply(200, {"by": asked.headers["X-Amz-Security-Token"]})
            self.assertEqual(aws_lambda.invoke(ARN), {"by": "t2"})
        aws.check(self.server.asked[1], "lambda", region="eu-west-1", secret="k3y2", token="t2")


class LambdaByServicesTest(IntegrationTest):
    service = "aws_lambda"
    error = AWSLambdaError
    secrets = {}

    def setUp(self) -> None:
        super().setUp()
        self.services.ops["invoke"] = lambda arn, payload: {"got": payload}
        self.services.ops["invoke_async"] = lambda arn, payload: True

    def test_services_invoke(self) -> None:
        self.assertEqual(aws_lambda.invoke(ARN, {"a": 1}), {"got": {"a": 1}})
        self.assertEqual(aws_lambda.invoke(ARN), {"got": {}})
        self.assertIs(aws_lambda.invoke_async(ARN, event()), True)
        self.assertEqual([op for op, _ in self.services.asked], ["invoke", "invoke", "invoke_async"])
        json.dumps(self.services.asked[2][1])

    def test_services_refuse(self) -> None:
        for code, name in [("AWSLambda:INVOKE_FAILED", "INVOKE_FAILED"), ("Run:FORBIDDEN", "FORBIDDEN")]:
            self.services.ops["invoke"] = refuse(code, "no", "Add it to lambda_arns.")
            failed = self.fails(name, lambda: aws_lambda.invoke(ARN))
            self.assertEqual(failed.hint, "Add it to lambda_arns.")


if __name__ == "__main__":
    unittest.main()
