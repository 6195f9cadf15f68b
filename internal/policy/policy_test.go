package policy_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/policy"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

const file = `flow: prod-access
directory:
  members: [alice@example.com, bob@example.com]
  guests: [guest@example.com]
  deactivated: [gone@example.com]
  groups: {platform: [bob@example.com, gone@example.com]}
cases:
  - name: everything
    as: alice@example.com
    by: slack
    target: orders-db
    at: 2026-12-24T04:00:00+01:00
    start_at: 2026-12-25T00:00:00Z
    break_glass: true
    fields: {reason: stuck, rows: 5}
    expect:
      outcome: asked
      why: because
      approvals: 2
      may_approve: bob@example.com
      may_not_approve: [alice@example.com, guest@example.com]
      nobody_else: true
      asks: ["#access", [bob@example.com, alice@example.com]]
      longest: 1h
      silence: expired
      lasts: 30m
      ends_at: 2026-12-24T04:30:00+01:00
      grants:
        target: orders-db
        identity: alice@example.com
        rights:
          - database orders
          - role = reader
`

func load(t *testing.T, text string) policy.Case {
	t.Helper()
	cases, faults := policy.Load(fstest.MapFS{"a.policy.yaml": {Data: []byte(text)}, "a.yaml": {Data: []byte("kind: flow")}}, "acme")
	if len(faults) > 0 || len(cases) != 1 {
		t.Fatalf("%d cases, faults %v", len(cases), faults)
	}
	return cases[0]
}

// TestLoad: what a file says is in its cases, with its people.
func TestLoad(t *testing.T) {
	t.Parallel()
	c := load(t, file)
	if c.File != "a.policy.yaml" || c.Line != 8 || c.Flow != "prod-access" || c.As != "alice@example.com" || c.By != flow.ChannelSlack ||
		!c.At.Equal(time.Date(2026, 12, 24, 3, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", c)
	}
	if c.Values["reason"] != "stuck" || c.Values["rows"] != 5 || c.Values["target_id"] != "orders-db" || c.Values[flow.KeyStartAt] != "1798156800" ||
		!slices.Equal(c.Values[flow.KeyBreakGlass].([]string), []string{flow.KeyBreakGlass}) {
		t.Errorf("values %v", c.Values)
	}
	group, err := c.Directory.Group(t.Context(), "platform")
	if err != nil || len(group) != 2 || group[0].Email != "bob@example.com" || group[1].Role != store.RoleDeactivated {
		t.Errorf("platform is %v, %v", group, err)
	}
	guest, err := c.Directory.UserByEmail(t.Context(), "Guest@example.com")
	if err != nil || guest.Role != store.RoleGuest {
		t.Errorf("guest is %v, %v", guest, err)
	}
	if same, err := c.Directory.User(t.Context(), guest.SlackID); err != nil || same.ID != guest.ID || same.ID != flow.UserID("acme", "guest@example.com") {
		t.Errorf("by id they are %v, %v", same, err)
	}
	for _, unknown := range []func() error{
		func() error { _, err := c.Directory.Group(t.Context(), "others"); return err },
		func() error { _, err := c.Directory.User(t.Context(), "U0"); return err },
		func() error { _, err := c.Directory.KnownByEmail(t.Context(), "zoe@example.com"); return err },
	} {
		if err := unknown(); flow.CodeOf(err) != flow.CodeUnknownUser {
			t.Errorf("somebody unknown: %v", err)
		}
	}
}

// asExpected is what the case of the file gets where all is as it should be.
func asExpected() workflow.Explanation {
	from := time.Date(2026, 12, 24, 3, 0, 0, 0, time.UTC)
	return workflow.Explanation{
		Outcome: "asked", Why: "just because", Needs: 2,
		Rounds:  []workflow.Round{{Asks: []string{"#access"}}, {Asks: []string{"bob@example.com", "alice@example.com"}}},
		Silence: &workflow.Silence{Status: "expired", At: from},
		People: []workflow.MayOrNot{
			{Person: "bob@example.com", May: true, Via: []string{"admin"}}, {Person: "alice@example.com", Why: "own"}, {Person: "guest@example.com", Why: "a guest"},
		},
		Grant: &workflow.WouldGrant{
			Target: "orders-db", Identity: "alice@example.com",
			Entitlements: []workflow.WouldEntitle{{Key: "orders-db/alice", Settings: map[string]string{"database": "orders"}}, {Key: "role", Value: "reader"}},
			From:         from, Ends: from.Add(30 * time.Minute), Latest: from.Add(time.Hour),
		},
	}
}

// TestCheck: each expectation that is not met is told, with its line and what happens
// instead; nothing else is.
func TestCheck(t *testing.T) {
	t.Parallel()
	c := load(t, file)
	if faults := c.Check(asExpected()); len(faults) > 0 {
		t.Errorf("%v", faults)
	}
	for _, tc := range []struct {
		name  string
		other func(*workflow.Explanation)
		want  string
	}{
		{"outcome", func(x *workflow.Explanation) { x.Outcome = "denied" }, ":17: everything: it is not asked, but denied: just because"},
		{"why", func(x *workflow.Explanation) { x.Why = "so" }, `:18: everything: the reason is not "because", but "so"`},
		{"approvals", func(x *workflow.Explanation) { x.Needs = 1 }, ":19: everything: it needs not 2 approvals, but 1"},
		{"may", func(x *workflow.Explanation) { x.People[0] = workflow.MayOrNot{Person: "bob@example.com", Why: "left"} }, ":20: everything: bob@example.com may not approve: left"},
		{"may not", func(x *workflow.Explanation) {
			x.People[2] = workflow.MayOrNot{Person: "guest@example.com", May: true, Via: []string{"handler"}}
		}, ":21: everything: guest@example.com may approve, as handler"},
		{"nobody else", func(x *workflow.Explanation) {
			x.People = append(x.People, workflow.MayOrNot{Person: "zoe@example.com", May: true, Via: []string{"member"}})
		}, ":22: everything: zoe@example.com may approve as well, as member"},
		{"asks", func(x *workflow.Explanation) { x.Rounds = x.Rounds[:1] }, ":23: everything: it asks not #access, then bob@example.com and alice@example.com, but #access"},
		{"longest", func(x *workflow.Explanation) { x.Grant.Latest = x.Grant.Latest.Add(time.Minute) }, ":24: everything: the access may last 1 hour 1 minute, which is longer than 1 hour"},
		{"no end", func(x *workflow.Explanation) { x.Grant.Ends, x.Grant.Latest = time.Time{}, time.Time{} }, ":24: everything: the access has no end: somebody has to end it by hand"},
		{"not granted", func(x *workflow.Explanation) { x.Grant.Failed = "unknown there" }, ":24: everything: there is no access that could end: unknown there"},
		{"no access", func(x *workflow.Explanation) { x.Grant = nil }, ":24: everything: there is no access that could end: it is asked"},
		{"nothing granted", func(x *workflow.Explanation) { x.Grant.Failed = "unknown there" }, ":28: everything: nothing is granted: unknown there"},
		{"lasts", func(x *workflow.Explanation) { x.Grant.From = x.Grant.From.Add(time.Minute) }, ":26: everything: the access lasts not 30 minutes, but 29 minutes"},
		{"ends at", func(x *workflow.Explanation) { x.Grant.Ends = x.Grant.Ends.Add(time.Minute) }, ":27: everything: the access ends not at 2026-12-24T03:30:00Z, but at 2026-12-24T03:31:00Z"},
		{"target", func(x *workflow.Explanation) { x.Grant.Target = "customers-db" }, ":29: everything: the target is not orders-db, but customers-db"},
		{"identity", func(x *workflow.Explanation) { x.Grant.Identity = "alice" }, ":30: everything: the identity is not alice@example.com, but alice"},
		{"right missing", func(x *workflow.Explanation) { x.Grant.Entitlements = x.Grant.Entitlements[:1] }, `:33: everything: no right has "role = reader": there is orders-db/alice, database orders`},
		{"right more", func(x *workflow.Explanation) {
			x.Grant.Entitlements = append(x.Grant.Entitlements, workflow.WouldEntitle{Key: "role", Value: "owner"})
		}, ":31: everything: there is another right as well: role = owner"},
		{"silence", func(x *workflow.Explanation) { x.Silence.Status = "approved" }, ":25: everything: if nobody decides it is not expired: it is approved at 2026-12-24T03:00:00Z"},
		{"never", func(x *workflow.Explanation) { x.Silence = nil }, ":25: everything: if nobody decides it is not expired: it is never decided"},
	} {
		x := asExpected()
		tc.other(&x)
		var got []string
		for _, f := range c.Check(x) {
			got = append(got, f.String())
		}
		all := strings.Join(got, "\n")
		if !strings.Contains(all, "a.policy.yaml"+tc.want) {
			t.Errorf("%s:\n%s\nwant %s", tc.name, all, tc.want)
		}
		told := map[string]int{
			"may not": 2, // who may, though they may not, is somebody else, too
			"no end":  3, "not granted": 4, "no access": 4, "nothing granted": 4, "ends at": 2,
		}
		if len(got) != max(told[tc.name], 1) {
			t.Errorf("%s: more than that is told:\n%s", tc.name, all)
		}
	}
}

// TestLoadFaults: files that are no policy say what to write instead. (Those of
// attributes are in a script, policy.txt.)
func TestLoadFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                 "a.policy.yaml:1: is empty",
		"a: [":             "a.policy.yaml: is not YAML",
		"- a":              "a.policy.yaml:1: is no mapping",
		"a: &x 1\nb: *x":   "anchors and aliases are not supported",
		"flow: a\nflow: b": `:2: "flow" is there twice`,
		"a: " + strings.Repeat("[", 30) + strings.Repeat("]", 30): "nested more than",
		"flow: a":                                "directory is missing",
		"flow: a\ndirectory: {}":                 "cases is missing",
		"directory: 3\ncases: [3]":               "flow is missing",
		strings.Repeat("#", 1<<20) + "\nflow: a": "is larger than 1 MB",
	} {
		cases, faults := policy.Load(fstest.MapFS{"a.policy.yaml": {Data: []byte(text)}}, "acme")
		var all string
		for _, f := range faults {
			all += f.String() + "\n"
		}
		if len(cases) > 0 || !strings.Contains(all, want) {
			t.Errorf("%.40q: %s; want %s", text, all, want)
		}
	}
	for _, text := range []string{file, "members: [alice@example.com, bob@example.com]\nguests: [guest@example.com]\ndeactivated: [gone@example.com]\n"} {
		if d, faults := policy.ReadDirectory(fstest.MapFS{"d.yaml": {Data: []byte(text)}}, "d.yaml", "acme"); len(faults) > 0 || len(d.People()) != 4 {
			t.Errorf("a directory: %v, %v", d, faults)
		}
	}
	if _, faults := policy.ReadDirectory(fstest.MapFS{"d.yaml": {}}, "d.yaml", "acme"); len(faults) != 1 {
		t.Errorf("an empty directory: %v", faults)
	}
	if _, faults := policy.ReadDirectory(fstest.MapFS{}, "d.yaml", "acme"); len(faults) != 1 || !strings.Contains(faults[0].String(), "can't be read") {
		t.Errorf("a missing directory: %v", faults)
	}
}
