package entity_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/entity"
)

const grants = "arn:aws:iam::*:role/sym/*,arn:aws:lambda:us-east-1:123456789012:function:grant-*,secret:/sym/*,host:*.okta.com,host:grants.example.com," +
	"handlers:arn:aws:lambda:us-east-1:123456789012:function:gather-*,handlers:secret:/prod/pagerduty"

// TestBounds: what is within them has no fault, and what is outside is named, with the
// option that widens them.
func TestBounds(t *testing.T) {
	t.Parallel()
	bounds, err := entity.ParseBounds(grants)
	if err != nil || bounds.String() != grants {
		t.Fatalf("%s, %v", bounds, err)
	}
	for name, test := range map[string]struct {
		kind entity.Kind
		body string
		want []string
	}{
		"a role":             {entity.KindIntegration, `{"slug":"i","type":"permission_context","external_id":"1","settings":{"role_arn":"arn:aws:iam::123456789012:role/sym/a/b"}}`, nil},
		"another role":       {entity.KindIntegration, `{"slug":"i","type":"permission_context","external_id":"1","settings":{"role_arn":"arn:aws:iam::123456789012:role/admin"}}`, []string{"settings.role_arn"}},
		"a role in a path":   {entity.KindIntegration, `{"slug":"i","type":"permission_context","external_id":"1","settings":{"role_arn":"arn:aws:iam::1/2:role/sym/a"}}`, []string{"settings.role_arn"}},
		"a function":         {entity.KindTarget, `{"slug":"t","type":"aws_lambda_function","settings":{"arn":"arn:aws:lambda:us-east-1:123456789012:function:grant-db"}}`, nil},
		"another function":   {entity.KindTarget, `{"slug":"t","type":"aws_lambda_function","settings":{"arn":"arn:aws:lambda:us-east-1:123456789012:function:sym-flows-tokens"}}`, []string{"settings.arn"}},
		"flows' functions":   {entity.KindEnvironment, `{"slug":"e","lambda_arns":["arn:aws:lambda:us-east-1:123456789012:function:gather-a","arn:aws:lambda:us-east-1:123456789012:function:grant-a"]}`, []string{"lambda_arns[1]"}},
		"a target of theirs": {entity.KindTarget, `{"slug":"t","type":"aws_lambda_function","settings":{"arn":"arn:aws:lambda:us-east-1:123456789012:function:gather-a"}}`, []string{"settings.arn"}},
		"a secret":           {entity.KindSecret, `{"path":"/sym/okta"}`, nil},
		"handlers' secret":   {entity.KindSecret, `{"path":"/prod/pagerduty"}`, nil},
		"another secret":     {entity.KindSecret, `{"path":"/prod/db"}`, []string{"path"}},
		"a host":             {entity.KindStrategy, `{"slug":"s","type":"http","settings":{"url":"https://grants.example.com/x"}}`, nil},
		"without TLS":        {entity.KindStrategy, `{"slug":"s","type":"http","settings":{"url":"http://grants.example.com/x"}}`, []string{"settings.url"}},
		"another host":       {entity.KindStrategy, `{"slug":"s","type":"http","settings":{"url":"https://grants.example.com.evil.example/x"}}`, []string{"settings.url"}},
		"an address":         {entity.KindLogDestination, `{"type":"http","settings":{"url":"https://169.254.169.254/latest"}}`, []string{"settings.url"}},
		"a loopback":         {entity.KindLogDestination, `{"type":"http","settings":{"url":"https://localhost/x"}}`, []string{"settings.url"}},
		"a password":         {entity.KindLogDestination, `{"type":"http","settings":{"url":"https://a:b@grants.example.com/x"}}`, []string{"settings.url"}},
		"secrets to a host":  {entity.KindIntegration, `{"slug":"i","type":"okta","external_id":"acme.okta.com","settings":{"api_token_secret":"s"}}`, nil},
		"by URL":             {entity.KindIntegration, `{"slug":"i","type":"okta","external_id":"https://acme.okta.com","settings":{"api_token_secret":"s"}}`, nil},
		"elsewhere by URL":   {entity.KindIntegration, `{"slug":"i","type":"okta","external_id":"https://evil.example.net","settings":{"api_token_secret":"s"}}`, []string{"external_id"}},
		"in the clear":       {entity.KindIntegration, `{"slug":"i","type":"boundary","external_id":"http://acme.okta.com","settings":{"password_secret":"s"}}`, []string{"external_id"}},
		"ending in a slash":  {entity.KindIntegration, `{"slug":"i","type":"okta","external_id":" evil.example.net/ ","settings":{"api_token_secret":"s"}}`, []string{"external_id"}},
		"secrets elsewhere":  {entity.KindIntegration, `{"slug":"i","type":"okta","external_id":"okta.com.evil.example","settings":{"api_token_secret":"s"}}`, []string{"external_id"}},
	} {
		e, _, _ := read(t, test.kind, test.body)
		var got []string
		for _, f := range bounds.Outside(e) {
			got = append(got, f.Attribute)
			if !strings.Contains(f.Message, "-c grants=") {
				t.Errorf("%s: %q does not name the option", name, f.Message)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v is outside, want %v", name, got, test.want)
		}
	}
	none, err := entity.ParseBounds("")
	if err != nil {
		t.Fatal(err)
	}
	if e, _, _ := read(t, entity.KindSecret, `{"path":"/sym/okta"}`); len(none.Outside(e)) != 1 {
		t.Error("without bounds everything is allowed")
	}
}

func TestParseBounds_Faults(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"*", "host:*", "host:localhost", "secret:*", "arn:aws:iam::*:user/x", "arn:aws:lambda:us-east-1:*:function:a", "arn:aws:lambda:us-east-1:123456789012:function:*", "x,secret:/a",
		"handlers:host:a.example.com", "handlers:arn:aws:iam::*:role/sym/*", "handlers:secret:*",
		"arn:aws:lambda:us-east-1:123456789012:function:grant-*,handlers:arn:aws:lambda:us-east-1:123456789012:function:grant-db",
		"arn:aws:lambda:us-east-1:123456789012:function:grant-db,handlers:arn:aws:lambda:us-east-1:123456789012:function:g*",
		"arn:aws:lambda:us-east-1:123456789012:function:grant-db,handlers:arn:aws:lambda:us-east-1:123456789012:function:grant-db"} {
		if b, err := entity.ParseBounds(text); err == nil {
			t.Errorf("%q is %+v", text, b)
		}
	}
}
