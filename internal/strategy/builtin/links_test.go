package builtin_test

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestClientsAreLinkedWhereTheyGrant: clients of strategies, and what they bring
// along, are in the programs that grant or compare, and in no other.
func TestClientsAreLinkedWhereTheyGrant(t *testing.T) {
	t.Parallel()
	const module = "github.com/symflows/symflows/"
	reaching := []string{"functions/access", "functions/drift", "functions/local"}
	list := func(format string, packages ...string) []string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-f", format}, packages...)...)
		cmd.Dir = "../../.."
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.Split(strings.TrimSpace(string(out)), "\n")
	}
	clients := list("{{.ImportPath}}", "./internal/strategy/.../client", "./internal/strategy/builtin/clients")
	if len(clients) < 4 {
		t.Fatalf("there are only %q", clients)
	}
	var fakes []string
	for _, pkg := range list("{{.ImportPath}}", "./internal/strategy/...") {
		system, below := path.Split(pkg)
		system = path.Clean(system)
		switch {
		case path.Dir(system) != module+"internal/strategy" || below == "client" || below == "clients":
		case below == path.Base(system)+"fake":
			fakes = append(fakes, pkg)
		default:
			t.Errorf("%s: what lies below a system is its client, or its fake for tests, and is called so", pkg)
		}
	}
	seen := 0
	for _, line := range list(`{{if eq .Name "main"}}{{.ImportPath}} {{join .Deps " "}}{{end}}`, "./functions/...", "./infra") {
		program, deps, _ := strings.Cut(line, " ")
		if program == "" {
			continue
		}
		seen++
		program = strings.TrimPrefix(program, module)
		for _, fake := range fakes {
			if slices.Contains(strings.Fields(deps), fake) {
				t.Errorf("%s links %s, which is for tests", program, strings.TrimPrefix(fake, module))
			}
		}
		for _, client := range clients {
			linked := slices.Contains(strings.Fields(deps), client)
			if want := slices.Contains(reaching, program); linked != want {
				t.Errorf("%s links %s: %t, want %t", program, strings.TrimPrefix(client, module), linked, want)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d programs were looked at", seen)
	}
}
