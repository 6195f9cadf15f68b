"""Users and kept values of Sym Flows itself."""

import contextlib
import io
import unittest

from sym.sdk.exceptions import MissingArgument, SDKError, SymIntegrationError
from sym.sdk.integrations import store, sym
from tests.integrations.fakes import IntegrationTest, refuse, wire_user


class SymTest(IntegrationTest):
    service = "sym"
    error = SymIntegrationError
    secrets = {}

    def setUp(self) -> None:
        super().setUp()
        self.services.ops["user_by_email"] = lambda email, create: wire_user(email)

    def test_get_or_create_user_by_email(self) -> None:
        self.assertEqual(sym.get_or_create_user_by_email(" Lead@example.com").email, "lead@example.com")
        self.assertEqual(self.services.asked, [("user_by_email", {"email": "Lead@example.com", "create": True})])
        for email in ("", "lead", "@example.com", "lead@", "le ad@example.com", None):
            with self.subTest(email=email):
                self.fails("INVALID_EMAIL", lambda: sym.get_or_create_user_by_email(email))
        self.services.ops["user_by_email"] = refuse("Slack:LOOKUP_FAILED")
        self.fails("LOOKUP_FAILED", lambda: sym.get_or_create_user_by_email("a@example.com"))
        self.services.ops["user_by_email"] = lambda email, create: None
        self.fails("BAD_ANSWER", lambda: sym.get_or_create_user_by_email("a@example.com"))

    def test_get_or_create_users_by_emails(self) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            found = sym.get_or_create_users_by_emails(["b@example.com", "A@example.com", "nobody", "b@example.com"])
        self.assertEqual(self.emails(found), ["b@example.com", "a@example.com", "b@example.com"])
        self.assertIn("nobody", printed.getvalue())
        self.assertEqual(sym.get_or_create_users_by_emails([]), [])

    def test_raise_on_error(self) -> None:
        failed = self.fails(
            "INVALID_EMAIL", lambda: sym.get_or_create_users_by_emails(["a@example.com", "nobody"], raise_on_error=True)
        )
        self.assertIn("nobody", failed.message)
        self.services.ops["users_by_emails"] = lambda emails: [None for _ in emails]
        self.fails("INVALID_EMAIL", lambda: sym.get_or_create_users_by_emails(["a@example.com"], raise_on_error=True))

    def test_serious_errors_are_always_raised(self) -> None:
        for emails in ("a@example.com", ["a@example.com", None], [3]):
            self.fails("INVALID_EMAIL", lambda: sym.get_or_create_users_by_emails(emails))
        self.services.ops["users_by_emails"] = refuse("HTTP:NO_ANSWER")
        self.fails("NO_ANSWER", lambda: sym.get_or_create_users_by_emails(["a@example.com"]))
        for answer in (None, [], [{"id": 1}], "text", [{"email": "a@example.com"}]):
            self.services.ops["users_by_emails"] = lambda emails: answer
            self.fails("BAD_ANSWER", lambda: sym.get_or_create_users_by_emails(["a@example.com"]))

    def test_many_are_asked_for_in_parts(self) -> None:
        emails = [f"user{i}@example.com" for i in range(450)]
        self.assertEqual(self.emails(sym.get_or_create_users_by_emails(emails)), emails)
        self.assertEqual([len(args["emails"]) for _, args in self.services.asked], [200, 200, 50])


class StoreTest(IntegrationTest):
    service = "store"
    error = SymIntegrationError
    secrets = {}

    def setUp(self) -> None:
        super().setUp()
        self.kept = {}
        self.services.ops["store_get"] = lambda path: self.kept.get((path, False), self.kept.get((path, True)))
        self.services.ops["store_put"] = lambda path, value, shared: self.kept.update({(path, shared): value})

    def test_fetch_and_put(self) -> None:
        self.assertIsNone(store.fetch("approvals/1"))
        for value in ([1, "a", None], {"a": {"b": True}}, "text", 0, None):
            self.assertIsNone(store.put("approvals/1", value))
            self.assertEqual(store.fetch("approvals/1"), value)

    def test_shared(self) -> None:
        store.put("teams", ["sre"], shared=True)
        self.assertEqual((store.fetch("teams"), list(self.kept)), (["sre"], [("teams", True)]))
        store.put("teams", [])
        self.assertEqual(store.fetch("teams"), [])

    def test_what_can_not_be_kept(self) -> None:
        for value in (object(), {1, 2}, float("nan"), b"bytes"):
            self.fails("BAD_VALUE", lambda: store.put("approvals/1", value))
        for path in ("", None, 7):
            self.fails("MISSING_ARGUMENT", lambda: store.put(path, 1), MissingArgument)
            self.fails("MISSING_ARGUMENT", lambda: store.fetch(path), MissingArgument)

    def test_refusals(self) -> None:
        self.services.ops["store_put"] = refuse("Store:TOO_LARGE", "64 KB at most")
        self.fails("TOO_LARGE", lambda: store.put("approvals/1", 1))
        self.services.ops["store_get"] = refuse("SDK:NO_SERVICES")
        self.fails("NO_SERVICES", lambda: store.fetch("approvals/1"), SDKError)


if __name__ == "__main__":
    unittest.main()
