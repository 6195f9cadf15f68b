"""flows/prod-access.py with PagerDuty at the other end of the line, as make run has it."""

import contextlib
import io
import unittest
from pathlib import Path

from sym.sdk import testing
from tests.servers import as_json, serving

KNOWN = {"alice@example.com": "PALICE", "bob@example.com": "PBOB"}


def pagerduty(path, headers, body):
    """Alice is on call by the schedule Primary."""
    if headers["authorization"] != "Token token=k3y":
        return as_json({"error": {"message": "Who are you?"}}, 401)
    if path.startswith("/schedules"):
        found = {"schedules": [{"id": "PS1", "name": "Primary"}]}
    elif path.startswith("/users"):
        found = {"users": [{"id": id, "email": email} for email, id in KNOWN.items()]}
    else:
        found = {"oncalls": [{"user": {"id": "PALICE"}}] if "PS1" in path and "PALICE" in path else []}
    return as_json({**found, "offset": 0, "more": False})


class ProdAccess(unittest.TestCase):
    policy = testing.Policy.of_file(Path(__file__).parents[3] / "flows" / "prod-access.py")

    def test_who_is_approved(self):
        for email, key, decision, printed in [
            ("alice@example.com", "k3y", "approve", ""),
            ("bob@example.com", "k3y", None, ""),
            ("carol@example.com", "k3y", None, "We don't know who carol@example.com is"),
            ("alice@example.com", "wrong", None, "PagerDuty answered 401"),
        ]:
            with self.subTest(email), serving(pagerduty) as url, contextlib.redirect_stdout(io.StringIO()) as output:
                integration = testing.integration("pagerduty", secrets=["api_token_secret"], api_url=url)
                event = testing.event(
                    user=testing.user(email), vars={"schedule": "Primary"}, integrations={"pagerduty": integration}
                )
                outcome = self.policy.handle(event, testing.FakeServices(secrets={"api_token_secret": key}))
            self.assertEqual(outcome.decision, decision)
            self.assertIn(printed, output.getvalue())
            self.assertEqual(bool(printed), bool(output.getvalue()))


if __name__ == "__main__":
    unittest.main()
