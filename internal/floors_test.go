package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/symflows/symflows/"

// table matches a row of README's table of the house: the floor, and the cell
// that lists its packages.
var table = regexp.MustCompile(`(?m)^\| (\d+) \| ([^|]+) \|`)

// readFloors reads from README on which floor each package lives. Packages below
// internal/ are listed without it, alternatives stand in braces, and
// `strategy/<system>` stands for every package in strategy/.
func readFloors(t *testing.T) map[string]int {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	floors := map[string]int{}
	for _, row := range table.FindAllStringSubmatch(string(readme), -1) {
		floor, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, quoted := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[2], -1) {
			for _, pkg := range alternatives(quoted[1]) {
				if top, _, _ := strings.Cut(pkg, "/"); !slices.Contains([]string{"events", "flows", "functions", "infra", "internal"}, top) {
					pkg = "internal/" + pkg
				}
				if known, ok := floors[pkg]; ok {
					t.Errorf("README.md has %s on floors %d and %d", pkg, known, floor)
				}
				floors[pkg] = floor
			}
		}
	}
	return floors
}

// alternatives writes out "store/{dynamo,sqlite}" as two names.
func alternatives(name string) []string {
	before, rest, found := strings.Cut(name, "{")
	if !found {
		return []string{strings.TrimSuffix(name, "/")}
	}
	inner, after, _ := strings.Cut(rest, "}")
	var names []string
	for alternative := range strings.SplitSeq(inner, ",") {
		names = append(names, before+alternative+after)
	}
	return names
}

// purest is the highest floor that uses the standard library only.
const purest = 3

// floorOf gives the floor of a package, and the row's name that placed it: the
// longest one that it is, or lies below; of two, the one that is more exact, which
// has fewer parts that stand for any.
func floorOf(floors map[string]int, pkg string) (floor int, by string) {
	floor = -1
	for name, f := range floors {
		longer := strings.Count(name, "/") - strings.Count(by, "/")
		exacter := strings.Count(by, "<") - strings.Count(name, "<")
		if within(pkg, name) && (by == "" || longer > 0 || longer == 0 && exacter > 0) {
			by, floor = name, f
		}
	}
	return floor, by
}

// within tells whether a package is what a row's name stands for, or lies below.
func within(pkg, name string) bool {
	have, want := strings.Split(pkg, "/"), strings.Split(name, "/")
	if len(have) < len(want) {
		return false
	}
	for i, part := range want {
		if part != have[i] && !strings.HasPrefix(part, "<") {
			return false
		}
	}
	return true
}

func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	floors := readFloors(t)
	placed := map[string]bool{}
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
		floor, by := floorOf(floors, name)
		placed[by] = true
		if by == "" {
			t.Errorf("%s lives on no floor: give it one in README.md's table of the house", name)
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
			if f, _ := floorOf(floors, below); f >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports go down only", name, floor, below, f)
			}
		}
	}
	for name := range floors {
		if !placed[name] {
			t.Errorf("README.md's table of the house has %s, where no package lives", name)
		}
	}
	if seen < 5 {
		t.Fatalf("only %d packages were looked at", seen)
	}
}
