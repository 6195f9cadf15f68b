package client

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
)

// The Python of the guide tells genuine requests from others.
func TestGuidesPythonVerifies(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../../../docs/strategies.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(guide)
	if block == nil {
		t.Fatal("docs/strategies.md has no Python")
	}
	const body = `{"id":"1"}`
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	timestamp := "1767225600"
	signature := events.Signature("secret", timestamp, []byte(body))
	program := string(block[1]) + `
import sys
time.time = lambda: float(sys.argv[1])
print(genuine(b"secret", sys.argv[2], sys.argv[3].encode(), sys.argv[4]))
`
	for name, test := range map[string]struct {
		now, timestamp, body, signature, want string
	}{
		"Genuine":   {"1767225700", timestamp, body, signature, "True"},
		"OtherBody": {"1767225700", timestamp, body + " ", signature, "False"},
		"OtherTime": {"1767225700", "1767225601", body, signature, "False"},
		"Old":       {"1767226000", timestamp, body, signature, "False"},
	} {
		out, err := exec.CommandContext(t.Context(), "python3", "-c", program, test.now, test.timestamp, test.body, test.signature).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != test.want {
			t.Errorf("%s: %s %v, want %s", name, out, err, test.want)
		}
	}
	if err := events.VerifySignature("secret", timestamp, []byte(body), signature, now); err != nil {
		t.Errorf("and in Go: %v", err)
	}
}
