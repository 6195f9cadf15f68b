package internal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	linkPattern    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingPattern = regexp.MustCompile(`(?m)^#+ (.+)$`)
	// pathPattern matches what guides name of this repository, as `internal/flow`.
	pathPattern = regexp.MustCompile("`((?:events|flows|functions|infra|internal)/[\\w./-]+)`")
)

// TestDocs follows the links of README, CONTRIBUTING and the guides to files and
// headings, and looks for the files that the first two name.
func TestDocs(t *testing.T) {
	t.Parallel()
	const root = ".."
	guides, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	houses := []string{filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md")}
	seen := 0
	for _, page := range slices.Concat(houses, guides) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range linkPattern.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			seen++
			file, heading, _ := strings.Cut(link[1], "#")
			to := page
			if file != "" {
				to = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", page, link[1])
			} else if heading != "" && !slices.Contains(headings(t, to), heading) {
				t.Errorf("%s links to %s, where there is no such heading", page, link[1])
			}
		}
		if !slices.Contains(houses, page) {
			continue
		}
		for _, path := range pathPattern.FindAllStringSubmatch(string(text), -1) {
			seen++
			if _, err := os.Stat(filepath.Join(root, path[1])); err != nil {
				t.Errorf("%s names %s, which is not there", page, path[1])
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d links and paths were looked at", seen)
	}
}

// TestExamplesAreListed: who looks for an example finds all of them.
func TestExamplesAreListed(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("../docs/examples/README.md")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("../docs/examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if link := "(" + e.Name() + "/README.md)"; e.IsDir() && !strings.Contains(string(list), link) {
			t.Errorf("docs/examples/README.md does not link to %s", link)
		}
	}
}

// mapped are the packages whose comment says what each of their files is for.
var mapped = []string{"app", "app/core", "flow", "slackapp", "strategy", "workflow"}

// filePattern matches a file's name in a package comment.
var filePattern = regexp.MustCompile(`(?:^|[^\w/.-])([a-z]\w*\.go)\b`)

// TestPackageComments holds that package comments name files that are there, and
// those of mapped packages all of them.
func TestPackageComments(t *testing.T) {
	t.Parallel()
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "doc.go" {
			return err
		}
		seen++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.go"))
		if err != nil {
			return err
		}
		var there, named []string
		for _, file := range files {
			there = append(there, filepath.Base(file))
		}
		for _, name := range filePattern.FindAllStringSubmatch(string(text), -1) {
			named = append(named, name[1])
			if !slices.Contains(there, name[1]) {
				t.Errorf("%s speaks of %s, which is not there", path, name[1])
			}
		}
		if !slices.Contains(mapped, filepath.ToSlash(filepath.Dir(path))) {
			return nil
		}
		for _, name := range there {
			if name != "doc.go" && !strings.HasSuffix(name, "_test.go") && !slices.Contains(named, name) {
				t.Errorf("%s does not speak of %s", path, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Errorf("only %d package comments were looked at", seen)
	}
}

// headings gives the anchors of a page's headings, as GitHub makes them.
func headings(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var anchors []string
	for _, h := range headingPattern.FindAllStringSubmatch(string(text), -1) {
		anchor := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(h[1]), "")
		anchors = append(anchors, strings.ReplaceAll(anchor, " ", "-"))
	}
	return anchors
}
