package webidentity_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/aws/awsfake"
	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/aws/webidentity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const audience = "api.tailscale.com/client"

func tokens(t *testing.T) (*awsfake.Fake, *webidentity.Tokens) {
	t.Helper()
	fake := awsfake.New()
	fake.STS.FederateOutbound()
	return fake, &webidentity.Tokens{Accounts: &account.Accounts{AWS: fake.Config(t), Now: fake.Now}}
}

// TestToken: a token is for its audience, is asked for once by all who want it, and
// is used no longer than it lives.
func TestToken(t *testing.T) {
	t.Parallel()
	fake, tokens := tokens(t)
	get := func(audience string) string {
		t.Helper()
		token, err := tokens.Token(t.Context(), audience)
		if err != nil {
			t.Error(err)
		} else if subject, err := fake.STS.Trusted(token, audience); err != nil || subject != "arn:aws:iam::123456789012:root" {
			t.Errorf("a vendor takes the token to be of %q, %v", subject, err)
		}
		return token
	}
	var asking sync.WaitGroup
	for range 5 {
		asking.Go(func() { get(audience) })
	}
	asking.Wait()
	expect := func(calls int) {
		t.Helper()
		if got := len(fake.Calls("sts")); got != calls {
			t.Errorf("AWS was asked %d times, want %d", got, calls)
		}
	}
	expect(1)
	first := get(audience)
	if get("api://AzureADTokenExchange") == first {
		t.Error("another audience got the same token")
	}
	expect(2)
	fake.Advance(4*time.Minute - time.Second)
	if get(audience) != first {
		t.Error("a token that is good was thrown away")
	}
	fake.Advance(time.Second)
	if get(audience) == first {
		t.Error("a token is used to its last minute")
	}
	expect(3)
	if region := fake.Calls("sts")[0].Region; region != awsfake.Region {
		t.Errorf("asked in region %q", region)
	}
}

func TestToken_Errors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*awsfake.Fake)
		code   flow.Code
		says   string
	}{
		{"SwitchedOff", func(f *awsfake.Fake) {
			f.Fail("GetWebIdentityToken", 1, awsfake.Fault{Status: 403, Code: "OutboundWebIdentityFederationDisabledException", Message: "off"})
		}, flow.CodeStrategy, "iam:EnableOutboundWebIdentityFederation"},
		{"SessionEnds", func(f *awsfake.Fake) {
			f.Fail("GetWebIdentityToken", 1, awsfake.Fault{Status: 403, Code: "SessionDurationEscalationException", Message: "too long"})
		}, flow.CodeUnavailable, "ends too soon"},
		{"Denied", func(f *awsfake.Fake) { f.SetMood(strategytest.Refusing) }, flow.CodeStrategy, "STS GetWebIdentityToken"},
		{"Broken", func(f *awsfake.Fake) { f.SetMood(strategytest.Broken) }, flow.CodeUnavailable, "a fault of its own"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fake, tokens := tokens(t)
			test.change(fake)
			token, err := tokens.Token(t.Context(), audience)
			if token != "" || flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.says) {
				t.Errorf("got %q, %s: %v; want an error of %s that says %q", token, flow.CodeOf(err), err, test.code, test.says)
			}
			fake.SetMood(strategytest.Willing)
			if _, err := tokens.Token(t.Context(), audience); err != nil {
				t.Errorf("once AWS is willing again: %v", err)
			}
		})
	}
	t.Run("Off", func(t *testing.T) {
		t.Parallel()
		fake := awsfake.New()
		off := &webidentity.Tokens{Accounts: &account.Accounts{AWS: fake.Config(t), Now: fake.Now}}
		if _, err := off.Token(t.Context(), audience); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "enable-outbound") {
			t.Errorf("an account that gives out no tokens: %v", err)
		}
	})
}

// TestToken_Rights: the right that strategies declare is the one it takes.
func TestToken_Rights(t *testing.T) {
	t.Parallel()
	fake := awsfake.New()
	fake.STS.FederateOutbound()
	cfg, unused := fake.Restricted(t, strategy.IdentityTokens(audience))
	if _, err := (&webidentity.Tokens{Accounts: &account.Accounts{AWS: cfg, Now: fake.Now}}).Token(t.Context(), audience); err != nil {
		t.Error(err)
	}
	if left := unused(); len(left) > 0 {
		t.Errorf("rights that nothing needs: %q", left)
	}
	rights := strategy.Join(strategy.IdentityTokens(audience)).Looking()
	if want := "right to sts:GetWebIdentityToken on * if sts:IdentityTokenAudience is " + audience; len(rights.Names()) != 1 || rights.Names()[0] != want {
		t.Errorf("to look takes %q, want %q", rights.Names(), want)
	}
	if none := strategy.IdentityTokens(); len(none.Allow) > 0 {
		t.Errorf("for no audience: %+v", none)
	}
}

// TestToken_OtherAudience: a right for one system is none for another.
func TestToken_OtherAudience(t *testing.T) {
	t.Parallel()
	fake := awsfake.New()
	fake.STS.FederateOutbound()
	refused := 0
	cfg := fake.Guarded(t, strategy.IdentityTokens(audience), func(awstest.Call, string) { refused++ })
	tokens := &webidentity.Tokens{Accounts: &account.Accounts{AWS: cfg, Now: fake.Now}}
	if _, err := tokens.Token(t.Context(), "api://AzureADTokenExchange"); flow.CodeOf(err) != flow.CodeStrategy || refused != 1 {
		t.Errorf("got %v, and %d were refused", err, refused)
	}
}
