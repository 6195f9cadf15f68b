package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/symflows/symflows/"

// floors says on which floor of the house a package lives. The longest prefix
// counts. Imports go down only, and never stay on the same floor: adapters
// know nothing of each other.
var floors = map[string]int{
	"events":                           0,
	"internal/config":                  0,
	"internal/flow":                    1,
	"internal/store":                   2, // ports, and the typed layer over one
	"internal/runner":                  2,
	"internal/strategy":                2,
	"internal/workflow":                3, // use cases
	"internal/store/storetest":         4, // suites of ports
	"internal/strategy/strategytest":   4,
	"internal/store/":                  4, // adapters
	"internal/runner/":                 4,
	"internal/strategy/":               4,
	"internal/sdk":                     4,
	"internal/services":                4,
	"internal/lambdahost":              4,
	"internal/lambdaclient":            4,
	"internal/schedule":                4,
	"internal/firehoselog":             4,
	"internal/auditqueue":              4,
	"internal/redrive":                 4,
	"internal/secrets":                 4,
	"internal/awstest":                 4, // fakes for tests of adapters
	"internal/slackapp":                4,
	"internal/slacksim":                4,
	"internal/api":                     4,
	"internal/audit":                   4,
	"internal/catalog":                 4,
	"internal/store/dynamo/dynamotest": 5, // makes the table that the adapter describes
	"internal/strategy/builtin":        5, // wiring
	"internal/app/core":                5,
	"internal/app":                     6,
	"functions":                        7, // entry points
	"infra":                            7,
	"flows/functions":                  7, // samples: customers' code
}

// purest is the highest floor that uses the standard library only.
const purest = 3

func floorOf(pkg string) (int, bool) {
	best, floor := "", -1
	for prefix, f := range floors {
		in := pkg == prefix || strings.HasPrefix(pkg, strings.TrimSuffix(prefix, "/")+"/")
		if strings.HasSuffix(prefix, "/") {
			in = strings.HasPrefix(pkg, prefix)
		}
		if in && len(prefix) > len(best) {
			best, floor = prefix, f
		}
	}
	return floor, floor >= 0
}

func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(pkg.ImportPath, module)
		if name == "internal" {
			continue // this test
		}
		seen++
		floor, ok := floorOf(name)
		if !ok {
			t.Errorf("%s lives on no floor: give it one here and in README.md", name)
			continue
		}
		for _, imported := range pkg.Imports {
			below, ours := strings.CutPrefix(imported, module)
			if !ours {
				if first, _, _ := strings.Cut(imported, "/"); floor <= purest && strings.Contains(first, ".") {
					t.Errorf("%s imports %s: floors up to %d use the standard library only", name, imported, purest)
				}
				continue
			}
			if f, _ := floorOf(below); f >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports go down only", name, floor, below, f)
			}
		}
	}
	if seen < 5 {
		t.Fatalf("only %d packages were looked at", seen)
	}
}
