package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

const ofFiles = `kind: flow
name: approval
environment_id: shared
params: {approval: {notify: [{channel: "#access"}]}}
---
{kind: integration, name: of-files, type: slack, external_id: T0123456789}
---
{kind: environment, name: shared, integrations: {slack_id: of-files}}
`

// moving is a deployment whose flow access, with all that it needs, changes hands.
type moving struct {
	*assembling
	without, with fstest.MapFS // the files: without and with what changes hands
	watched       bool         // the flow has to be in force at each write
}

var errCrash = errors.New("crash")

// newMoving has flows of both owners in force, and what the API has as files.
func newMoving(t *testing.T) *moving {
	t.Helper()
	m := &moving{assembling: newAssembling(t), without: fstest.MapFS{"files.yaml": {Data: []byte(ofFiles)}}}
	if err := m.publish(m.without); err != nil {
		t.Fatal(err)
	}
	m.create(entity.KindLogDestination, "http", "logs", `{"settings": {"url": "https://logs.example.com"}}`)
	m.configured()
	m.replace(entity.KindEnvironment, "", "main", `{"integrations": {"slack_id": "#workspace#"}, "error_logger_id": "#errors#", "log_destination_ids": ["#logs#"]}`)
	m.create(entity.KindFlowsFilter, "", "", `{"implementation": "def get_flows(): pass"}`)
	m.run(time.Minute)
	exported, err := catalog.Export(m.all(), "sym")
	if err != nil {
		t.Fatal(err)
	}
	m.with = fstest.MapFS{"files.yaml": m.without["files.yaml"]}
	for name, text := range exported.Files {
		m.with[name] = &fstest.MapFile{Data: text}
	}
	m.store.after = func() {
		if m.watched {
			m.inForce()
		}
	}
	return m
}

// inForce fails unless both flows take requests, the filter holds, and the strategy of access
// is one that grants may begin by.
func (m *moving) inForce() {
	m.Helper()
	list, err := m.flows.List(m.Context())
	if err != nil || len(list) != 2 {
		m.Fatalf("in force: %+v, %v", list, err)
	}
	for _, name := range []string{"access", "approval"} {
		if _, err := m.flows.Latest(m.Context(), name); err != nil {
			m.Fatalf("%s: %v", name, err)
		}
	}
	if f, err := m.flows.Filter(m.Context()); err != nil || f == nil {
		m.Fatalf("filter %v, %v", f, err)
	}
	if have, err := m.flows.Strategies(m.Context()); err != nil || !slices.Contains(have, `strategy "servers" of type http`) {
		m.Fatalf("strategies %v, %v", have, err)
	}
}

func (m *moving) all() []entity.Entity {
	m.Helper()
	all, err := m.entities.All(m.Context())
	if err != nil {
		m.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e entity.Entity) bool { return !e.Alive() })
}

func (m *moving) publish(files fstest.MapFS) error {
	m.Helper()
	c, report := catalog.LoadFS(files, "sym", builtin.Types())
	if err := report.Err(); err != nil {
		m.Fatal(err)
	}
	_, err := m.files.Whole(m.Context(), c.Configuration())
	return err
}

// offer has all that an owner has change hands.
func (m *moving) offer(owner entity.Owner) {
	m.Helper()
	for _, e := range m.all() {
		if e.Owner == owner && e.Name != "approval" && e.Name != "shared" && e.Name != "of-files" {
			if err := m.entities.Offer(m.Context(), store.EntityChange{}, e.Kind, e.ID, e.Digest(), entity.Moving{Until: m.clock.Now().Add(time.Hour)}); err != nil {
				m.Fatal(err)
			}
		}
	}
}

// whose says who has each entity, by id, and each flow in force.
func (m *moving) whose() string {
	m.Helper()
	lines := []string{}
	for _, e := range m.all() {
		lines = append(lines, fmt.Sprintf("%s %s %s: %s", e.Kind, e.Name, e.ID, e.Owner))
	}
	slices.Sort(lines)
	list, err := m.flows.List(m.Context())
	if err != nil {
		m.Fatal(err)
	}
	for _, f := range list {
		owner := f.Owner
		if owner == "" {
			owner = entity.Files
		}
		lines = append(lines, fmt.Sprintf("flow %s in force: %s", f.Name, owner))
	}
	destinations, err := store.Destinations{Store: m.store}.List(m.Context())
	if err != nil || len(destinations) != 1 {
		m.Fatalf("destinations %v, %v", destinations, err)
	}
	return strings.Join(lines, "\n")
}

// TestHandover: what the API has goes over to files, and back, and is in force all the time,
// wherever a publish breaks off; its ids are what they were; and no publish of older files
// takes anything away.
func TestHandover(t *testing.T) {
	t.Parallel()
	ofAPI := newMoving(t).whose()
	there := func(m *moving) { m.offer(entity.API) }
	andBack := func(m *moving) {
		there(m)
		if err := m.publish(m.with); err != nil {
			m.Fatal(err)
		}
		m.run(time.Minute)
		m.clock.Advance(48 * time.Hour) // nobody rolls that back any more
		m.offer(entity.Files)
	}
	var taken string
	{
		m := newMoving(t)
		andBack(m)
		taken = m.whose()
		for _, line := range strings.Split(taken, "\n") {
			if !strings.HasSuffix(line, string(entity.Files)) {
				t.Errorf("after going there: %s", line)
			}
		}
		if got, want := strings.ReplaceAll(taken, ": files", ""), strings.ReplaceAll(strings.ReplaceAll(ofAPI, ": files", ""), ": api", ""); got != want {
			t.Errorf("ids after going there\n%s\nbefore\n%s", got, want)
		}
	}
	for name, way := range map[string]struct {
		prepare func(*moving)
		to      func(*moving) fstest.MapFS
		back    func(*moving) fstest.MapFS
		before  string
		after   string
	}{
		"There": {there, func(m *moving) fstest.MapFS { return m.with }, func(m *moving) fstest.MapFS { return m.without }, ofAPI, taken},
		"Back":  {andBack, func(m *moving) fstest.MapFS { return m.without }, func(m *moving) fstest.MapFS { return m.with }, taken, ofAPI},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for crash := 0; ; crash++ {
				m := newMoving(t)
				way.prepare(m)
				m.watched = true
				m.store.crash = m.store.writes + crash
				err := m.publish(way.to(m))
				m.store.crash = 0
				if err != nil && !errors.Is(err, errCrash) {
					t.Fatalf("crash %d: %v", crash, err)
				}
				m.inForce()
				switch crash % 3 {
				case 0: // meanwhile flows are made of entities
					m.run(time.Minute)
				case 1: // and the deploy is rolled back, and made again
					if err := m.publish(way.back(m)); err != nil {
						t.Fatalf("crash %d, rolled back: %v", crash, err)
					}
					m.run(time.Minute)
					if got := m.whose(); got != way.before {
						t.Fatalf("crash %d, rolled back:\n%s", crash, got)
					}
				}
				if err := m.publish(way.to(m)); err != nil {
					t.Fatalf("crash %d, again: %v", crash, err)
				}
				m.run(time.Minute)
				if got := m.whose(); got != way.after {
					t.Fatalf("crash %d:\n%s\nwant\n%s", crash, got, way.after)
				}
				if err == nil {
					if crash < 5 {
						t.Errorf("only %d writes", crash)
					}
					return
				}
			}
		})
	}
}

// TestHandover_TakenBack: what is changed after it was offered stays whose it is, and the
// files that were made before are refused.
func TestHandover_TakenBack(t *testing.T) {
	t.Parallel()
	m := newMoving(t)
	m.offer(entity.API)
	m.replace(entity.KindFlow, "", "access", `{"label": "Changed", "environment_id": "#main#", "params": `+strings.ReplaceAll(flowParams, "#servers#", m.ids["servers"])+`}`)
	err := m.publish(m.with)
	if flow.CodeOf(err) != flow.CodeInvalid || !strings.Contains(err.Error(), "flow access") || strings.Contains(err.Error(), "strategy") {
		t.Errorf("published with %v", err)
	}
	m.clock.Advance(2 * time.Hour) // and the offer has an end
	if err := m.publish(m.with); !strings.Contains(fmt.Sprint(err), "strategy servers") {
		t.Errorf("published with %v", err)
	}
	gone := m.all()[0]
	if err := m.entities.Offer(t.Context(), store.EntityChange{}, gone.Kind, gone.ID, "of another state", entity.Moving{Until: m.clock.Now().Add(time.Hour)}); flow.CodeOf(err) != flow.CodeInvalid {
		t.Errorf("offered with %v", err)
	}
}

// TestHandover_Everything: files that say nothing any more are those of a handover, or the
// wrong ones.
func TestHandover_Everything(t *testing.T) {
	t.Parallel()
	m := newMoving(t)
	if err := m.publish(fstest.MapFS{}); flow.CodeOf(err) != flow.CodeInvalid || !strings.Contains(err.Error(), "say nothing any more") {
		t.Errorf("published with %v", err)
	}
	m.inForce()
	for _, e := range m.all() {
		if e.Owner == entity.Files {
			if err := m.entities.Offer(t.Context(), store.EntityChange{}, e.Kind, e.ID, e.Digest(), entity.Moving{Until: m.clock.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	m.watched = true
	for range 2 {
		if err := m.publish(fstest.MapFS{}); err != nil {
			t.Fatal(err)
		}
		m.run(time.Minute)
	}
	if strings.Contains(m.whose(), "files") && !strings.Contains(m.whose(), "of-files") {
		t.Error(m.whose())
	}
	// Nothing is left that a wrong folder could take away.
	m.delete(entity.KindFlow, "access")
	m.watched = false
	m.run(time.Minute)
	if _, err := m.flows.Latest(context.Background(), "access"); flow.CodeOf(err) != flow.CodeUnknownFlow {
		t.Errorf("a flow that was deleted: %v", err)
	}
}
