package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// product is the whole product as one script sees it: a process that can be
// stopped and started again on the same data, its time, the outside system
// that its strategies call, and short names for what has long ids.
type product struct {
	dir    string // has flows/, data/ and the log
	source string // the repository
	clock  *clockwork.FakeClock
	target *target
	disk   disk
	bounds deadline.Bounds // of calls of the target: over when it hangs
	local  *Local          // while it runs by start
	url    string
	end    func() error // stops what runs; nil: nothing does
	asker  *asker       // the command of package terminal that was begun last
	letGo  func()       // lets calls of Slack go on that are held; nil if none are held
	runs   []string     // ids, in the order in which they came
}

var scriptStart = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func newProduct(dir, source string) *product {
	clock := clockwork.NewFakeClockAt(scriptStart)
	p := &product{dir: dir, source: source, clock: clock}
	p.target = &target{now: clock.Now, hangs: p.bounds.Pass, mode: targetWell, holds: map[string]bool{}}
	return p
}

func (p *product) path(name string) string { return filepath.Join(p.dir, name) }

// start opens the product and waits until it has nothing to do.
func (p *product) start(configure func(*Options) error) error {
	if p.end != nil {
		return errors.New("it runs already")
	}
	log, err := os.OpenFile(p.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	o := Options{
		Listen: "127.0.0.1:0", Data: p.path("data"), Flows: p.path("flows"), Settings: testSettings, Owner: "carol@example.com",
		Clock: p.clock, Log: slog.New(slog.NewTextHandler(log, nil)), Out: io.Discard,
		seams: seams{http: slacksim.InProcess(p.target).Transport, within: p.bounds.Within, reserve: p.disk.under},
	}
	if err := configure(&o); err != nil {
		return errors.Join(err, log.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	l, err := Open(ctx, o)
	if err != nil {
		cancel()
		return errors.Join(err, log.Close())
	}
	ran := make(chan error, 1)
	go func() { ran <- l.Run(ctx) }()
	p.local, p.url = l, l.URL
	p.end = func() error {
		cancel()
		return errors.Join(<-ran, l.Close(), log.Close())
	}
	return p.settle()
}

// workspace makes a simulated workspace that is not the product's own, and outlives
// it: connect has a start use it as a real one is used, by HTTP. The settings have
// its secrets.
func (p *product) workspace(tb testing.TB, settings config.Slack, edit ...func(*slacksim.Config)) (sim *slacksim.Sim, connect func(*Options)) {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sim.ServeHTTP(w, r) }))
	tb.Cleanup(server.Close)
	c := slacksim.Config{
		SigningSecret: settings.SigningSecret, BotToken: settings.BotToken, AppURL: "http://app.example.com", BaseURL: server.URL,
		Clock: p.clock, Client: slacksim.InProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.local.server.Handler.ServeHTTP(w, r)
		})),
	}
	for _, e := range edit {
		e(&c)
	}
	sim, err := slacksim.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	settings.APIURL = server.URL + "/api"
	return sim, func(o *Options) { o.Settings.Slack = settings }
}

// stop ends what runs, as SIGTERM would.
func (p *product) stop() error {
	if p.end == nil {
		return nil
	}
	p.release()
	end := p.end
	p.end, p.local = nil, nil
	return end()
}

// serve runs the command as main does, in this process, until stop.
func (p *product) serve(args []string, getenv func(string) string) (welcome string, err error) {
	if p.end != nil {
		return "", errors.New("it runs already")
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Main(ctx, args, getenv, w, io.Discard)
		w.Close()
		ended <- err
	}()
	lines := bufio.NewReader(out)
	for !strings.Contains(welcome, "Ctrl-C") {
		line, err := lines.ReadString('\n')
		if err != nil {
			cancel()
			return welcome, <-ended
		}
		welcome += line
	}
	go io.Copy(io.Discard, lines)
	p.url = regexp.MustCompile(`http://[^/\s]+`).FindString(welcome)
	p.end = func() error {
		cancel()
		return <-ended
	}
	return welcome, nil
}

// settle waits until nothing is under way, unless a script holds something.
func (p *product) settle() error {
	if p.letGo != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline.LastResort)
	defer cancel()
	if err := p.local.Engine.Idle(ctx); err != nil {
		return fmt.Errorf("it does not come to rest: %w", err)
	}
	return nil
}

// hold makes calls of a method of Slack's wait until release.
func (p *product) hold(method string) {
	released := make(chan struct{})
	p.local.Slack.Inject(method, math.MaxInt, slacksim.Fault{Before: func(ctx context.Context) {
		select {
		case <-released:
		case <-ctx.Done():
		}
	}})
	p.letGo = func() {
		p.local.Slack.Heal()
		close(released)
	}
}

func (p *product) release() {
	if p.letGo != nil {
		p.letGo()
		p.letGo = nil
	}
}

// at lets time pass until so long after the script's start, from one timer to
// the next while it runs.
func (p *product) at(offset time.Duration) error {
	target := scriptStart.Add(offset)
	if target.Before(p.clock.Now()) {
		return fmt.Errorf("it is %s already", short(p.clock.Since(scriptStart)))
	}
	for p.local != nil {
		if err := p.settle(); err != nil {
			return err
		}
		next, ok := p.local.Engine.Next()
		if !ok || next.After(target) {
			break
		}
		p.clock.Advance(next.Sub(p.clock.Now()))
	}
	p.clock.Advance(target.Sub(p.clock.Now()))
	if p.local == nil {
		return nil
	}
	return p.settle()
}

// deaf is a schedule that forgets everything.
type deaf struct{ workflow.Schedule }

func (deaf) Set(context.Context, string, time.Time) error { return nil }

var (
	uuidPattern = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	timePattern = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	linkPattern = regexp.MustCompile(`(/archives/[A-Z0-9]+/p|message_ts=)[\d.]+`)
	namePattern = regexp.MustCompile(`\brun(\d+)(\.(\d+))?\b`)
)

// meet gives numbers to runs that are new.
func (p *product) meet() error {
	if p.local == nil {
		return nil
	}
	page, err := p.local.Runs.List(context.Background(), store.Query{By: store.ByKind, Limit: 200})
	slices.SortStableFunc(page.Runs, func(a, b flow.Run) int { return a.Created.Compare(b.Created) })
	for _, r := range page.Runs {
		if !slices.Contains(p.runs, r.ID) {
			p.runs = append(p.runs, r.ID)
		}
	}
	return err
}

// named puts names for what differs from time to time: run2 for the id of the
// second run, run2.3 for that of its third event, +10m for
// the time ten minutes after the script's start.
func (p *product) named(text string) string {
	text = uuidPattern.ReplaceAllStringFunc(text, p.nameOf)
	text = timePattern.ReplaceAllStringFunc(text, func(given string) string {
		t, err := time.Parse(time.RFC3339, given)
		if err != nil {
			return given
		}
		return short(t.Sub(scriptStart))
	})
	if p.url != "" {
		text = strings.ReplaceAll(text, p.url, "http://local")
	}
	text = linkPattern.ReplaceAllString(text, "$1…") // the times of messages differ by which is posted first
	for i, id := range p.runs {
		text = strings.ReplaceAll(text, flow.ShortID(id), fmt.Sprintf("short%d", i+1))
	}
	return strings.NewReplacer(p.dir, "$WORK", p.source, "$REPOSITORY").Replace(text)
}

func (p *product) nameOf(id string) string {
	for _, name := range []string{"alice@example.com", "bob@example.com", "carol@example.com", "local", "orders-db"} {
		if id == flow.UserID(testSettings.Org, name) || id == flow.TargetID(testSettings.Org, name) {
			return "id-of-" + name
		}
	}
	run, err := flow.RunOf(id)
	if err != nil {
		return id
	}
	i := slices.Index(p.runs, run)
	if i < 0 {
		return id
	}
	name := fmt.Sprintf("run%d", i+1)
	if n, _ := strconv.ParseUint(id[len(id)-4:], 16, 16); n > 0 {
		name += fmt.Sprintf(".%d", n)
	}
	return name
}

// unnamed puts ids, and our address, for names.
func (p *product) unnamed(text string) string {
	return namePattern.ReplaceAllStringFunc(strings.ReplaceAll(text, "http://local", p.url), func(name string) string {
		m := namePattern.FindStringSubmatch(name)
		i, _ := strconv.Atoi(m[1])
		if i < 1 || i > len(p.runs) {
			return name
		}
		n, _ := strconv.Atoi(m[3])
		return flow.EventID(p.runs[i-1], n)
	})
}

// short writes a time after the start: +10m, +1h30m, +45s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return "+" + s
}
