package google_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google"
	"github.com/symflows/symflows/internal/google/googlefake"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

const groupScope = "https://www.googleapis.com/auth/cloud-identity.groups"

var api = google.API{
	Name: "Google's Cloud Identity API", Base: "https://cloudidentity.googleapis.com",
	Scopes: []string{groupScope}, Reading: []string{groupScope + ".readonly"},
}

// ways are the integrations by which we sign in.
func ways(f *googlefake.Fake) map[string]*flow.Integration {
	with := func(i *flow.Integration, name, value string) *flow.Integration {
		i.Settings = maps.Clone(i.Settings)
		i.Settings[name] = value
		return i
	}
	const admin = "admin@example.com"
	return map[string]*flow.Integration{
		"AWS":           f.Integration(),
		"IdentityToken": with(f.Integration(), "subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
		"TokenURL":      with(f.Integration(), "token_url", "https://sts.googleapis.com/v1/token"),
		"Delegated":     with(f.Integration(), "subject", admin),
		"Key":           f.KeyIntegration(),
		"KeyDelegated":  with(f.KeyIntegration(), "subject", admin),
	}
}

func lookup(ctx context.Context, apis *google.APIs, i *flow.Integration) error {
	return apis.Client(i, api).Do(ctx, http.MethodGet, "/v1/groups:lookup", map[string][]string{"groupKey.id": {"ops@example.com"}}, nil, nil)
}

func signIns(f *googlefake.Fake) int {
	return len(slices.DeleteFunc(f.Calls(), func(c string) bool { return strings.Contains(c, "/v1/groups") }))
}

// TestSignIn: each way gives a token, which is used until it ends, by all.
func TestSignIn(t *testing.T) {
	t.Parallel()
	for name := range ways(googlefake.New(t)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := googlefake.New(t)
			f.AddGroup("ops@example.com", "Ops")
			apis, i := f.APIs(), ways(f)[name]
			ask := func() {
				t.Helper()
				if err := lookup(t.Context(), apis, i); err != nil {
					t.Fatal(err)
				}
			}
			ask()
			first := signIns(f)
			ask()
			f.Advance(10 * time.Minute)
			ask()
			if got := signIns(f); got != first {
				t.Errorf("signed in by %d calls, then by %d more, while the token lives", first, got-first)
			}
			f.Advance(time.Hour)
			ask()
			if got := signIns(f); got != 2*first {
				t.Errorf("%d calls to sign in, want %d: once more after the token's end", got, 2*first)
			}
			f.SetMood(strategytest.Expired) // before its end
			ask()
			if got := signIns(f); got != 3*first {
				t.Errorf("%d calls to sign in, want %d: once more after a 401", got, 3*first)
			}
		})
	}
}

// TestLooking: who only looks has a token that is good for nothing else.
func TestLooking(t *testing.T) {
	t.Parallel()
	for name := range ways(googlefake.New(t)) {
		f := googlefake.New(t)
		f.AddGroup("ops@example.com", "Ops")
		apis, i := f.APIs(), ways(f)[name]
		apis.Looking = true
		if err := lookup(t.Context(), apis, i); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		err := apis.Client(i, api).Do(t.Context(), http.MethodDelete, "/v1/groups/01ab0001/memberships/1", nil, nil, nil)
		if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "insufficient authentication scopes") {
			t.Errorf("%s: a change while looking: %v", name, err)
		}
	}
}

// TestRefused: who is not let in is told what to see to, and no secret.
func TestRefused(t *testing.T) {
	t.Parallel()
	changed := func(name, value string) func(*googlefake.Fake) *flow.Integration {
		return func(f *googlefake.Fake) *flow.Integration {
			i := f.Integration()
			i.Settings[name] = value
			return i
		}
	}
	for name, test := range map[string]struct {
		to   func(*googlefake.Fake) *flow.Integration
		when func(*googlefake.Fake)
		code flow.Code
		text string
	}{
		"Audience":   {to: changed("audience", "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q"), code: flow.CodeStrategy, text: "see that audience in integration google names the provider"},
		"OldClock":   {to: (*googlefake.Fake).Integration, code: flow.CodeStrategy, text: "too old"},
		"Delegation": {to: changed("subject", "admin@example.com"), when: func(f *googlefake.Fake) { f.Delegate("openid") }, code: flow.CodeStrategy, text: "domain-wide delegation"},
		"Broken":     {to: (*googlefake.Fake).Integration, when: func(f *googlefake.Fake) { f.SetMood(strategytest.Broken) }, code: flow.CodeUnavailable, text: "has a fault of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := googlefake.New(t)
			f.AddGroup("ops@example.com", "Ops")
			apis := f.APIs()
			if name == "OldClock" {
				apis.Now = func() time.Time { return f.Now().Add(-time.Hour) }
			}
			if test.when != nil {
				test.when(f)
			}
			err := lookup(t.Context(), apis, test.to(f))
			if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) {
				t.Errorf("got %s (%v), want %s about %q", flow.CodeOf(err), err, test.code, test.text)
			}
			for _, secret := range f.Secrets() {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows a secret: %v", err)
				}
			}
		})
	}
	f := googlefake.New(t)
	i := f.Integration()
	i.Settings["service_account_impersonation_url"] = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/other@acme.iam.gserviceaccount.com:generateAccessToken"
	if err := lookup(t.Context(), f.APIs(), i); flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "roles/iam.workloadIdentityUser on service account other@acme") {
		t.Errorf("a service account that does not let us in: %v", err)
	}
}

// TestClients: sign-ins that differ share no token.
func TestClients(t *testing.T) {
	t.Parallel()
	f := googlefake.New(t)
	f.AddGroup("ops@example.com", "Ops")
	apis := f.APIs()
	want := 0
	for _, i := range ways(f) {
		before := signIns(f)
		if err := lookup(t.Context(), apis, i); err != nil {
			t.Fatal(err)
		}
		if want++; signIns(f) == before {
			t.Errorf("sign-in %d took another's token", want)
		}
	}
	if err := lookup(t.Context(), apis, nil); flow.CodeOf(err) == "" {
		t.Error("without an integration it signs in")
	}
}

// TestDisabled: an API that is not enabled is named.
func TestDisabled(t *testing.T) {
	t.Parallel()
	f := googlefake.New(t)
	f.DisableAdminSDK()
	admin := google.API{Name: "Google's Admin SDK API", Base: "https://admin.googleapis.com", Scopes: []string{"https://www.googleapis.com/auth/admin.directory.group.readonly"}}
	err := google.Failure(f.APIs().Client(f.Integration(), admin).Do(t.Context(), http.MethodGet, "/admin/directory/v1/groups/a@example.com", nil, nil, nil), admin)
	if flow.CodeOf(err) != flow.CodeStrategy || !strings.Contains(flow.UserMessage(err), "enable admin.googleapis.com") {
		t.Errorf("got %v", err)
	}
}
