package flow

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseSRN(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		want SRN
	}{
		{"sym:flow:prod-access:latest", SRN{Org: "sym", Model: "flow", Slug: "prod-access", Version: "latest"}},
		{"sym:flow:prod-access:1.0.12", SRN{Org: "sym", Model: "flow", Slug: "prod-access", Version: "1.0.12"}},
		{"sym:run:prod-access:1.0.1:" + runID, SRN{Org: "sym", Model: "run", Slug: "prod-access", Version: "1.0.1", Identifier: runID}},
		{"sym:access_target:http:orders_db:latest", SRN{Org: "sym", Model: "access_target", Type: "http", Slug: "orders_db", Version: "latest"}},
		{"sym:user:normal:" + runID + ":latest", SRN{Org: "sym", Model: "user", Type: "normal", Slug: runID, Version: "latest"}},
	} {
		got, err := ParseSRN(tc.in)
		if err != nil {
			t.Errorf("ParseSRN(%q): %v", tc.in, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("ParseSRN(%q) (-want +got):\n%s", tc.in, diff)
		}
		if got.String() != tc.in {
			t.Errorf("%q became %q", tc.in, got)
		}
	}
}

func TestParseSRN_Bad(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"", "too few parts"},
		{"prod-access", "too few parts"},
		{"sym:flow:prod-access", "too few parts"},
		{"sym:flow:prod-access:latest:id:more", "wrong number of parts"},
		{"sym:access_target:orders-db:latest", "wrong number of parts"},
		{"sym:flow:prod access:latest", `"prod access" may have`},
		{":flow:prod-access:latest", `"" may have`},
		{"sym::prod-access:latest", `"" may have`},
		{"1.0.3:flow:prod-access:1.0.3", `"1.0.3" may have`},
		{"sym:access_target::orders-db:latest", `"" may have`},
		{"sym:access_target:ht tp:orders-db:latest", `"ht tp" may have`},
		{"sym:flow:prod-access:latest:", `"" may have`},
		{"sym:run:prod-access:1.0.1:a/b", `"a/b" may have`},
		{"sym:flow:prod-access:1.0", `version "1.0"`},
		{"sym:flow:prod-access:newest", `version "newest"`},
		{"sym:flow:prod-access:latest\n", "version "},
	} {
		_, err := ParseSRN(tc.in)
		if CodeOf(err) != CodeInvalid || !strings.Contains(UserMessage(err), tc.want) {
			t.Errorf("ParseSRN(%q) = %v, want %q", tc.in, err, tc.want)
		}
	}
}

// Whatever we name can be read back.
func TestSRN_RoundTrip(t *testing.T) {
	t.Parallel()
	slug := rapid.StringMatching(`[a-zA-Z0-9_-]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		org, name, typ := slug.Draw(t, "org"), slug.Draw(t, "name"), slug.Draw(t, "type")
		version := rapid.StringMatching(`latest|[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,9}`).Draw(t, "version")
		for _, want := range []string{
			FlowSRN(org, name, version), RunSRN(org, name, version, runID), TargetSRN(org, typ, name, version), UserSRN(org, typ, name),
		} {
			n, err := ParseSRN(want)
			if err != nil {
				t.Fatal(err)
			}
			if n.String() != want || n.Org != org || n.Slug != name {
				t.Fatalf("%q became %+v", want, n)
			}
		}
	})
}

func FuzzParseSRN(f *testing.F) {
	for _, s := range []string{"sym:flow:a:latest", "sym:access_target:http:a:1.0.0", "sym:run:a:1.0.0:b", "::::", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseSRN(s); err == nil && n.String() != s {
			t.Errorf("%q became %q", s, n)
		}
	})
}
