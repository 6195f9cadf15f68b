package workflow

import (
	"testing"

	"github.com/symflows/symflows/internal/flow"
)

// TestSystemOf: identities are stored for the strategy's type; at Google for the
// system, by the name that handlers know it by, as it has several strategies.
func TestSystemOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		s                 flow.Strategy
		service, external string
	}{
		{flow.Strategy{Type: "aws_iam"}, "aws_iam", ""},
		{flow.Strategy{Type: "aws_iam", Integration: &flow.Integration{Type: "permission_context", ExternalID: "123456789012"}}, "aws_iam", "123456789012"},
		{flow.Strategy{Type: "google_group", Integration: &flow.Integration{Type: "google", ExternalID: "example.com"}}, "google", "example.com"},
		{flow.Strategy{Type: "gcp_iam", Integration: &flow.Integration{Type: "google", ExternalID: "example.com"}}, "google", "example.com"},
	} {
		if service, external := systemOf(test.s); service != test.service || external != test.external {
			t.Errorf("%s: identities for %s at %q, want %s at %q", test.s.Type, service, external, test.service, test.external)
		}
	}
}
