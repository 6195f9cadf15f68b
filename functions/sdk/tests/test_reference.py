"""The reference lists everything, in Markdown that is well-formed."""

import re
import unittest
from pathlib import Path

import reference
from tests.test_facts import ALL


class Reference(unittest.TestCase):
    text = reference.reference()

    def test_is_up_to_date(self):
        page = Path(__file__).parents[3] / "docs" / "sdk-reference.md"
        self.assertTrue(page.read_text(encoding="utf-8") == self.text, "run make docs")

    def test_lists_every_name(self):
        for module, names in ALL.items():
            for name in names:
                with self.subTest(f"{module}.{name}"):
                    last = name.split(".")[-1]
                    self.assertRegex(self.text, rf"(?m)^#+ (\w+\.)?{last}$|^\| `{last}` \|")

    def test_modules_once(self):
        headings = re.findall(r"(?m)^## (.*)$", self.text)
        self.assertEqual(len(headings), len(set(headings)))
        self.assertIn("sym.sdk.integrations.slack", headings)

    def test_blocks_close(self):
        fences = re.findall(r"(?m)^```(.*)$", self.text)
        self.assertEqual(fences, ["python", ""] * (len(fences) // 2))

    def test_signatures_are_python(self):
        for heading, block in re.findall(r"(?m)^#{3,4} (\S+)\n\n```python\n(.*?)\n```", self.text, re.S):
            with self.subTest(heading):
                compile(f"def {block}: ...", heading, "exec")

    def test_sections(self):
        self.assertIn("### prefetch", self.text)
        self.assertIn("- `field_name`: name of the prompt field, which has `prefetch: true`.", self.text)
        self.assertIn("| `SlackError` | `Slack:…` |", self.text)
        self.assertIn("- `user_id` (`str`): Slack's id of the person.", self.text)
        self.assertNotIn("Args:\n", self.text)
        self.assertNotRegex(self.text, r"(?m)^#+ _")
