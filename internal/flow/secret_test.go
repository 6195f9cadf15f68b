package flow

import (
	"strings"
	"testing"
)

func TestSecretRefPick(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text, key string
		want            string
		fault           string
	}{
		{"Whole", "s3cret", "", "s3cret", ""},
		{"Text", `{"token":"s3cret","port":5432}`, "token", "s3cret", ""},
		{"Number", `{"account":123456789012}`, "account", "123456789012", ""},
		{"Object", `{"key":{"private":"s3cret"}}`, "key", `{"private":"s3cret"}`, ""},
		{"Empty", `{"token":""}`, "token", "", ""},
		{"NoKey", `{"token":"s3cret"}`, "user", "", `has no key "user"`},
		{"Null", `{"token":null}`, "token", "", `has no key "token"`},
		{"NoObject", "s3cret", "token", "", "is no JSON object"},
		{"List", `["s3cret"]`, "token", "", "is no JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ref := SecretRef{Name: "okta", Path: "sym/okta", JSONKey: c.key}
			got, err := ref.Pick(c.text)
			if got != c.want || (err != nil) != (c.fault != "") {
				t.Fatalf("got %q, %v", got, err)
			}
			if err == nil {
				return
			}
			if said := err.Error(); CodeOf(err) != CodeUnavailable || !strings.Contains(said, c.fault) ||
				!strings.Contains(said, "sym/okta") || strings.Contains(said, "s3cret") {
				t.Errorf("said %q", said)
			}
		})
	}
}

func TestCheckSecretPath(t *testing.T) {
	t.Parallel()
	for path, ok := range map[string]bool{
		"/sym/main/okta": true,
		"okta_token":     true,
		"arn:aws:secretsmanager:us-east-1:123456789012:secret:/sym/okta-a1B2c3": true,
		"":          false,
		"/sym/*":    false,
		"*":         false,
		"sym/okt?":  false,
		"two words": false,
		"arn:aws:secretsmanager:us-east-1:123456789012:secret:*": false,
		"arn:aws:ssm:us-east-1:123456789012:parameter/okta":      false,
		strings.Repeat("a", 520):                                 false,
	} {
		if err := CheckSecretPath(path); (err == nil) != ok || err != nil && CodeOf(err) != CodeInvalid {
			t.Errorf("%q: %v", path, err)
		}
	}
}
