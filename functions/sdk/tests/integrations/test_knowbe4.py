"""KnowBe4: Reporting API v1, with numbered pages of unknown count."""

import unittest

from sym.sdk.exceptions import IdentityNotFound, KnowBe4Error, MissingArgument
from sym.sdk.integrations import knowbe4
from tests.integrations.fakes import Asked, Faults, IntegrationTest, Reply, user

# More than one page, with whom we look for at its end.
USERS = [{"id": i, "email": f"user{i}@example.com"} for i in range(1, 601)] + [
    {"id": 700, "email": "Alice@example.com", "status": "active"},
    {"id": 701, "email": "gone@example.com", "status": "archived"},
]
ENROLLMENTS = [
    {"enrollment_id": 1, "user": {"id": 700}, "campaign": 5, "store": 9, "status": "Passed"},
    {"enrollment_id": 2, "user": {"id": 700}, "campaign": 6, "store": 9, "status": "In Progress"},
    {"enrollment_id": 3, "user": {"id": 1}, "campaign": 5, "store": 9, "status": "Passed"},
]


class KnowBe4Test(Faults, IntegrationTest):
    service = "knowbe4"
    error = KnowBe4Error
    external_id = "example.com"

    def call(self):
        return knowbe4.is_user_in_group(user(), 33)

    def route(self, asked: Asked) -> Reply:
        self.assertEqual(asked.headers["Authorization"], "Bearer s3cr3t-t0k3n")
        match asked.path.removeprefix("/v1/").split("/"):
            case ["users"]:
                return self.page(asked, USERS)
            case ["groups", "33", "members"]:
                return self.page(asked, USERS)
            case ["groups", "34", "members"]:
                return self.page(asked, USERS[:2])
            case ["training", "enrollments"]:
                return self.page(asked, [
                    e
                    for e in ENROLLMENTS
                    if str(e["user"]["id"]) == asked.one("user_id")
                    and str(e["campaign"]) == asked.one("campaign_id", str(e["campaign"]))
                    and str(e["store"]) == asked.one("store_purchase_id", str(e["store"]))
                ])
        return Reply(404, {"message": "The resource could not be found."})

    def page(self, asked: Asked, found: list) -> Reply:
        size = int(asked.one("per_page"))
        self.assertLessEqual(size, 500)
        start = (int(asked.one("page")) - 1) * size
        return Reply(200, found[start : start + size])

    def test_get_training_enrollments_for_user(self) -> None:
        for args, want in [
            ({}, [1, 2]),
            ({"campaign_id": 6}, [2]),
            ({"store_purchase_id": 9, "campaign_id": 5}, [1]),
            ({"store_purchase_id": 8}, []),
        ]:
            with self.subTest(args=args):
                found = knowbe4.get_training_enrollments_for_user(user(), **args)
                self.assertEqual([enrollment["enrollment_id"] for enrollment in found], want)

    def test_stored_identity_counts(self) -> None:
        stored = user("al@example.com", ("knowbe4", "example.com", "700"))
        self.assertEqual(len(knowbe4.get_training_enrollments_for_user(stored)), 2)
        self.assertNotIn("/v1/users", self.paths())
        self.assertIs(knowbe4.is_user_in_group(stored, 33), True)

    def test_is_user_in_group(self) -> None:
        self.assertIs(knowbe4.is_user_in_group(user(), 33), True)
        self.assertIs(knowbe4.is_user_in_group(user(), "34"), False)
        self.assertIs(knowbe4.is_user_in_group(user("user5@example.com"), 33), True)  # of whom nothing is said
        self.assertIs(knowbe4.is_user_in_group(user("gone@example.com"), 33), False)
        failed = self.fails("NOT_FOUND", lambda: knowbe4.is_user_in_group(user(), 35))
        self.assertEqual(failed.message, "KnowBe4 has no group 35.")

    def test_user_is_unknown(self) -> None:
        nobody = user("nobody@example.com")
        self.fails("NOT_FOUND", lambda: knowbe4.get_training_enrollments_for_user(nobody), IdentityNotFound)

    def test_arguments(self) -> None:
        self.fails("MISSING_ARGUMENT", lambda: knowbe4.is_user_in_group(user(), None), MissingArgument)
        self.fails("MISSING_ARGUMENT", lambda: knowbe4.get_training_enrollments_for_user(None), MissingArgument)


class KnowBe4RegionTest(IntegrationTest):
    service = "knowbe4"
    error = KnowBe4Error

    def settings(self):
        return {"region": "mars"}

    def test_region_is_none(self) -> None:
        self.fails("NOT_CONFIGURED", lambda: knowbe4.is_user_in_group(user(), 33))

    def test_region_says_where(self) -> None:
        for region, want in [("", "https://us.api.knowbe4.com"), ("EU", "https://eu.api.knowbe4.com")]:
            self.integration._settings["region"] = region
            self.assertEqual(knowbe4._connect()[0].base_url, want)


if __name__ == "__main__":
    unittest.main()
