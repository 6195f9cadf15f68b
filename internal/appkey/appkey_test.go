package appkey_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/symflows/symflows/internal/appkey"
	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// secrets are values by path.
type secrets map[string]string

func (s secrets) Value(_ context.Context, ref flow.SecretRef) (string, error) {
	if value, ok := s[ref.Path]; ok {
		return value, nil
	}
	return "", flow.Errorf(flow.CodeUnavailable, "there is no secret %s", ref.Path)
}

func encoded(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func bySecret(path string) *flow.Integration {
	return &flow.Integration{Name: "okta", Secrets: map[string]flow.SecretRef{"private_key_secret": {Name: "key", Path: path}}}
}

func byKMS(arn string) *flow.Integration {
	return &flow.Integration{Name: "okta", Settings: map[string]string{"private_key_kms_arn": arn}}
}

// open gives keys: one private key, in each form that it may have.
func open(t *testing.T) (*awsfake.Fake, appkey.Keys, *rsa.PrivateKey) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	f := awsfake.New()
	f.KMS.AddKey(arn, private)
	accounts := &account.Accounts{AWS: f.Config(t), Now: f.Now}
	return f, appkey.Keys{
		Secrets: secrets{
			"/pkcs1": encoded("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private)), "/pkcs8": encoded("PRIVATE KEY", pkcs8),
			"/public": encoded("PUBLIC KEY", x509.MarshalPKCS1PublicKey(&private.PublicKey)), "/text": "hunter2-hunter2", "/empty": "",
		},
		Accounts: func() (*account.Accounts, error) { return accounts, nil },
	}, private
}

func TestSign(t *testing.T) {
	t.Parallel()
	for name, i := range map[string]*flow.Integration{"PKCS1": bySecret("/pkcs1"), "PKCS8": bySecret("/pkcs8"), "KMS": byKMS(arn)} {
		for _, id := range []string{"", "key-1"} {
			t.Run(name+id, func(t *testing.T) {
				t.Parallel()
				f, keys, private := open(t)
				text, err := keys.Sign(t.Context(), i, id, map[string]any{"iss": "app", "aud": "https://acme.okta.com/oauth2/v1/token", "exp": f.Now().Unix() + 60})
				if err != nil {
					t.Fatal(err)
				}
				token, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return &private.PublicKey, nil },
					jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer("app"), jwt.WithAudience("https://acme.okta.com/oauth2/v1/token"), jwt.WithExpirationRequired(), jwt.WithTimeFunc(f.Now))
				if err != nil {
					t.Fatalf("the vendor does not take it: %v", err)
				}
				if got, _ := token.Header["kid"].(string); got != id {
					t.Errorf("the key's id is %q, want %q", got, id)
				}
				for _, c := range f.Calls("kms") {
					if c.Region != "eu-west-1" {
						t.Errorf("KMS was asked in %s", c.Region)
					}
				}
			})
		}
	}
}

func TestSign_Refused(t *testing.T) {
	t.Parallel()
	state := func(s string) func(*awsfake.Fake) { return func(f *awsfake.Fake) { f.KMS.SetState(arn, s) } }
	fault := func(status int, code string) func(*awsfake.Fake) {
		return func(f *awsfake.Fake) { f.Fail("Sign", 1, awsfake.Fault{Status: status, Code: code}) }
	}
	for _, test := range []struct {
		name string
		i    *flow.Integration
		when func(*awsfake.Fake)
		code flow.Code
		text string
	}{
		{name: "None", i: &flow.Integration{Name: "okta"}, code: flow.CodeStrategy, text: `integration "okta" has no private key`},
		{name: "NoSecret", i: bySecret("/none"), code: flow.CodeUnavailable, text: "there is no secret /none"},
		{name: "Text", i: bySecret("/text"), code: flow.CodeStrategy, text: `secret "key" is no private key`},
		{name: "Empty", i: bySecret("/empty"), code: flow.CodeStrategy, text: `secret "key" is no private key`},
		{name: "Public", i: bySecret("/public"), code: flow.CodeStrategy, text: `secret "key" is no private key`},
		{name: "NoKey", i: byKMS(arn + "0"), code: flow.CodeStrategy, text: "AWS KMS has no key " + arn + "0"},
		{name: "Disabled", i: byKMS(arn), when: state("Disabled"), code: flow.CodeStrategy, text: "is disabled"},
		{name: "PendingDeletion", i: byKMS(arn), when: state("PendingDeletion"), code: flow.CodeStrategy, text: "is about to be deleted"},
		{name: "Usage", i: byKMS(arn), when: fault(400, "InvalidKeyUsageException"), code: flow.CodeStrategy, text: "must be an RSA key for signing"},
		{name: "Unavailable", i: byKMS(arn), when: fault(500, "KeyUnavailableException"), code: flow.CodeUnavailable, text: "can't use the key"},
		{name: "Denied", i: byKMS(arn), when: func(f *awsfake.Fake) { f.SetMood(strategytest.Refusing) }, code: flow.CodeStrategy, text: "AWS does not allow KMS Sign"},
		{name: "Broken", i: byKMS(arn), when: func(f *awsfake.Fake) { f.SetMood(strategytest.Broken) }, code: flow.CodeUnavailable, text: "a fault of its own"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f, keys, _ := open(t)
			if test.when != nil {
				test.when(f)
			}
			text, err := keys.Sign(t.Context(), test.i, "", map[string]any{"iss": "app"})
			if text != "" || flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q, %v of %s; want %q of %s", text, err, flow.CodeOf(err), test.text, test.code)
			}
		})
	}
	_, keys, _ := open(t)
	keys.Accounts = func() (*account.Accounts, error) { return nil, errors.New("no configuration") }
	if _, err := keys.Sign(t.Context(), byKMS(arn), "", nil); flow.CodeOf(err) != flow.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}
