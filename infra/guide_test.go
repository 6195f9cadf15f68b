package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestGuide_WritersOfRuns: docs/security.md names all functions that could write
// an approved run, and no others.
func TestGuide_WritersOfRuns(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	rights, err := os.ReadFile("testdata/rights.txt")
	if err != nil {
		t.Fatal(err)
	}
	sentence := regexp.MustCompile(`\*\*The role of (.*)\.\*\* They write runs`).FindStringSubmatch(string(guide))
	if sentence == nil {
		t.Fatal("the guide does not say who writes runs")
	}
	var said, may []string
	for _, name := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(sentence[1], -1) {
		said = append(said, name[1])
	}
	for line := range strings.Lines(string(rights)) {
		role, right, _ := strings.Cut(line, "Role: ")
		if name := strings.ToLower(role); strings.HasPrefix(right, "dynamodb:PutItem") && strings.Contains(right, "run#*") && !slices.Contains(may, name) {
			may = append(may, name)
		}
	}
	slices.Sort(said)
	slices.Sort(may)
	if len(may) == 0 || !slices.Equal(said, may) {
		t.Errorf("the guide names %v, and those that write runs are %v", said, may)
	}
}
