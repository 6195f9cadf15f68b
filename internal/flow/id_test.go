package flow

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The vector is that of RFC 9562, appendix A.4.
func TestUUID5(t *testing.T) {
	t.Parallel()
	if got, want := format(uuid5(namespaceDNS, "www.example.com")), "2ed6657d-e927-568b-95e1-2665a8aea6a2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNamedIDs(t *testing.T) {
	t.Parallel()
	a := UserID("acme", "alice@example.com")
	if a != UserID("ACME", "Alice@Example.com") {
		t.Error("the case of letters makes a difference")
	}
	for name, other := range map[string]string{
		"another user": UserID("acme", "bob@example.com"), "another org": UserID("other", "alice@example.com"),
		"a target of that name": TargetID("acme", "alice@example.com"),
	} {
		if a == other {
			t.Errorf("%s has the same id", name)
		}
	}
}

func TestRunIDs(t *testing.T) {
	t.Parallel()
	if a, b := NewRunID(), NewRunID(); a == b {
		t.Error("run ids repeat")
	}
	fixed := RunIDFrom("acme", "api", "token", "key")
	if fixed != RunIDFrom("acme", "api", "token", "key") {
		t.Error("the same cause gives another run")
	}
	for name, other := range map[string]string{
		"another key": RunIDFrom("acme", "api", "token", "key2"), "another token": RunIDFrom("acme", "api", "token2", "key"),
		"another org": RunIDFrom("other", "api", "token", "key"), "other parts": RunIDFrom("acme", "api", "tokenkey"),
		"parts cut elsewhere": RunIDFrom("acme", "api", "tok", "enkey"),
	} {
		if fixed == other {
			t.Errorf("%s gives the same run", name)
		}
	}
	for _, id := range []string{NewRunID(), fixed} {
		if err := CheckRunID(id); err != nil {
			t.Error(err)
		}
	}
}

func TestCheckRunID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "x", runID[:35], runID + "0", EventID(runID, 1), "6f1c1f9e58a44c0a9a3e0c5d8d1a0000", runID + "\n"} {
		if err := CheckRunID(id); CodeOf(err) != CodeUnknownRun {
			t.Errorf("CheckRunID(%q) = %v", id, err)
		}
	}
}

func TestEventIDs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 0xffff).Draw(t, "n")
		id := EventID(runID, n)
		if id == runID || id == EventID(runID, n%0xffff+1) {
			t.Fatalf("event %d has the id of another", n)
		}
		for _, s := range []string{id, strings.ToUpper(id)} {
			if run, err := RunOf(s); err != nil || run != runID {
				t.Fatalf("RunOf(%q) = %q, %v", s, run, err)
			}
		}
	})
	for _, id := range []string{"", "x", runID + "0"} {
		if _, err := RunOf(id); CodeOf(err) != CodeUnknownEvent {
			t.Errorf("RunOf(%q) = %v", id, err)
		}
	}
}

func TestShortID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"00000000-0000-4000-8000-000000000000": "0000-0000", "ffffffff-ffff-4fff-8fff-ffffffff0000": "ZZZZ-ZZZZ",
		"1a2b3c4d-5e6f-4000-8000-000000000000": "38NK-RKAY", "1a2b": "1a2b", "": "",
	} {
		if got := ShortID(id); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	for typed, want := range map[string]string{
		"38NK-RKAY": "1a2b3c4d-5e", "38nkrkay": "1a2b3c4d-5e", " 38nk rkay ": "1a2b3c4d-5e", "oOiI-lL00": mustOf(t, "0011-1100"),
		"38NK-RKA": "", "38NK-RKAYY": "", "38NK-RKAU": "", "38NK-RKAÄ": "", "": "", "<!here>xx": "",
	} {
		got, ok := OfShortID(typed)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q %t, want %q", typed, got, ok, want)
		}
	}
	for range 1000 {
		id := NewRunID()
		if prefix, ok := OfShortID(ShortID(id)); !ok || !strings.HasPrefix(id, prefix) {
			t.Fatalf("%s: %s", id, prefix)
		}
	}
}

func mustOf(t *testing.T, short string) string {
	prefix, ok := OfShortID(short)
	if !ok {
		t.Fatal(short)
	}
	return prefix
}

// TestIDIn: ids that were given stay, and others follow from the name.
func TestIDIn(t *testing.T) {
	t.Parallel()
	given := EntityID("acme", "target", "orders", "okta_group")
	strategy := Strategy{Name: "s", Targets: []Target{{Name: "a"}, {Name: "orders", ID: given}}}
	if got, ok := strategy.Target("acme", given); !ok || got.Name != "orders" || got.IDIn("acme") != given {
		t.Errorf("%s finds %+v", given, got)
	}
	if _, ok := strategy.Target("acme", TargetID("acme", "orders")); ok {
		t.Error("a target has two ids")
	}
	if got, ok := strategy.Target("acme", TargetID("acme", "A")); !ok || got.Name != "a" {
		t.Errorf("the id that follows from a name finds %+v", got)
	}
}
