"""What the policy of prod-access.py decides. Run it with

    PYTHONPATH=functions/sdk python3 flows/prod-access_test.py
"""

import contextlib
import io
import sys
import unittest
import unittest.mock
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "functions" / "sdk"))

from sym.sdk import testing  # noqa: E402
from sym.sdk.exceptions import PagerDutyError  # noqa: E402


class ProdAccess(unittest.TestCase):
    policy = testing.Policy.of_file(HERE / "prod-access.py")

    def decide(self, **pagerduty):
        """What becomes of a request, and what was asked of PagerDuty."""
        event = testing.event("request", fields={"reason": "Orders are stuck."}, vars={"schedule": "Primary"})
        with unittest.mock.patch("sym.sdk.integrations.pagerduty.is_on_call", **pagerduty) as asked:
            outcome = self.policy.handle(event)
        asked.assert_called_once_with(event.user, schedule_name="Primary")
        return outcome

    def test_on_call_is_approved(self):
        outcome = self.decide(return_value=True)
        self.assertEqual(outcome.decision, "approve")
        self.assertEqual(outcome.fields["reason"], "On call for Primary.")

    def test_others_ask_people(self):
        self.assertIsNone(self.decide(return_value=False).decision)

    def test_people_decide_when_pagerduty_is_down(self):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            outcome = self.decide(side_effect=PagerDutyError("UNREACHABLE", "PagerDuty does not answer."))
        self.assertIsNone(outcome.decision)
        self.assertIn("PagerDuty does not answer.", printed.getvalue())


if __name__ == "__main__":
    unittest.main()
