package app

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google/googlefake"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/aptible/aptiblefake"
	"github.com/symflows/symflows/internal/strategy/boundary/boundaryfake"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/strategy/entragroup/entragroupfake"
	"github.com/symflows/symflows/internal/strategy/github/githubfake"
	"github.com/symflows/symflows/internal/strategy/okta/oktafake"
	"github.com/symflows/symflows/internal/strategy/onelogin/oneloginfake"
	"github.com/symflows/symflows/internal/strategy/postgres/postgresfake"
	"github.com/symflows/symflows/internal/strategy/strategytest"
	"github.com/symflows/symflows/internal/strategy/tailscale/tailscalefake"
)

// vendorExample is a folder of docs/examples that grants something at a vendor.
type vendorExample struct {
	strategy    string // its type, after which the folder is called
	integration string // the type of its integration; "": that of the strategy
	// open gives a fake of the vendor that has what the example speaks of, and alice
	// as a person. It goes by the clock.
	open func(t *testing.T, now func() time.Time) vendorSystem
	flow string            // that alice asks by
	fill map[string]string // the form's fields besides why and for how long
	// found is the file that local targets writes; "": the example has none.
	found string
}

// vendorSystem is a fake, and how it is reached.
type vendorSystem struct {
	strategytest.System
	address string            // what the integration's api_url is to be; "": a secret says where it is
	secrets map[string]string // by path
}

var vendorExamples = []vendorExample{
	{
		strategy: "aptible", flow: "aptible", fill: map[string]string{"Target": "Production"},
		open: func(t *testing.T, _ func() time.Time) vendorSystem {
			fake := aptiblefake.New(t)
			return vendorSystem{fake, fake.URL, map[string]string{"/sym/main/aptible": aptiblefake.Secret}}
		},
	},
	{
		strategy: "boundary", flow: "boundary", fill: map[string]string{"Target": "Operators"},
		open: func(t *testing.T, _ func() time.Time) vendorSystem {
			fake := boundaryfake.New(t)
			return vendorSystem{fake, fake.URL, map[string]string{"/sym/main/boundary": boundaryfake.Password}}
		},
	},
	{
		strategy: "onelogin", flow: "onelogin", fill: map[string]string{"Target": "Support, its administrator"},
		open: func(t *testing.T, _ func() time.Time) vendorSystem {
			fake := oneloginfake.New(t)
			return vendorSystem{fake, fake.URL, map[string]string{"/sym/main/onelogin": oneloginfake.ClientSecret}}
		},
	},
	{
		strategy: "github", flow: "github-access", fill: map[string]string{"Target": "Maintain orders"}, found: "targets-github.yaml",
		open: func(t *testing.T, now func() time.Time) vendorSystem {
			fake := githubfake.New(t)
			fake.GoBy(now)
			return vendorSystem{fake, fake.URL, map[string]string{"/sym/main/github-app-key": fake.PrivateKey()}}
		},
	},
	{
		strategy: "okta", flow: "okta-access", fill: map[string]string{"Target": "Operations"}, found: "targets-okta.yaml",
		open: func(t *testing.T, now func() time.Time) vendorSystem {
			fake := oktafake.New(t)
			fake.GoBy(now)
			return vendorSystem{fake, fake.URL, map[string]string{"/sym/main/okta-key": oktafake.PEM()}}
		},
	},
	{
		strategy: "postgres", flow: "databases", fill: map[string]string{"Target": "app_rw on orders"}, found: "targets-databases.yaml",
		open: func(t *testing.T, _ func() time.Time) vendorSystem {
			server := postgresfake.New(18)
			serving := server.Serve(t, false)
			return vendorSystem{server, "", map[string]string{"/sym/main/postgres": serving.DSN(), "/sym/main/postgres-ca": serving.CA}}
		},
	},
	{strategy: "tailscale", flow: "network", fill: map[string]string{"Target": "Network of staging"}, open: tailnet},
	{strategy: "tailscale", flow: "network", fill: map[string]string{"Target": "Network of production"}, open: tailnet},
	{strategy: "entra_group", integration: "entra", flow: "entra-groups", fill: map[string]string{"Target": "Developers"}, open: tenant},
	{strategy: "entra_group", integration: "entra", flow: "entra-groups", fill: map[string]string{"Target": "Operators"}, open: tenant},
}

func tenant(t *testing.T, now func() time.Time) vendorSystem {
	fake := entragroupfake.WithPeople()
	fake.GoBy(now)
	_, there := fake.Serve(t, true)
	return vendorSystem{fake, there.Settings[strategy.SettingAPIURL], map[string]string{"/sym/main/entra-app": entragroupfake.ClientSecret}}
}

func tailnet(t *testing.T, now func() time.Time) vendorSystem {
	fake := tailscalefake.WithPeople()
	fake.GoBy(now)
	_, there := fake.Serve(t, tailscalefake.ByClient)
	return vendorSystem{fake, there.Settings[strategy.SettingAPIURL], map[string]string{"/sym/main/tailscale-client": tailscalefake.ClientSecret}}
}

// googleExamples are those of Google, which are signed in to by a request that AWS
// signs.
var googleExamples = []vendorExample{
	{
		strategy: "google_group", integration: "google", flow: "google", fill: map[string]string{"Target": "Super Users"},
		open: func(t *testing.T, now func() time.Time) vendorSystem {
			fake := googleOf(t, now)
			fake.AddGroup("super-users@example.com", "Super Users")
			return vendorSystem{googlefake.Groups{Fake: fake}, fake.URL(), nil}
		},
	},
	{
		strategy: "gcp_iam", integration: "google", flow: "google-cloud", fill: map[string]string{"Target": "Cloud SQL in production"},
		open: func(t *testing.T, now func() time.Time) vendorSystem {
			fake := googleOf(t, now)
			fake.AddProject("acme-production", "Production")
			return vendorSystem{googlefake.Projects{Fake: fake}, fake.URL(), nil}
		},
	},
}

func googleOf(t *testing.T, now func() time.Time) *googlefake.Fake {
	fake := googlefake.New(t)
	fake.GoBy(now)
	fake.TrustAWS(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"))
	fake.AddUser("alice@example.com")
	return fake
}

// TestExamples_Google does the same as [TestExamples_Vendors], with credentials of AWS
// as a machine has them.
func TestExamples_Google(t *testing.T) {
	inAWS(t)
	for _, x := range googleExamples {
		t.Run(x.strategy, func(t *testing.T) { runVendorExample(t, x) })
	}
}

// TestExamples_Vendors runs each folder as it is, against a fake of its vendor at the
// integration's api_url: what is found there is what the example has, access is asked
// for, approved, there at the vendor, ended, gone there, and recorded.
func TestExamples_Vendors(t *testing.T) {
	t.Parallel()
	for _, x := range vendorExamples {
		t.Run(x.strategy, func(t *testing.T) {
			t.Parallel()
			runVendorExample(t, x)
		})
	}
}

// TestExamples_Complete: each strategy over a vendor has a folder that is run.
func TestExamples_Complete(t *testing.T) {
	t.Parallel()
	for name, typ := range builtin.Types() {
		has := slices.ContainsFunc(slices.Concat(vendorExamples, googleExamples), func(x vendorExample) bool { return x.strategy == name })
		if len(typ.Integration.SignIns) > 0 && !has {
			t.Errorf("no folder of docs/examples is run for %s: add it, and its row in vendorExamples", name)
		}
	}
}

func runVendorExample(t *testing.T, x vendorExample) {
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(repository, "docs/examples", strings.ReplaceAll(x.strategy, "_", "-"))
	p := newProduct(t.TempDir(), repository)
	must(os.CopyFS(p.path("flows"), os.DirFS(folder)))
	var runs atomic.Bool // by its own clock; commands go by the machine's
	vendor := x.open(t, func() time.Time {
		if runs.Load() {
			return p.clock.Now()
		}
		return time.Now()
	})
	pointAt(t, p.path("flows"), cmp.Or(x.integration, x.strategy), vendor)

	command := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if err := Main(t.Context(), append(args, "-flows", p.path("flows")), os.Getenv, &out, &out); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out.String())
		}
		return out.String()
	}
	if x.found != "" {
		name := strings.TrimSuffix(strings.TrimPrefix(x.found, "targets-"), ".yaml")
		out := command("targets", x.strategy, "-strategy", name)
		if found := readFile(t, p.path("flows/"+x.found)); *update {
			must(os.WriteFile(filepath.Join(folder, x.found), []byte(found), 0o644))
		} else if found != readFile(t, filepath.Join(folder, x.found)) {
			t.Errorf("the example has not what is found (run with -update if this is right):\n%s", out)
		}
	}
	if out := command("check", "-data", p.path("data")); strings.Contains(out, "warning") {
		t.Errorf("check warns:\n%s", out)
	}

	runs.Store(true)
	must(p.start(func(o *Options) error {
		o.seams.http = http.DefaultTransport // to the fake
		return nil
	}))
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	run := func(want flow.Status) flow.Run {
		t.Helper()
		must(p.settle())
		must(p.meet())
		r, err := p.local.Runs.Get(t.Context(), p.runs[len(p.runs)-1])
		must(err)
		if r.Status != want {
			t.Fatalf("the run is %s, want %s: %+v\n%s", r.Status, want, r.Error, readFile(t, p.path("log")))
		}
		return r
	}
	// pass lets time pass, a few seconds at a time, as vendors need some.
	pass := func(d time.Duration) {
		t.Helper()
		for range d / (5 * time.Second) {
			must(p.at(p.clock.Since(scriptStart) + 5*time.Second))
		}
	}
	alice, bob := p.local.Slack.As("alice"), p.local.Slack.As("bob")
	must(alice.Command("/sym req " + x.flow))
	must(alice.Fill(map[string]string{"Why do you need it?": "orders are stuck", "For how long?": "30 minutes"}))
	must(alice.Fill(x.fill))
	must(alice.Submit())
	run(flow.Requested)
	if changes := vendor.Changes(); len(changes) > 0 {
		t.Errorf("the vendor was asked to change something before anybody approved: %+v", changes)
	}
	must(bob.Click("", "Approve"))
	must(p.settle())
	pass(time.Minute)
	r := run(flow.Escalated)
	has := func() bool { return vendor.Has(r.Access.Target, r.Access.Identity) }
	if !has() {
		t.Errorf("%s has no access to %s at the vendor", r.Access.Identity, r.Access.Target.Title())
	}
	pass(30 * time.Minute) // of which one is over
	r = run(flow.Deescalated)
	if has() {
		t.Errorf("%s still has access to %s at the vendor", r.Access.Identity, r.Access.Target.Title())
	}
	recorded := map[string]string{} // the newest record of each event
	for record, err := range p.local.Audit.Read(t.Context(), time.Time{}, time.Time{}) {
		must(err)
		recorded[record.Event.Type] = record.State.Status
	}
	for _, event := range []string{"prompt", "request", "approve", "escalate", "deescalate"} {
		if recorded[event] != "completed" {
			t.Errorf("%s is recorded as %q", event, recorded[event])
		}
	}
}

// pointAt has the integrations of a type in a folder lead to a fake, and maps its
// secrets.
func pointAt(t *testing.T, folder, typ string, vendor vendorSystem) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	pointed := 0
	for _, file := range files {
		var out bytes.Buffer
		e := yaml.NewEncoder(&out)
		for d := yaml.NewDecoder(strings.NewReader(readFile(t, file))); ; {
			var document map[string]any
			if err := d.Decode(&document); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if vendor.address != "" && document["kind"] == "integration" && document["type"] == typ {
				settings, _ := document["settings"].(map[string]any)
				if settings == nil {
					settings = map[string]any{}
				}
				settings[strategy.SettingAPIURL] = vendor.address
				document["settings"] = settings
				pointed++
			}
			if err := e.Encode(document); err != nil {
				t.Fatal(err)
			}
		}
		if vendor.address != "" && strings.Contains(out.String(), vendor.address) { // the others stay as they are, with their comments
			if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if pointed == 0 && vendor.address != "" {
		t.Fatalf("%s has no integration of type %s", folder, typ)
	}
	mapped := map[string]any{}
	for path, value := range vendor.secrets {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		mapped[path] = map[string]string{"file": file}
	}
	text, err := yaml.Marshal(map[string]any{"secrets": mapped})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "local.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}
