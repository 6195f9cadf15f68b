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
		"arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:/sym/okta":    false,
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

// TestSecretARNs: an ARN that ends in a dash and six letters may be whole, or not.
func TestSecretARNs(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
	for path, want := range map[string]struct {
		arns string
		name string
	}{
		arn + "/sym/okta":            {arn + "/sym/okta-??????", ""},
		arn + "/sym/okta-a1B2c3":     {arn + "/sym/okta-a1B2c3 " + arn + "/sym/okta-a1B2c3-??????", "/sym/okta-a1B2c3"},
		arn + "client-secret":        {arn + "client-secret " + arn + "client-secret-??????", "client-secret"},
		arn + "client-secret-a1B2c3": {arn + "client-secret-a1B2c3 " + arn + "client-secret-a1B2c3-??????", "client-secret-a1B2c3"},
		arn + "client-secrets":       {arn + "client-secrets-??????", ""},
	} {
		name, ok := SecretName(path)
		if got := strings.Join(SecretARNs(path), " "); got != want.arns || ok != (want.name != "") || ok && name != want.name {
			t.Errorf("%s: %s, %q %t", path, got, name, ok)
		}
	}
	if _, ok := SecretName("client-secret"); ok {
		t.Error("a name is no ARN")
	}
	for found, want := range map[string]bool{
		arn + "client-secret-a1B2c3": true, arn + "client-secret": false, arn + "client-secret-a1B2c3d": false,
		"arn:aws:secretsmanager:us-east-1:210987654321:secret:client-secret-a1B2c3": false,
	} {
		if SecretHas(found, arn+"client-secret") != want {
			t.Errorf("%s: %t", found, !want)
		}
	}
}
