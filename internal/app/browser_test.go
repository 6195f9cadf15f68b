package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"
)

var pictures = flag.String("pictures", "", "folder into which TestBrowser writes pictures of what it sees")

const browserFlow = `
kind: flow
name: prod-access
label: Production access
environment_id: main
params:
  strategy_id: databases
  extend: {max: 2, for: [30m, 1h]}
  prompt_fields:
    - {name: reason, type: string, label: "Why do you need it?"}
    - {name: duration, type: duration, label: "For how long?", allowed_values: [10m, 1h]}
  approval: {approvers: ["user:bob@example.com"], notify: [{channel: "#access-prod", timeout: 30m}]}
`

// shopFlow is one with all that a request may have.
const shopFlow = `
kind: flow
name: shop-admin
label: Shop administration
environment_id: main
params:
  strategy_id: databases
  break_glass: {who: ["user:alice@example.com"], reason: required, duration: 30m}
  start_at: {max: 7d}
  approve_with: {duration: true, target: true}
  prompt_fields:
    - {name: reason, type: string, label: "Why do you need it?"}
    - {name: duration, type: duration, label: "For how long?", allowed_values: [10m, 1h]}
  approval: {approvers: ["user:bob@example.com"], notify: [{channel: "#access-prod", timeout: 30m}]}
`

// TestBrowser has two people do the whole job in a browser, on the page of make run:
// request, approve, extend, approve that, and end, in at most twelve clicks; and then an
// emergency and its review, an approval with changes, and a later start. What they see is for testdata/browser/job.mjs to judge; at each of its stations, this
// looks at the target, and in the end at the records.
func TestBrowser(t *testing.T) {
	t.Parallel()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("there is no chromium: install it (apt-get install chromium), and have PATH name its folder")
	}
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(repository, "node_modules", "playwright-core")); err != nil {
		t.Fatal("what drives the browser is not installed: run npm ci in the repository (make test does)")
	}
	p := newProduct(t.TempDir(), repository)
	if err := errors.Join(
		environment(p.path("flows/environment.yaml")),
		os.WriteFile(p.path("flows/prod-access.yaml"), []byte(browserFlow), 0o600),
		os.WriteFile(p.path("flows/shop-admin.yaml"), []byte(shopFlow), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	onMachine(t, p.path("flows/environment.yaml"))
	// The browser has the machine's time.
	if err := p.start(func(o *Options) error { o.Clock = clockwork.NewRealClock(); return nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})

	holds := "alice@example.com orders-db\n"
	want := []struct{ station, access string }{
		{"requested", ""}, {"granted", holds}, {"asked for more", holds}, {"extended", holds}, {"an hour later", holds}, {"ended", ""},
		{"taken", holds}, {"taken away", ""}, {"reviewed", ""},
		{"given less", "alice@example.com customers-db\n"}, {"less is over", ""},
		{"to start later", ""}, {"started", holds}, {"over", ""},
	}
	job := startJob(t, p.url, chromium)
	for _, w := range want {
		if got := job.line(); got != w.station {
			t.Fatalf("at %q, and not %q", got, w.station)
		}
		if err := p.settle(); err != nil {
			t.Fatal(err)
		}
		if got := p.target.access(); got != w.access {
			t.Errorf("%s: at the target: %q, and not %q", w.station, got, w.access)
		}
		job.goOn()
	}
	var end struct {
		Clicks int
		Faults []string
	}
	if err := json.Unmarshal([]byte(job.line()), &end); err != nil {
		t.Fatal(err)
	}
	for _, fault := range end.Faults {
		t.Error(fault)
	}
	if end.Clicks > 12 {
		t.Errorf("it took %d clicks", end.Clicks)
	}

	records, _, err := p.local.Audit.Tail(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, r.Event.Type+" "+r.State.Status)
	}
	if diff := cmp.Diff([]string{
		"prompt completed", "request completed", "approve completed", "escalate completed",
		"extend_request completed", "extend completed", "deescalate completed",
		"prompt completed", "request completed", "approve completed", "escalate completed", "deescalate completed", "review completed",
		"prompt completed", "request completed", "approve completed", "escalate completed", "deescalate completed",
		"prompt completed", "request completed", "approve completed", "escalate completed", "deescalate completed",
	}, got); diff != "" {
		t.Error(diff)
	}
	if ended := records[6]; ended.Fields["deescalate_type"] == "scheduled" || !ended.Meta.Simulated {
		t.Errorf("it ended by itself, or in no simulated time: %v", ended)
	}
}

// browserJob is a process that runs job.mjs.
type browserJob struct {
	t     *testing.T
	lines *bufio.Scanner
	in    io.Writer
	said  bytes.Buffer // to standard error
	wait  func() error
}

func startJob(t *testing.T, args ...string) *browserJob {
	t.Helper()
	if *pictures != "" {
		folder, err := filepath.Abs(*pictures)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, folder)
	}
	cmd := exec.CommandContext(t.Context(), "node", slices.Concat([]string{filepath.Join("testdata", "browser", "job.mjs")}, args)...)
	j := &browserJob{t: t, wait: cmd.Wait}
	cmd.Stderr = &j.said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if j.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	j.lines = bufio.NewScanner(out)
	j.lines.Buffer(nil, 1<<24)
	return j
}

// line is the next that it writes.
func (j *browserJob) line() string {
	j.t.Helper()
	if !j.lines.Scan() {
		err := errors.Join(j.lines.Err(), j.wait())
		j.t.Fatalf("the browser's script has ended: %v\n%s", err, &j.said)
	}
	return j.lines.Text()
}

func (j *browserJob) goOn() {
	j.t.Helper()
	if _, err := fmt.Fprintln(j.in); err != nil {
		j.t.Fatal(err)
	}
}
