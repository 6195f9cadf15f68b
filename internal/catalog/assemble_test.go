package catalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/workflow"
)

// counting is a store that counts what is written.
type counting struct {
	*storetest.Memory
	mu     sync.Mutex
	writes int
	crash  int    // nothing is written any more after so many writes; 0: it is
	after  func() // each write
}

func (c *counting) Put(ctx context.Context, item store.Item) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crash > 0 && c.writes >= c.crash {
		return 0, errCrash
	}
	rev, err := c.Memory.Put(ctx, item)
	if err == nil {
		c.writes++
		if c.after != nil {
			c.after()
		}
	}
	return rev, err
}

// assembling is a deployment of which only the configuration is looked at.
type assembling struct {
	*testing.T
	clock    *clockwork.FakeClock
	store    *counting
	entities store.Entities
	flows    *store.Flows
	files    workflow.Publish
	assemble workflow.Assemble
	ids      map[string]string // of what was created, by name
}

func newAssembling(t *testing.T) *assembling {
	a := &assembling{T: t, clock: clockwork.NewFakeClockAt(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)), ids: map[string]string{}}
	a.store = &counting{Memory: &storetest.Memory{Now: a.clock.Now}}
	a.entities = store.Entities{Store: a.store, Org: "sym", Now: a.clock.Now}
	a.flows = &store.Flows{Store: a.store}
	runs := store.Runs{Store: a.store}
	a.files = workflow.Publish{Runs: runs, Flows: a.flows, Entities: a.entities, Rights: builtin.Rights}
	reader := &catalog.Reader{Org: "sym", Types: builtin.Types(), Describe: func(_ context.Context, s flow.Source) (flow.Outline, error) {
		return flow.Outline{Handlers: []string{"get_flows"}}, nil
	}}
	a.assemble = workflow.Assemble{
		Entities: a.entities, Flows: a.flows, Runs: runs, Assembled: store.Assembled{Store: a.store},
		Notices: store.Notices{Store: a.store, Now: a.clock.Now}, Parts: reader.Parts, Rights: builtin.Rights, Now: a.clock.Now,
	}
	return a
}

// entity makes one of attributes, in which #name# stands for an id.
func (a *assembling) entity(kind entity.Kind, typ, name, attributes string) entity.Entity {
	for n, id := range a.ids {
		attributes = strings.ReplaceAll(attributes, "#"+n+"#", id)
	}
	return entity.Entity{Kind: kind, Type: typ, Name: name, Owner: entity.API, Attributes: json.RawMessage(attributes)}
}

func (a *assembling) create(kind entity.Kind, typ, name, attributes string) {
	a.Helper()
	e, err := a.entities.Create(a.Context(), store.EntityChange{}, a.entity(kind, typ, name, attributes))
	if err != nil {
		a.Fatal(err)
	}
	a.ids[name] = e.ID
}

func (a *assembling) replace(kind entity.Kind, typ, name, attributes string) {
	a.Helper()
	e := a.entity(kind, typ, name, attributes)
	e.ID = a.ids[name]
	if _, err := a.entities.Replace(a.Context(), store.EntityChange{}, e); err != nil {
		a.Fatal(err)
	}
}

func (a *assembling) delete(kind entity.Kind, name string) {
	a.Helper()
	if err := a.entities.Delete(a.Context(), store.EntityChange{}, entity.API, kind, a.ids[name]); err != nil {
		a.Fatal(err)
	}
}

const (
	serverSettings = `{"url": "https://grants.example.com/sym"}`
	flowParams     = `{"strategy_id": "#servers#", "approval": {"notify": [{"channel": "#access"}]}}`
)

// configured has a flow, and all that it needs.
func (a *assembling) configured() {
	a.Helper()
	a.create(entity.KindIntegration, "slack", "workspace", `{"external_id": "T0123456789"}`)
	a.create(entity.KindErrorLogger, "", "errors", `{"integration_id": "#workspace#", "destination": "#errors-of-access"}`)
	a.create(entity.KindEnvironment, "", "main", `{"integrations": {"slack_id": "#workspace#"}, "error_logger_id": "#errors#"}`)
	a.create(entity.KindTarget, "http", "orders", `{"settings": {}}`)
	a.create(entity.KindStrategy, "http", "servers", `{"targets": ["#orders#"], "settings": `+serverSettings+`}`)
	a.create(entity.KindFlow, "", "access", `{"environment_id": "#main#", "params": `+flowParams+`}`)
}

// run lets time pass, and gives when to be called again.
func (a *assembling) run(pass time.Duration) time.Duration {
	a.Helper()
	a.clock.Advance(pass)
	next, err := a.assemble.Run(a.Context())
	if err != nil {
		a.Fatal(err)
	}
	if next.IsZero() {
		return 0
	}
	return next.Sub(a.clock.Now())
}

// version is that of the flow; "" if it takes no requests.
func (a *assembling) version() string {
	a.Helper()
	f, err := a.flows.Latest(a.Context(), "access")
	if flow.CodeOf(err) == flow.CodeUnknownFlow {
		return ""
	}
	if err != nil {
		a.Fatal(err)
	}
	return f.Version
}

func (a *assembling) want(version, when string) {
	a.Helper()
	if got := a.version(); got != version {
		a.Errorf("%s: version %q, not %q", when, got, version)
	}
}

// told lists the notices so far.
func (a *assembling) told() []string {
	a.Helper()
	page, err := a.store.List(a.Context(), store.Query{By: store.ByKind, Value: string(store.KindNotice)})
	if err != nil {
		a.Fatal(err)
	}
	var list []string
	for _, item := range page.Items {
		var n store.Notice
		if err := json.Unmarshal(item.Body, &n); err != nil {
			a.Fatal(err)
		}
		list = append(list, n.Text)
	}
	return list
}

// TestAssemble: flows are made once it is quiet, or it has been loud for long enough, and
// of many changes one version.
func TestAssemble(t *testing.T) {
	t.Parallel()
	a := newAssembling(t)
	if again := a.run(0); again != 0 {
		t.Errorf("nobody configures by the API, and it looks again in %s", again)
	}
	a.configured()
	if again := a.run(time.Second); again != time.Second {
		t.Errorf("looks again in %s", again)
	}
	a.want("", "before it is quiet")
	if again := a.run(time.Second); again != 0 {
		t.Errorf("looks again in %s", again)
	}
	a.want("1.0.1", "when it is quiet")
	for i := range 9 {
		a.replace(entity.KindTarget, "http", "orders", fmt.Sprintf(`{"label": "Orders %d"}`, i))
		a.run(time.Second)
		a.want("1.0.1", "while it changes")
	}
	a.replace(entity.KindTarget, "http", "orders", `{"label": "Orders at last"}`)
	a.run(time.Second)
	a.want("1.0.2", "when it has changed for ten seconds")
	f, err := a.flows.Latest(t.Context(), "access")
	if err != nil || f.Strategy.Targets[0].Label != "Orders at last" || !f.Strategy.ByAPI || f.Strategy.Targets[0].IDIn("sym") != a.ids["orders"] {
		t.Errorf("%+v, %v", f.Strategy, err)
	}
}

// TestAssemble_Unchanged: where nothing changed, nothing is written.
func TestAssemble_Unchanged(t *testing.T) {
	t.Parallel()
	a := newAssembling(t)
	a.configured()
	a.run(time.Minute)
	a.store.writes = 0
	for range 3 {
		a.run(time.Minute)
	}
	if a.store.writes > 0 {
		t.Errorf("%d writes", a.store.writes)
	}
}

// TestAssemble_Incomplete: the last version stays while something is not whole, for ever
// where nothing that it needs was deleted, and those who mend it are told.
func TestAssemble_Incomplete(t *testing.T) {
	t.Parallel()
	a := newAssembling(t)
	a.create(entity.KindFlow, "", "half", `{"environment_id": "00000000-0000-4000-8000-000000000001"}`)
	a.configured()
	a.run(time.Minute)
	a.want("1.0.1", "at first")
	a.delete(entity.KindTarget, "orders") // as Terraform does, before the strategy drops it
	if again := a.run(time.Minute); again > workflow.ReplaceWithin || again == 0 {
		t.Errorf("looks again in %s", again)
	}
	a.want("1.0.1", "without its target")
	a.run(time.Hour)
	a.want("1.0.1", "an hour later")
	told := strings.Join(a.told(), "\n")
	for _, want := range []string{"The flow access, which was configured by the API, has faults, and what was in force before stays so", "The strategy servers", "The flow half can't be put in force"} {
		if strings.Count(told, want) != 1 {
			t.Errorf("told %q", told)
		}
	}
	a.create(entity.KindTarget, "http", "users", `{}`)
	a.replace(entity.KindStrategy, "http", "servers", `{"targets": ["#users#"], "settings": `+serverSettings+`}`)
	a.run(time.Minute)
	a.want("1.0.2", "with another target")
	state, err := a.assemble.Assembled.Get(t.Context())
	if err != nil || len(state.Broken) != 1 {
		t.Errorf("broken %+v, %v", state.Broken, err)
	}
}

// withOkta has the flow grant by a service that has an account and a secret.
func (a *assembling) withOkta() {
	a.Helper()
	a.configured()
	a.create(entity.KindSecretSource, "aws_secrets_manager", "source", `{}`)
	a.create(entity.KindSecret, "", "token", `{"path": "/sym/token", "source_id": "#source#"}`)
	a.create(entity.KindIntegration, "okta", "service", oktaService)
	a.create(entity.KindTarget, "okta_group", "admins", `{"settings": {"group_id": "00g12345678901234567"}}`)
	a.create(entity.KindStrategy, "okta", "groups", `{"integration_id": "#service#", "targets": ["#admins#"]}`)
	a.replace(entity.KindFlow, "", "access", `{"environment_id": "#main#", "params": {"strategy_id": "#groups#", "approval": {"notify": [{"channel": "#access"}]}}}`)
}

const oktaService = `{"external_id": "acme.okta.com", "settings": {"api_token_secret": "#token#"}}`

// TestAssemble_Deleted: what a flow needs and was deleted may be replaced for 15 minutes;
// then the flow takes no requests, until something takes its place.
func TestAssemble_Deleted(t *testing.T) {
	t.Parallel()
	for _, deleted := range []struct {
		kind                  entity.Kind
		typ, name, attributes string
	}{
		{entity.KindStrategy, "okta", "groups", `{"integration_id": "#service#", "targets": ["#admins#"]}`},
		{entity.KindEnvironment, "", "main", `{"integrations": {"slack_id": "#workspace#"}, "error_logger_id": "#errors#"}`},
		{entity.KindIntegration, "okta", "service", oktaService},
		{entity.KindIntegration, "slack", "workspace", `{"external_id": "T0123456789"}`},
		{entity.KindSecret, "", "token", `{"path": "/sym/token", "source_id": "#source#"}`},
		{entity.KindSecretSource, "aws_secrets_manager", "source", `{}`},
	} {
		t.Run(deleted.name, func(t *testing.T) {
			t.Parallel()
			a := newAssembling(t)
			a.withOkta()
			a.run(time.Minute)
			before := a.ids[deleted.name]
			a.delete(deleted.kind, deleted.name)
			again := a.run(time.Minute)
			a.want("1.0.1", "at once")
			if again != workflow.ReplaceWithin-time.Minute {
				t.Errorf("looks again in %s", again)
			}
			a.run(again - time.Second)
			a.want("1.0.1", "for 15 minutes")
			a.wantStrategy(true, "for 15 minutes")
			a.run(time.Second)
			a.want("", "after them")
			// Whether there is still what access is taken away by is another question.
			a.wantStrategy(deleted.kind == entity.KindEnvironment || deleted.name == "workspace", "after them")
			if told := strings.Join(a.told(), "\n"); strings.Count(told, "The flow access takes no requests any more") != 1 {
				t.Errorf("told %q", told)
			}
			a.create(deleted.kind, deleted.typ, deleted.name, deleted.attributes)
			if a.ids[deleted.name] != before {
				t.Errorf("what comes back has another id: %s, not %s", a.ids[deleted.name], before)
			}
			a.run(time.Minute)
			a.want("1.0.1", "once it is back")
			a.wantStrategy(true, "once it is back")
		})
	}
}

// TestAssemble_NotNeeded: what says where records and errors go ends no flow, and nor does
// a runtime: the last version stays.
func TestAssemble_NotNeeded(t *testing.T) {
	t.Parallel()
	a := newAssembling(t)
	a.configured()
	a.create(entity.KindRuntime, "", "runtime", `{}`)
	a.create(entity.KindLogDestination, "http", "logs", `{"settings": {"url": "https://logs.example.com/in"}}`)
	a.replace(entity.KindEnvironment, "", "main", `{"integrations": {"slack_id": "#workspace#"}, "error_logger_id": "#errors#", "runtime_id": "#runtime#", "log_destination_ids": ["#logs#"]}`)
	a.run(time.Minute)
	a.want("1.0.1", "at first")
	for _, kind := range []entity.Kind{entity.KindErrorLogger, entity.KindRuntime, entity.KindLogDestination} {
		a.delete(kind, map[entity.Kind]string{entity.KindErrorLogger: "errors", entity.KindRuntime: "runtime", entity.KindLogDestination: "logs"}[kind])
		a.run(2 * workflow.ReplaceWithin)
		a.want("1.0.1", "without its "+string(kind))
	}
}

// wantStrategy tells whether the configuration has what the flow grants by.
func (a *assembling) wantStrategy(want bool, when string) {
	a.Helper()
	have, err := a.flows.StrategiesByOwner(a.Context())
	if err != nil || slices.Contains(have[entity.API], `strategy "groups" of type okta`) != want {
		a.Errorf("%s: has %v, %v", when, have, err)
	}
}

// TestAssemble_Flow: a flow that is deleted takes no requests, and one that takes its name
// before it is deleted takes its place.
func TestAssemble_Flow(t *testing.T) {
	t.Parallel()
	a := newAssembling(t)
	a.configured()
	a.run(time.Minute)
	before := a.ids["access"]
	a.clock.Advance(time.Second)
	a.create(entity.KindFlow, "", "access", `{"label": "New", "environment_id": "#main#", "params": `+flowParams+`}`)
	a.run(time.Minute)
	a.want("1.0.2", "with a newer one of the name")
	state, err := a.assemble.Assembled.Get(t.Context())
	if err != nil || len(state.Broken) != 1 || !strings.Contains(state.Broken[before].Faults[0], "a later one has its name") {
		t.Errorf("broken %+v, %v", state.Broken, err)
	}
	a.run(workflow.ReplaceWithin)
	if told := strings.Join(a.told(), "\n"); strings.Count(told, "a later one has its name") != 1 {
		t.Errorf("told %q", told)
	}
	if err := a.entities.Delete(t.Context(), store.EntityChange{}, entity.API, entity.KindFlow, before); err != nil {
		t.Fatal(err)
	}
	a.run(time.Minute)
	a.want("1.0.2", "without the old one")
	a.delete(entity.KindFlow, "access")
	a.run(time.Minute)
	a.want("", "without both")
}

// TestOwners: a publish of files leaves alone what the API owns, and the other way round;
// the API may refer to what files own, and neither takes the other's names.
func TestOwners(t *testing.T) {
	t.Parallel()
	a := newAssembling(t)
	publish := func(files string) error {
		configured, report := catalog.LoadFS(fstest.MapFS{"flows.yaml": {Data: []byte(files)}}, "sym", builtin.Types())
		if err := report.Err(); err != nil {
			t.Fatal(err)
		}
		_, err := a.files.Whole(t.Context(), configured.Configuration())
		return err
	}
	const environment = "kind: integration\nname: slack\ntype: slack\nexternal_id: T0123456789\n---\nkind: environment\nname: shared\nintegrations: {slack_id: slack}\n"
	const approval = "---\nkind: flow\nname: approval\nenvironment_id: shared\nparams: {approval: {notify: [{channel: '#access'}]}}\n"
	if err := publish(environment + approval); err != nil {
		t.Fatal(err)
	}
	shared, err := a.entities.Find(t.Context(), entity.KindEnvironment, "SHARED")
	if err != nil || len(shared) != 1 || shared[0].Owner != entity.Files || shared[0].File != "flows.yaml" {
		t.Fatalf("%+v, %v", shared, err)
	}
	a.configured()
	a.ids["shared"] = shared[0].ID
	a.replace(entity.KindFlow, "", "access", `{"environment_id": "#shared#", "params": `+flowParams+`}`)
	a.create(entity.KindFlowsFilter, "", "", `{"implementation": "def get_flows(user, flows, vars): return flows"}`)
	a.run(time.Minute)
	a.want("1.0.1", "with the environment of files")
	names := func() (list []string) {
		published, err := a.flows.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range published {
			list = append(list, f.Name)
		}
		return list
	}
	for _, files := range []string{environment, environment + approval} { // what files drop, and have again
		if err := publish(files); err != nil {
			t.Fatal(err)
		}
		a.run(time.Minute)
		a.want("1.0.1", "whatever files say")
		if got, want := strings.Join(names(), " "), "access"+strings.TrimPrefix(" approval", map[bool]string{true: " approval"}[files == environment]); got != want {
			t.Errorf("flows %q, not %q", got, want)
		}
		if filter, err := a.flows.Filter(t.Context()); err != nil || filter == nil {
			t.Errorf("filter %v, %v", filter, err)
		}
		have, err := a.flows.Strategies(t.Context())
		if err != nil || !strings.Contains(strings.Join(have, "\n"), `strategy "servers" of type http`) {
			t.Errorf("has %v, %v", have, err)
		}
	}
	for _, taken := range []string{"---\nkind: flow\nname: Access\nenvironment_id: shared\nparams: {approval: {notify: [{channel: '#access'}]}}\n", "---\nkind: runtime\nname: mine\n---\nkind: target\nname: orders\ntype: http\n"} {
		if err := publish(environment + taken); flow.CodeOf(err) != flow.CodeInvalid || !strings.Contains(err.Error(), "the configuration API has these already") {
			t.Errorf("error %v", err)
		}
	}
	if _, err := a.entities.Create(t.Context(), store.EntityChange{}, a.entity(entity.KindFlow, "", "approval", `{}`)); flow.CodeOf(err) != flow.CodeInvalid {
		t.Errorf("a name of files: %v", err)
	}
	// Files drop what the API refers to: the flow goes 15 minutes later.
	if err := publish("kind: runtime\nname: lonely\n"); err != nil {
		t.Fatal(err)
	}
	a.run(time.Minute)
	a.want("1.0.1", "without the environment of files")
	a.run(workflow.ReplaceWithin)
	a.want("", "15 minutes later")
}
