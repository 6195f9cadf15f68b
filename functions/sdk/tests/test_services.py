"""What handlers ask of us, over the wire."""

import json
import os
import socket
import unittest
from unittest import mock

from sym.sdk import runtime, testing
from sym.sdk.exceptions import AWSError, AWSLambdaError, ExceptionWithHint, HTTPError, SDKError, SlackError
from sym.sdk.services import NoServices, connect
from tests.servers import as_json, serving

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:services"
AWS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "shhh", "AWS_SESSION_TOKEN": "session", "AWS_REGION": "us-east-1"}


class ByHTTP(unittest.TestCase):
    def test_value(self):
        seen = []

        def answer(path, headers, body):
            seen.append((path, headers["content-type"], json.loads(body)))
            return as_json({"value": {"n": 1}})

        with serving(answer) as url, mock.patch.dict(os.environ, {"http_proxy": "http://127.0.0.1:1"}):
            services = connect({"url": url + "/services", "token": "t0ken", "offers": ["secret"]})
            self.assertEqual(services.ask("store_get", path="a"), {"n": 1})
        [(path, kind, body)] = seen
        self.assertEqual((path, kind), ("/services", "application/json"))
        self.assertEqual(body, {"token": "t0ken", "op": "store_get", "args": {"path": "a"}, "timeout_ms": 30_000})
        self.assertTrue(services.offers("secret"))
        self.assertFalse(services.offers("invoke"))

    def test_no_longer_than_the_handler_has(self):
        seen = []

        def answer(path, headers, body):
            seen.append(json.loads(body)["timeout_ms"])
            return as_json({"value": None})

        for remaining in (1800.0, 12.5, -1.0):
            with serving(answer) as url, mock.patch.object(runtime, "remaining", lambda: max(0.0, remaining)):
                connect({"url": url, "token": "t"}).ask("slack_users", active_only=True)
        self.assertEqual(seen, [30_000, 12_500, 100])

    def test_null_is_a_value(self):
        with serving(lambda *_: as_json({"value": None})) as url:
            self.assertIsNone(connect({"url": url, "token": "t"}).ask("store_get", path="a"))

    def test_faults(self):
        cases = [
            (as_json({"error": {"code": "Slack:CHANNEL_NOT_FOUND", "message": "m", "hint": "h"}}), SlackError, "Slack:CHANNEL_NOT_FOUND"),
            (as_json({"error": {"code": "SDK:EXPIRED", "message": "m"}}, 403), SDKError, "SDK:EXPIRED"),
            (as_json({"error": {"code": "Other:X", "message": "m"}}), ExceptionWithHint, "Other:X"),
            (as_json({"error": {"message": "m"}}), HTTPError, "HTTP:BAD_ANSWER"),
            (as_json({}), HTTPError, "HTTP:BAD_ANSWER"),
            (as_json([]), HTTPError, "HTTP:BAD_ANSWER"),
            ((200, {}, b"<html>"), HTTPError, "HTTP:BAD_ANSWER"),
            ((502, {}, b"<html>"), HTTPError, "HTTP:BAD_STATUS"),
        ]
        for answer, kind, code in cases:
            with self.subTest(answer), serving(lambda *_: answer) as url, self.assertRaises(kind) as caught:
                connect({"url": url, "token": "t0ken"}).ask("send_message", text="x")
            self.assertEqual(caught.exception.error_code, code)
            self.assertNotIn("t0ken", str(caught.exception))

    def test_nobody_there(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
            with self.assertRaises(HTTPError) as caught:
                connect({"url": url, "token": "t"}).ask("store_get", path="a")
        self.assertEqual(caught.exception.error_code, "HTTP:NO_ANSWER")


class ByLambda(unittest.TestCase):
    def asked(self, answer):
        """Asks the function, which answers as said; its requests, the value or error."""
        seen = []

        def server(path, headers, body):
            seen.append((path, headers.get("authorization", ""), json.loads(body)))
            return answer

        with serving(server) as url, mock.patch.dict(os.environ, {**AWS, "AWS_ENDPOINT_URL_LAMBDA": url}):
            with testing.running(testing.event()):
                return seen, connect({"function": FUNCTION, "token": "t0ken"}).ask("store_get", path="a")

    def test_value(self):
        seen, value = self.asked(as_json({"value": 5}))
        self.assertEqual(value, 5)
        [(path, authorization, body)] = seen
        self.assertTrue(path.endswith("/invocations"), path)
        self.assertIn("Credential=AKIA/", authorization)
        self.assertEqual(body, {"token": "t0ken", "op": "store_get", "args": {"path": "a"}, "timeout_ms": 30_000})

    def test_faults(self):
        with self.assertRaises(SlackError):
            self.asked(as_json({"error": {"code": "Slack:X", "message": "m"}}))
        with self.assertRaises(HTTPError):
            self.asked(as_json({"errorMessage": "boom"}, **{"X-Amz-Function-Error": "Unhandled"}))
        with self.assertRaises(AWSLambdaError):
            self.asked(as_json({"Message": "no"}, 403))


class SecretsOfAWS(unittest.TestCase):
    def value(self, answer, **settings):
        def server(path, headers, body):
            self.assertEqual(headers["x-amz-target"], "secretsmanager.GetSecretValue")
            self.assertEqual(json.loads(body), {"SecretId": "sym/key"})
            return answer

        from sym.sdk.secret import Secret

        with serving(server) as url, mock.patch.dict(os.environ, {**AWS, "AWS_ENDPOINT_URL": url}):
            with runtime.use(runtime.Runtime()):  # without services, so of AWS
                return Secret(path="sym/key", settings=settings).retrieve_value()

    def test_value(self):
        self.assertEqual(self.value(as_json({"SecretString": "s3cret"})), "s3cret")
        self.assertEqual(self.value(as_json({"SecretString": '{"a": "b"}'}), json_key="a"), "b")

    def test_faults(self):
        with self.assertRaises(SDKError):
            self.value(as_json({"SecretBinary": "AAAA"}))
        with self.assertRaises(AWSError):
            self.value(as_json({"__type": "ResourceNotFoundException", "message": "no"}, 400))

    def test_arn_without_its_end(self):
        from sym.sdk.secret import Secret

        ours = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:client-secret"
        theirs = ours.replace("123456789012", "210987654321")

        def server(path, headers, body):
            self.assertIn("/eu-west-1/secretsmanager/", headers["authorization"])
            if json.loads(body)["SecretId"] in ("client-secret", f"{ours}-a1B2c3"):
                return as_json({"ARN": f"{ours}-a1B2c3", "SecretString": "s3cret"})
            return as_json({"__type": "ResourceNotFoundException", "message": "no"}, 400)

        with serving(server) as url, mock.patch.dict(os.environ, {**AWS, "AWS_ENDPOINT_URL": url}):
            with runtime.use(runtime.Runtime()):
                for path in (ours, f"{ours}-a1B2c3"):
                    self.assertEqual(Secret(path=path).retrieve_value(), "s3cret")
                for path in (theirs, f"{ours[:-13]}other-secret"):
                    with self.assertRaises(AWSError):
                        Secret(path=path).retrieve_value()


class Remaining(unittest.TestCase):
    def test_a_handler_keeps_some_time_to_do_without(self):
        with runtime.use(runtime.Runtime(deadline=100.0)), mock.patch("sym.sdk.runtime.time.monotonic") as now:
            for now.return_value, left in [(90.0, 9.5), (99.4, 0.1), (99.5, 0.0), (200.0, 0.0)]:
                self.assertAlmostEqual(runtime.remaining(), left)


class Nothing(unittest.TestCase):
    def test_says_so(self):
        for wire in (None, {}):
            services = connect(wire)
            self.assertIsInstance(services, NoServices)
            self.assertFalse(services.offers("secret"))
            with self.assertRaises(SDKError) as caught:
                services.ask("store_get", path="a")
            self.assertEqual(caught.exception.error_code, "SDK:NO_SERVICES")
