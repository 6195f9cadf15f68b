package slackapp

import (
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store/sqlite"
)

// benchWorld is a world on the embedded store, as on one machine. People are
// known already: Slack is asked about them every ten minutes only.
func benchWorld(b *testing.B, flows ...*flow.Flow) *world {
	s, err := sqlite.Open(filepath.Join(b.TempDir(), "sym.db"), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	w := newWorld(b, s, flows...)
	for _, user := range []string{alice, bob} {
		w.command(user, "whoami")
	}
	return w
}

// quantiles reports how long single answers took.
func quantiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkSlashCommand is /sym req <flow>: signature, person, flow, the new
// run, and views.open at a Slack that answers at once.
func BenchmarkSlashCommand(b *testing.B) {
	w := benchWorld(b)
	var took []time.Duration
	for b.Loop() {
		body := commandBody(alice, "req prod-access", "bench-"+strconv.Itoa(len(took)))
		began := time.Now()
		if rec := w.post("/slack/commands", body); rec.Code != http.StatusOK || rec.Body.Len() > 0 {
			b.Fatalf("%d %s", rec.Code, rec.Body)
		}
		took = append(took, time.Since(began))
	}
	quantiles(b, took)
}

// BenchmarkButton is a click on Approve: signature, person, run, and the write
// of the signal.
func BenchmarkButton(b *testing.B) {
	w := benchWorld(b)
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		r := w.routed()
		body := interactionBody(w.clickOn(bob, string(flow.ActionApprove), value(r), ""))
		b.StartTimer()
		began := time.Now()
		if rec := w.post("/slack/interactions", body); rec.Code != http.StatusOK || rec.Body.Len() > 0 {
			b.Fatalf("%d %s", rec.Code, rec.Body)
		}
		took = append(took, time.Since(began))
	}
	quantiles(b, took)
}

// BenchmarkSubmit is a form that is submitted: signature, run, flow, the checks, and
// the write of the signal.
func BenchmarkSubmit(b *testing.B) {
	w := benchWorld(b)
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		w.command(alice, "req prod-access")
		body := interactionBody(submission(alice, w.opened(), form()))
		b.StartTimer()
		began := time.Now()
		if rec := w.post("/slack/interactions", body); rec.Code != http.StatusOK || rec.Body.Len() > 0 {
			b.Fatalf("%d %s", rec.Code, rec.Body)
		}
		took = append(took, time.Since(began))
	}
	quantiles(b, took)
}

// BenchmarkHome is an admin who opens the app's Home tab while 5,000 have access:
// signature, event, person, what is theirs, the table and the figures, and
// views.publish at a Slack that answers at once.
func BenchmarkHome(b *testing.B) {
	w := benchWorld(b)
	w.grants(5000)
	for range 10 {
		w.fed(w.routed().ID)
	}
	var took []time.Duration
	for b.Loop() {
		body := homeOpened("EvBench"+strconv.Itoa(len(took)), bob)
		began := time.Now()
		if rec := w.post("/slack/events", body); rec.Code != http.StatusOK {
			b.Fatalf("%d %s", rec.Code, rec.Body)
		}
		took = append(took, time.Since(began))
	}
	quantiles(b, took)
}
