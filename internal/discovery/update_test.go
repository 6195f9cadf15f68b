package discovery_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/internal/discovery"
	"github.com/symflows/symflows/internal/flow"
)

var today = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// found makes what a system has: name and label, and the id of the account.
func found(list ...string) []flow.Target {
	var out []flow.Target
	for i := 0; i < len(list); i += 3 {
		out = append(out, flow.Target{Name: list[i], Type: "account", Label: list[i+1], Settings: map[string]string{"account_id": list[i+2]}})
	}
	return out
}

func update(t *testing.T, file string, targets []flow.Target, edit ...func(*discovery.Input)) (string, discovery.Changes) {
	t.Helper()
	in := discovery.Input{Strategy: "main", Types: []string{"account", "group"}, Command: "local targets accounts", Found: targets, Now: today}
	for _, e := range edit {
		e(&in)
	}
	out, changes, err := discovery.Update([]byte(file), in)
	if err != nil {
		t.Fatal(err)
	}
	again, none, err := discovery.Update(out, in)
	if err != nil || string(again) != string(out) || !none.None() {
		t.Errorf("the second time it changes %+v (%v):\n%s", none, err, cmp.Diff(string(out), string(again)))
	}
	return string(out), changes
}

const head = `# Targets that strategy main has found, written by
#
#     local targets accounts
#
# Run it again to bring them up to date: it adds what is new, follows names that
# nobody has changed here, and marks what is gone, which is then not offered any
# more. What you change stays, comments as well. To keep a target from being
# offered, write offered: false; a document without found is yours alone.
`

const prod = `---
kind: target
name: a-111111111111
type: account
label: Production
settings:
  account_id: "111111111111"
found:
  strategy: main
  label: Production
  settings: {account_id: "111111111111"}
`

const test = `---
kind: target
name: a-222222222222
type: account
label: Test
settings:
  account_id: "222222222222"
found:
  strategy: main
  label: Test
  settings: {account_id: "222222222222"}
`

func names(list []discovery.Change) string {
	var out []string
	for _, c := range list {
		out = append(out, c.Name)
	}
	return strings.Join(out, " ")
}

func both(production, testing string) []flow.Target {
	return found("a-111111111111", production, "111111111111", "a-222222222222", testing, "222222222222")
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	gone := test + "  gone: \"2026-03-02\"\n"
	byHand := `--- # ours
# Payments run here.
kind: target   # of AWS
name: a-111111111111

type: account
label: 'Payments'      # what people call it
settings: {account_id: "111111111111", note: by hand}
offered: false
found: {strategy: main, label: Production, settings: {account_id: "111111111111"}}
# to the end
`
	for _, tc := range []struct {
		name         string
		before, then string
		has          []flow.Target
		want         string // added, renamed, gone and back
		edit         func(*discovery.Input)
	}{
		{name: "New", then: head + prod + test, has: both("Production", "Test"), want: "a-111111111111 a-222222222222|||"},
		{name: "Added", before: head + prod, then: head + prod + test, has: both("Production", "Test"), want: "a-222222222222|||"},
		{name: "AddedWithoutLastLine", before: strings.TrimSuffix(prod, "\n"), then: prod + test, has: both("Production", "Test"), want: "a-222222222222|||"},
		{
			name: "Renamed", before: head + prod + test, has: both("Live", "Test"), want: "|a-111111111111||",
			then: head + strings.ReplaceAll(prod, "Production", "Live") + test,
		},
		{name: "Gone", before: head + prod + test, then: head + prod + gone, has: both("Production", "Test")[:1], want: "||a-222222222222|"},
		{name: "StillGone", before: head + prod + strings.Replace(gone, "03-02", "01-01", 1), then: head + prod + strings.Replace(gone, "03-02", "01-01", 1), has: both("Production", "Test")[:1], want: "|||"},
		{name: "Back", before: head + prod + gone, then: head + prod + test, has: both("Production", "Test"), want: "|||a-222222222222"},
		{
			name: "ByHand", before: byHand + test, then: byHand + test, has: both("Production", "Test"), want: "|||",
		},
		{
			// What is edited beside hand edits keeps them, comments as well.
			name: "ByHandAndRenamed", before: byHand + test, has: both("Live", "Test"), want: "|a-111111111111||",
			then: `---
# ours
# Payments run here.
kind: target # of AWS
name: a-111111111111
type: account
label: 'Payments' # what people call it
settings: {account_id: "111111111111", note: by hand}
offered: false
found: {strategy: main, label: Live, settings: {account_id: "111111111111"}}
# to the end
` + test,
		},
		{
			name: "LabelTakenOut", before: strings.Replace(prod, "label: Production\nsettings", "settings", 1), has: both("Live", "")[:1], want: "|a-111111111111||",
			then: strings.Replace(strings.Replace(prod, "label: Production\nsettings", "settings", 1), "Production", "Live", 1),
		},
		{
			name: "NamedByHand", before: strings.Replace(prod, "name: a-111111111111", "name: payments", 1), has: both("Production", "")[:1], want: "|||",
			then: strings.Replace(prod, "name: a-111111111111", "name: payments", 1),
		},
		{ // whoever takes found out has made the document their own
			name: "Own", before: strings.Split(prod, "found:")[0] + test, then: strings.Split(prod, "found:")[0] + test, has: both("Live", "Test"), want: "|||",
		},
		{name: "OwnAndGone", before: strings.Split(prod, "found:")[0] + test, then: strings.Split(prod, "found:")[0] + test, has: both("Live", "Test")[1:], want: "|||"},
		{
			name: "OfAnotherStrategy", before: strings.Replace(prod, "main", "other", 1) + test, then: strings.Replace(prod, "main", "other", 1) + test,
			has: both("Live", "Test")[1:], want: "|||",
		},
		{
			name: "Elsewhere", before: test, then: test, has: both("Production", "Test"), want: "|||",
			edit: func(in *discovery.Input) {
				in.Elsewhere = []flow.Target{{Name: "by-hand", Type: "account", Settings: map[string]string{"account_id": "111111111111", "more": "x"}}}
			},
		},
		{
			name: "Bound", then: head + strings.Replace(prod, "found:", "field_bindings:\n  - role\nfound:", 1), want: "a-111111111111|||",
			has: func() []flow.Target {
				list := both("Production", "")[:1]
				list[0].FieldBindings = []string{"role"}
				return list
			}(),
		},
		{ // a group of IAM is known by its id, and named in the settings
			name: "SettingFollows", before: prod, has: found("a-111111111111", "Production", "999"), want: "|a-111111111111||",
			then: strings.ReplaceAll(prod, "account_id: \"111111111111\"", "account_id: \"999\""),
		},
		{
			name: "SettingByHand", before: strings.Replace(prod, "\"111111111111\"", "mine", 1), has: found("a-111111111111", "Production", "999"), want: "|a-111111111111||",
			then: strings.Replace(strings.Replace(prod, "\"111111111111\"", "mine", 1), "\"111111111111\"", "\"999\"", 1),
		},
		{
			name: "SettingTakenOut", before: strings.Replace(prod, "settings:\n  account_id: \"111111111111\"\n", "field_bindings: [account_id]\n", 1), has: found("a-111111111111", "Production", "999"), want: "|a-111111111111||",
			then: strings.Replace(strings.Replace(prod, "settings:\n  account_id: \"111111111111\"\n", "field_bindings: [account_id]\n", 1), "\"111111111111\"", "\"999\"", 1),
		},
		{
			name: "FoundWithoutSettings", before: strings.Replace(prod, "  settings: {account_id: \"111111111111\"}\n", "", 1), then: prod, has: both("Production", "")[:1], want: "|||",
		},
		{
			name: "LongLabel", then: head + strings.ReplaceAll(prod, "Production", strings.Repeat("x", flow.MaxOption-1)+"…"), want: "a-111111111111|||",
			has: both(strings.Repeat("x", 100), "")[:1],
		},
		{
			// A label that YAML would read as something else.
			name: "Quoted", then: head + strings.ReplaceAll(prod, "Production", "'yes: #1'"), has: both("yes: #1", "")[:1], want: "a-111111111111|||",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var edits []func(*discovery.Input)
			if tc.edit != nil {
				edits = append(edits, tc.edit)
			}
			got, changes := update(t, tc.before, tc.has, edits...)
			if diff := cmp.Diff(tc.then, got); diff != "" {
				t.Errorf("the file (-want +got):\n%s", diff)
			}
			if said := names(changes.Added) + "|" + names(changes.Renamed) + "|" + names(changes.Gone) + "|" + names(changes.Back); said != tc.want {
				t.Errorf("changes %q, want %q", said, tc.want)
			}
		})
	}
}

// TestUpdate_Kept: people are told of a new name though the label here stays.
func TestUpdate_Kept(t *testing.T) {
	t.Parallel()
	_, changes := update(t, strings.Replace(prod, "label: Production\nsettings", "label: Payments\nsettings", 1), both("Live", "")[:1])
	want := []discovery.Change{{Name: "a-111111111111", Label: "Live", Was: "Production", Kept: true}}
	if diff := cmp.Diff(want, changes.Renamed); diff != "" {
		t.Error(diff)
	}
}

// TestUpdate_Elsewhere: what another file has is counted, and not added.
func TestUpdate_Elsewhere(t *testing.T) {
	t.Parallel()
	theirs := both("Production", "Test")
	theirs[0].Name = "by-hand"
	got, changes := update(t, "", both("Production", "Test"), func(in *discovery.Input) { in.Elsewhere = theirs })
	if got != "" || changes.Elsewhere != 2 || changes.Present != 2 {
		t.Errorf("%+v\n%s", changes, got)
	}
}

// TestUpdate_Taken: a name that another file uses for something else is told of.
func TestUpdate_Taken(t *testing.T) {
	t.Parallel()
	got, changes := update(t, "", both("Production", "Test"), func(in *discovery.Input) {
		in.Elsewhere = []flow.Target{{Name: "A-111111111111", Type: "account", Settings: map[string]string{"account_id": "333333333333"}}}
	})
	if got != head+test || names(changes.Taken) != "a-111111111111" {
		t.Errorf("%+v\n%s", changes, got)
	}
}

func TestUpdate_Refused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		file string
		has  []flow.Target
		want string
	}{
		"NoYAML":      {head + "---\nkind: [target\n", both("", ""), "the document that begins on line 9 is not YAML"},
		"TwoInOne":    {"kind: target\n...\nkind: target\n", both("", ""), "separate documents by a line ---"},
		"NothingLeft": {prod, nil, "nothing was found"},
		"TwoOfAName":  {"", append(both("", ""), both("", "")...), "two targets of type account"},
		"NoName":      {"", found("a 1", "", ""), "is no name"},
	} {
		in := discovery.Input{Strategy: "main", Types: []string{"account"}, Found: tc.has, Now: today}
		out, changes, err := discovery.Update([]byte(tc.file), in)
		if out != nil || !changes.None() || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %q, %+v, %v; want %q", name, out, changes, err, tc.want)
		}
	}
	for _, file := range []string{"", strings.Split(prod, "found:")[0]} {
		if out, _, err := discovery.Update([]byte(file), discovery.Input{Strategy: "main", Types: []string{"account"}, Now: today}); err != nil || string(out) != file {
			t.Errorf("nothing found, and nothing was there: %q, %v", out, err)
		}
	}
}

// TestUpdate_AnyOrder: whatever happens at the system, and in whichever order it
// is looked at, the file ends as the system is, and no document is lost.
func TestUpdate_AnyOrder(t *testing.T) {
	t.Parallel()
	file, ever := "", map[string]bool{}
	for step := range 200 {
		var has []flow.Target
		for i := range 6 {
			if (step*7+i*i*3)%5 < 3 || i == step%6 {
				id := strings.Repeat(string(rune('1'+i)), 12)
				has = append(has, found("a-"+id, "label "+string(rune('a'+(step/3+i)%4)), id)...)
				ever["a-"+id] = true
			}
		}
		var changes discovery.Changes
		file, changes = update(t, file, has)
		for _, target := range has {
			part := file[strings.Index(file, "name: "+target.Name+"\n"):]
			part, _, _ = strings.Cut(part, "---")
			if strings.Count(part, "label: "+target.Label+"\n") != 2 || strings.Contains(part, "gone:") {
				t.Fatalf("step %d: %s is not as it is at the system:\n%s", step, target.Name, part)
			}
		}
		if n := strings.Count(file, "gone:"); n != len(ever)-len(has) || strings.Count(file, "kind: target\n") != len(ever) {
			t.Fatalf("step %d: %d are gone of %d, and there are %d: %+v\n%s", step, n, len(ever), len(has), changes, file)
		}
	}
}

// TestUpdate_Many: an organisation of ten thousand targets takes as many steps, not
// a hundred million.
func TestUpdate_Many(t *testing.T) {
	t.Parallel()
	var has []flow.Target
	for i := range 10_000 {
		id := fmt.Sprintf("%012d", i)
		has = append(has, found("a-"+id, "Account "+id, id)...)
	}
	file, changes := update(t, "", has)
	if len(changes.Added) != len(has) {
		t.Fatalf("%d were added", len(changes.Added))
	}
	has[5000].Label = "Production"
	if _, changes = update(t, file, has[1:]); names(changes.Gone) != "a-000000000000" || names(changes.Renamed) != "a-000000005000" {
		t.Errorf("gone %q, renamed %q", names(changes.Gone), names(changes.Renamed))
	}
}
