package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/google/googlefake"
	"github.com/symflows/symflows/internal/strategy/aptible/aptiblefake"
	"github.com/symflows/symflows/internal/strategy/boundary/boundaryfake"
	"github.com/symflows/symflows/internal/strategy/entragroup/entragroupfake"
	"github.com/symflows/symflows/internal/strategy/github/githubfake"
	"github.com/symflows/symflows/internal/strategy/okta/oktafake"
	"github.com/symflows/symflows/internal/strategy/onelogin/oneloginfake"
	"github.com/symflows/symflows/internal/strategy/tailscale/tailscalefake"
)

// vendors are fakes of the systems outside of AWS that testdata/flows names.
type vendors struct {
	addresses map[string]string // by the names of hosts; "": of all others
	secrets   map[string]string // with which they are signed in to, by path
	tailscale *tailscalefake.Fake
	entra     *entragroupfake.Fake
}

func newVendors(t *testing.T, now func() time.Time) vendors {
	t.Helper()
	okta := oktafake.New(t)
	okta.GoBy(now)
	google := googlefake.New(t)
	google.GoBy(now)
	google.TrustAWS("AccessRole", "secret")
	google.TrustAWS("DriftRole", "secret")
	google.AddUser("alice@example.com")
	google.AddGroup("oncall@example.com", "On call")
	google.AddProject("acme-production", "Production")
	tenant := entragroupfake.WithPeople()
	_, entra := tenant.Serve(t, false)
	tailnet := tailscalefake.WithPeople()
	_, there := tailnet.Serve(t, tailscalefake.ByIdentity)
	v := vendors{
		tailscale: tailnet,
		entra:     tenant,
		addresses: map[string]string{
			"auth.aptible.com":     aptiblefake.New(t).URL,
			"acme.onelogin.com":    oneloginfake.New(t).URL,
			"boundary.example.com": boundaryfake.New(t).URL,
			"api.github.com":       githubfake.New(t).URL,
			oktafake.Domain:        okta.URL,
		},
		secrets: map[string]string{
			"/sym/main/aptible":  aptiblefake.Secret,
			"/sym/main/boundary": boundaryfake.Password,
			"/sym/main/github":   githubfake.Token,
			"/sym/main/onelogin": oneloginfake.ClientSecret,
		},
	}
	for _, host := range []string{"sts", "iamcredentials", "cloudidentity", "admin", "cloudresourcemanager"} {
		v.addresses[host+".googleapis.com"] = google.URL()
	}
	v.addresses["api.tailscale.com"] = there.Settings["api_url"]
	for _, host := range []string{"graph.microsoft.com", "login.microsoftonline.com"} {
		v.addresses[host] = entra.Settings["api_url"]
	}
	v.addresses["api.tailscale.com"] = there.Settings["api_url"]
	return v
}

// RoundTrip sends a request to the fake of the host that it is for.
func (v vendors) RoundTrip(r *http.Request) (*http.Response, error) {
	to, ok := v.addresses[r.URL.Host]
	if !ok {
		to = v.addresses[""]
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(to, "http://")
	return http.DefaultTransport.RoundTrip(r)
}

// secret gives a secret by its ARN.
func (v vendors) secret(arn string) (value string, ok bool) {
	for path, value := range v.secrets {
		if strings.Contains(arn, path) {
			return value, true
		}
	}
	return "", false
}
