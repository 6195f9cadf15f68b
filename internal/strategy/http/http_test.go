package httpstrategy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	httpstrategy "github.com/symflows/symflows/internal/strategy/http"
)

func grants() flow.Strategy {
	return flow.Strategy{
		Name: "databases", Type: "http",
		Settings: map[string]string{"url": "https://grants.example.com"},
		Secrets:  map[string]flow.SecretRef{"signing_secret_id": {Name: "signing", Source: "aws_secrets_manager", Path: "/sym/signing"}},
		Targets: []flow.Target{
			{Name: "orders-db", Type: "http", Label: "Orders", Settings: map[string]string{"identifier": "orders"}},
			{Name: "billing-db", Type: "http", Label: "Billing", Settings: map[string]string{"identifier": "billing"}},
		},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*flow.Strategy)
		want   []string // paths
	}{
		{name: "HTTPS", change: func(*flow.Strategy) {}},
		{name: "PrivateAddress", change: func(s *flow.Strategy) { s.Settings["url"] = "https://10.0.0.1:8443/sym" }},
		{name: "Loopback", change: func(s *flow.Strategy) { s.Settings["url"] = "http://127.0.0.1:9000/" }},
		{name: "LoopbackV6", change: func(s *flow.Strategy) { s.Settings["url"] = "http://[::1]:9000/" }},
		{name: "Localhost", change: func(s *flow.Strategy) { s.Settings["url"] = "http://localhost/" }},
		{name: "PlainHTTP", change: func(s *flow.Strategy) { s.Settings["url"] = "http://grants.example.com" }, want: []string{"settings.url"}},
		{name: "Disguised", change: func(s *flow.Strategy) { s.Settings["url"] = "http://localhost.example.com" }, want: []string{"settings.url"}},
		{name: "OtherScheme", change: func(s *flow.Strategy) { s.Settings["url"] = "file:///etc/passwd" }, want: []string{"settings.url"}},
		{name: "Relative", change: func(s *flow.Strategy) { s.Settings["url"] = "/sym" }, want: []string{"settings.url"}},
		{name: "Unreadable", change: func(s *flow.Strategy) { s.Settings["url"] = "https://a b" }, want: []string{"settings.url"}},
		{name: "Password", change: func(s *flow.Strategy) { s.Settings["url"] = "https://me:pw@example.com" }, want: []string{"settings.url"}},
		{name: "Fragment", change: func(s *flow.Strategy) { s.Settings["url"] = "https://example.com/#a" }, want: []string{"settings.url"}},
		{name: "None", change: func(s *flow.Strategy) { delete(s.Settings, "url") }, want: []string{"settings.url"}},
		{name: "OnEachTarget", change: func(s *flow.Strategy) {
			delete(s.Settings, "url")
			for _, target := range s.Targets {
				target.Settings["url"] = "https://example.com"
			}
		}},
		{name: "OnOneTarget", change: func(s *flow.Strategy) {
			delete(s.Settings, "url")
			s.Targets[0].Settings["url"] = "https://example.com"
		}, want: []string{"settings.url"}},
		{name: "OtherSecret", change: func(s *flow.Strategy) {
			s.Secrets = map[string]flow.SecretRef{"signing_secret": {Name: "signing"}} // else nothing would be signed
		}, want: []string{"settings.signing_secret"}},
		{name: "All", change: func(s *flow.Strategy) {
			s.Settings = map[string]string{"url": "ftp://example.com", "method": "PUT", "counted": "1", "signing_secret_id": "signing"}
			s.Targets[1].Settings = map[string]string{"url": "http://example.com", "counted": "1"}
			s.Targets[1].FieldBindings = []string{"url", "counted", "schema"}
		}, want: []string{
			"settings.method", "settings.url", "settings.counted",
			"targets.billing-db.settings.url", "targets.billing-db.settings.counted",
			"targets.billing-db.field_bindings", "targets.billing-db.field_bindings",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := grants()
			test.change(&s)
			var paths []string
			for _, f := range httpstrategy.Type().Check(s) {
				paths = append(paths, f.Path)
			}
			if diff := cmp.Diff(test.want, paths); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	signed := grants()
	want := strategy.Rights{Secrets: []flow.SecretRef{signed.Secrets["signing_secret_id"]}}
	if diff := cmp.Diff(want, httpstrategy.Type().RightsOf(signed)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
