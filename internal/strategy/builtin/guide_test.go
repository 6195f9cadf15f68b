package builtin_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

var update = flag.Bool("update", false, "write what types declare into docs/strategies.md, as make docs does")

// What is between these lines of docs/strategies.md is written by this test.
const (
	generated = "<!-- make docs writes the tables from here, out of what the types declare … -->\n"
	written   = "<!-- … to here. -->\n"
)

// TestGuide: the guide lists the types of strategies and all their settings, as
// they are declared.
func TestGuide(t *testing.T) {
	t.Parallel()
	const path = "../../../docs/strategies.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, began := strings.Cut(string(text), generated)
	there, after, ended := strings.Cut(rest, written)
	if !began || !ended {
		t.Fatalf("%s has no lines %q and %q", path, generated, written)
	}
	want := tables(builtin.Types())
	if *update {
		if err := os.WriteFile(path, []byte(before+generated+want+written+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if there != want {
		t.Errorf("%s is not up to date: run make docs. It should say\n%s", path, want)
	}
}

// TestReadme: the first page names each system that is read back.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n## ")
	for name, typ := range builtin.Types() {
		if system, _, found := strings.Cut(typ.About, ":"); typ.Observes && (!found || !strings.Contains(first, system)) {
			t.Errorf("README.md does not begin with what %s is about, %q", name, typ.About)
		}
	}
}

// tables writes what the guide says of types.
func tables(types map[string]strategy.Type) string {
	var b strings.Builder
	fmt.Fprint(&b, "\n| type | what it calls | integration | types of targets |\n| --- | --- | --- | --- |\n")
	names := slices.Sorted(maps.Keys(types))
	for _, name := range names {
		typ := types[name]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, typ.About, integration(typ.Integration), quoted(typ.TargetNames()))
	}
	fmt.Fprint(&b, "\n| target | observed? | what was there before? | native expiry | sessions linger | limiter |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, name := range names {
		for _, target := range types[name].Targets {
			habits(&b, types[name], target)
		}
	}
	fmt.Fprint(&b, "\n| integration | signs in as, the best way first | secret that is kept | why |\n| --- | --- | --- | --- |\n")
	signedIn := map[string]bool{}
	for _, name := range names {
		if i := types[name].Integration; !signedIn[quoted(i.Types)] {
			signedIn[quoted(i.Types)] = true // strategies share them
			signIns(&b, i)
		}
	}
	fmt.Fprint(&b, "\n| settings of | setting | meaning |\n| --- | --- | --- |\n")
	integrations := map[string]bool{}
	for _, name := range names {
		typ := types[name]
		rows(&b, "strategy `"+name+"`", typ.Settings)
		for _, target := range typ.Targets {
			rows(&b, "target `"+target.Name+"`", target.Settings)
		}
		if of := "integration " + quoted(typ.Integration.Types); len(typ.Integration.Settings) > 0 && !integrations[of] {
			integrations[of] = true // strategies share them
			rows(&b, of, strategy.Settings{Known: typ.Integration.Settings})
		}
	}
	fmt.Fprintln(&b)
	return b.String()
}

// habits says what a system does with access of a kind. Where customers' code is
// the system, it is up to that.
func habits(b *strings.Builder, t strategy.Type, target strategy.TargetType) {
	if !t.Observes {
		fmt.Fprintf(b, "| `%s` | no | your code's | your code's | your code's | your code's |\n", target.Name)
		return
	}
	h := target.Habits
	fmt.Fprintf(b, "| `%s` | yes | %s | %s | %s | %s |\n", target.Name, h.Before, h.Expiry, h.Lingers, h.Limit)
}

func signIns(b *strings.Builder, i strategy.Integration) {
	for _, s := range i.SignIns {
		secret := "none"
		if s.Secret != "" {
			secret = "`" + s.Secret + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", quoted(i.Types), s.By, secret, s.Why)
	}
}

// TestSignIns: each vendor's type says how it is signed in to, and of each secret
// that its integration keeps, why.
func TestSignIns(t *testing.T) {
	t.Parallel()
	for name, typ := range builtin.Types() {
		i := typ.Integration
		if i.Need == strategy.Required && len(i.SignIns) == 0 {
			t.Errorf("%s does not say how it is signed in to: set Integration.SignIns", name)
		}
		kept := map[string]bool{}
		for _, s := range i.SignIns {
			if s.By == "" || (s.Secret == "") != (s.Why == "") {
				t.Errorf("%s: %+v lacks how, or why the secret is kept", name, s)
			}
			kept[s.Secret] = true
		}
		for _, k := range i.Settings {
			if isSecret := strings.HasSuffix(k.Name, "_secret") || strings.HasSuffix(k.Name, "_secret_id"); isSecret != kept[k.Name] {
				t.Errorf("%s: the integration's %s names a secret: %t, which SignIns say is kept: %t", name, k.Name, isSecret, kept[k.Name])
			}
			delete(kept, k.Name)
		}
		delete(kept, "")
		for setting := range kept {
			t.Errorf("%s: SignIns speak of %s, which is no setting of the integration", name, setting)
		}
	}
}

// TestExpiry: the guide says that a system ends access by itself where grants are told
// when, and nowhere else.
func TestExpiry(t *testing.T) {
	t.Parallel()
	for name, typ := range builtin.Types() {
		for _, target := range typ.Targets {
			if says := typ.Observes && !strings.HasPrefix(target.Habits.Expiry, "no"); says != target.Expires {
				t.Errorf("%s: target %s expires: %t, and the guide's table says %q", name, target.Name, target.Expires, target.Habits.Expiry)
			}
		}
	}
}

func rows(b *strings.Builder, owner string, settings strategy.Settings) {
	for _, s := range settings.Known {
		about := s.About
		if s.Required {
			about += "; required"
		}
		if s.Bindable {
			about += "; may be bound to a field"
		}
		fmt.Fprintf(b, "| %s | `%s` | %s |\n", owner, s.Name, about)
	}
	if settings.Others != "" {
		fmt.Fprintf(b, "| %s | any other | %s |\n", owner, settings.Others)
	}
	if len(settings.Known) == 0 && settings.Others == "" {
		fmt.Fprintf(b, "| %s | none | |\n", owner)
	}
}

func integration(i strategy.Integration) string {
	if i.Need == strategy.None {
		return "none"
	}
	need := "required"
	if i.Need == strategy.Optional {
		need = "optional"
	}
	if len(i.Types) == 0 {
		return need + ", of any type"
	}
	return need + ", of type " + quoted(i.Types)
}

func quoted(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }
