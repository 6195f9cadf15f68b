"""The HTTP client that all modules share."""

import email.utils
import os
import threading
import unittest
from email.message import Message
from unittest import mock

from sym.sdk.exceptions import OktaError
from sym.sdk.integrations import _http
from sym.sdk.integrations._http import Client, next_link, quote
from tests.integrations.fakes import MINUTES, Asked, IntegrationTest, Reply


class ClientTest(IntegrationTest):
    service = "okta"
    error = OktaError

    def setUp(self) -> None:
        super().setUp()
        self.client = self.make()

    def make(self, **options) -> Client:
        options = {"headers": {"Authorization": "SSWS s3cr3t-t0k3n"}, "secrets": ("s3cr3t-t0k3n",), "clock": self.clock, **options}
        return Client(OktaError, self.server.url, name="main", **options)

    def route(self, asked: Asked) -> Reply:
        return Reply(200, {"path": asked.target})

    def test_query(self) -> None:
        for path, params, want in [
            ("/a", None, "/a"),
            ("/a", {"q": "x y&z", "none": None, "ids[]": ["1", "2"], "empty": []}, "/a?q=x+y%26z&ids%5B%5D=1&ids%5B%5D=2"),
            ("/a?b=c", {"d": 1}, "/a?b=c&d=1"),
            (f"{self.server.url}/next?after=1", None, "/next?after=1"),
        ]:
            with self.subTest(path=path, params=params):
                self.assertEqual(self.client.get(path, params), {"path": want})

    def test_addresses_that_get_no_token(self) -> None:
        for url in (
            "http://example.com", "ftp://example.com", "file:///etc/passwd", "example.com", "", "https://",
            "https://user:pass@example.com", "https://example.com?x=1", "https://example.com#x", "http://127.0.0.1.example.com",
            "http://localhost.example.com", "https://example.com:port", "http://169.254.169.254",
        ):
            with self.subTest(url=url):
                self.fails("BAD_URL", lambda: Client(OktaError, url, name="main"))
        for url in ("https://example.com/", "https://example.com:8443/api/v3", "http://127.0.0.1:80", "http://localhost:1", "http://[::1]:1"):
            with self.subTest(url=url):
                self.assertEqual(Client(OktaError, url).base_url, url.rstrip("/"))

    def test_never_leaves_the_server(self) -> None:
        for path in ("https://evil.example.com/a", self.server.url.replace("http://", "http://evil@") + "/a", "http://127.0.0.1:1/a"):
            with self.subTest(path=path):
                self.fails("BAD_URL", lambda: self.client.get(path))
        self.assertEqual(self.server.asked, [])

    def test_proxies_are_not_for_neighbours(self) -> None:
        with mock.patch.dict(os.environ, {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}):
            self.assertEqual(self.client.get("/a"), {"path": "/a"})

    def test_post_is_not_repeated(self) -> None:
        self.server.first = [Reply(500, {})]
        self.fails("UNAVAILABLE", lambda: self.client.post("/a", {}))
        self.server.first = [Reply(500, {})]
        self.assertEqual(self.client.post("/a", {}, repeatable=True), {"path": "/a"})

    def test_find(self) -> None:
        self.server.first = [Reply(404, {})]
        self.assertIsNone(self.client.find("/a"))
        self.assertEqual(self.client.find("/a"), {"path": "/a"})
        self.server.first = [Reply(403, {})]
        self.fails("FORBIDDEN", lambda: self.client.find("/a"))

    def test_waits_that_servers_ask_for(self) -> None:
        now = int(self.clock.time)
        for headers, want in [
            ({"Retry-After": "7"}, 7.0),
            ({"Retry-After": email.utils.formatdate(now + 8, usegmt=True)}, 8.0),
            ({"Retry-After": email.utils.formatdate(now - 8, usegmt=True)}, 0.0),
            ({"X-Rate-Limit-Reset": str(now + 9)}, 9.0),
            ({"x-ratelimit-reset": str(now + 10)}, 10.0),
            ({"ratelimit-reset": "11"}, 11.0),
        ]:
            with self.subTest(headers=headers):
                self.clock.time = float(now)
                self.clock.slept.clear()
                self.server.first = [Reply(429, {}, headers)]
                self.make(remaining=lambda: MINUTES).get("/a")
                self.assertEqual(self.clock.slept, [want])
        for headers in ({}, {"Retry-After": "soon"}, {"X-Rate-Limit-Reset": "later"}):
            with self.subTest(headers=headers):
                self.clock.slept.clear()
                self.server.first = [Reply(429, {}, headers)] * 3
                self.make(remaining=lambda: MINUTES).get("/a")
                waits = self.clock.slept
                self.assertEqual(len(waits), 3)
                for wait, least in zip(waits, (0.2, 0.4, 0.8)):
                    self.assertTrue(least <= wait <= 1.5 * least, waits)

    def test_no_answer_in_time(self) -> None:
        done = threading.Event()
        self.addCleanup(done.set)
        self.server.route = lambda asked: (done.wait(), Reply(200, {}))[1]
        self.fails("TIMEOUT", lambda: self.make(remaining=lambda: 0.05).get("/a"))
        done.set()

    def test_nobody_listens(self) -> None:
        self.client.base_url = "http://127.0.0.1:1"
        failed = self.fails("UNAVAILABLE", lambda: self.client.get("/a"))
        self.assertIn("http://127.0.0.1:1", failed.hint)
        self.assertEqual(len(self.clock.slept), 3)

    def test_answer_is_too_large(self) -> None:
        with mock.patch.object(_http, "MAX_ANSWER", 10):
            self.fails("BAD_ANSWER", lambda: self.client.get("/a/long/path"))

    def test_list_that_does_not_end(self) -> None:
        self.server.route = lambda asked: Reply(200, [{}], {"Link": f'<{self.server.url}/a>; rel="next"'})
        with mock.patch.object(_http, "MAX_PAGES", 5):
            self.fails("BAD_ANSWER", lambda: list(self.client.pages_by_link("/a")))
        self.assertEqual(len(self.server.asked), 5)

    def test_list_that_is_none(self) -> None:
        for body in ({"error": "x"}, None, "text", 3):
            self.server.first = [Reply(200, body)]
            self.fails("BAD_ANSWER", lambda: list(self.client.pages_by_link("/a")))

    def test_refusals(self) -> None:
        for status, body, name, words in [
            (400, {"message": "bad\n thing"}, "REJECTED", "Okta answered 400 to GET /a: bad thing"),
            (400, {"message": {"no": "text"}}, "REJECTED", "Okta answered 400 to GET /a: no: text"),
            (409, b"", "REJECTED", "Okta answered 409 to GET /a."),
            (418, ["x"], "REJECTED", "Okta answered 418 to GET /a."),
            (500, b"<html>", "UNAVAILABLE", "Okta answered 500 to GET /a."),
            (400, {"message": "x" * 9999}, "REJECTED", "…"),
        ]:
            with self.subTest(status=status, body=body):
                self.server.first = [Reply(status, body)] * (4 if status >= 500 else 1)
                failed = self.fails(name, lambda: self.client.get("/a", {"secret": "in the query"}))
                self.assertIn(words, failed.message)
                self.assertLessEqual(len(failed.message), 500)
                self.assertNotIn("in the query", failed.message)
                self.assertIsNone(failed.__cause__)


class HelpersTest(unittest.TestCase):
    def test_next_link(self) -> None:
        for links, want in [
            ([], None),
            (['<https://a/?x=1,2>; rel="next"'], "https://a/?x=1,2"),
            (['<https://a/>; rel="self"', '<https://b/>; rel="next"'], "https://b/"),
            (['<https://a/>; rel="prev", <https://b/>; rel="next", <https://c/>; rel="last"'], "https://b/"),
            (["<https://a/>; rel=next; title=x"], "https://a/"),
            (['<https://a/>; rel="next-archive"'], None),
            (["nonsense"], None),
        ]:
            headers = Message()
            for link in links:
                headers["Link"] = link
            with self.subTest(links=links):
                self.assertEqual(next_link(headers), want)

    def test_quote(self) -> None:
        for part, want in [
            ("00g1", "00g1"), ("a/b", "a%2Fb"), ("..", "%2E%2E"), (".", "%2E"), ("a..b", "a..b"), ("a b?c#d", "a%20b%3Fc%23d"),
            ("a@b.c", "a@b.c"), (7, "7"), ("ä", "%C3%A4"),
        ]:
            with self.subTest(part=part):
                self.assertEqual(quote(part), want)


if __name__ == "__main__":
    unittest.main()
