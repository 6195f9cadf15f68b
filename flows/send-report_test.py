"""What send-report.py does. Run it with

    python3 flows/send-report_test.py
"""

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "functions" / "sdk"))

from sym.sdk import testing  # noqa: E402

ARN = "arn:aws:lambda:us-east-1:123456789012:function:report"


class SendReport(unittest.TestCase):
    policy = testing.Policy.of_file(HERE / "send-report.py")
    event = testing.event(
        "approve", user=testing.user("bob@example.com"), requester=testing.user(), fields={"table": "orders", "rows": 2},
        vars={"report_arn": ARN},
    )

    def test_the_requester_is_told(self):
        asked = []

        def report(payload):
            asked.append(payload)
            return {"table": "orders", "rows": 7, "report": "A-1001\n<!channel> Books"}

        services = testing.FakeServices(lambdas={ARN: report})
        self.policy.after(self.event, services)
        self.assertEqual(
            asked, [{"table": "orders", "rows": 2, "requester": "alice@example.com", "run": self.event.run.id}]
        )
        [(to, text)] = services.messages
        self.assertEqual((to["email"], text), ("alice@example.com", "A-1001\n&lt;!channel&gt; Books"))

    def test_nothing_is_sent_when_the_function_fails(self):
        services = testing.FakeServices(lambdas={ARN: lambda payload: {}[payload["table"]]})
        with self.assertRaises(testing.HandlerFailed):
            self.policy.after(self.event, services)
        self.assertEqual(services.messages, [])


if __name__ == "__main__":
    unittest.main()
