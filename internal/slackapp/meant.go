package slackapp

import (
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// meant finds which of several things somebody means, by the names that each has:
// those with that name; else those with a name that begins so; else those with all
// of its words in a name, in any order; else those with a name that is near. Case
// and accents don't matter. sure: no other was named or begun so.
func meant(typed string, things [][]string) (found []int, sure bool) {
	if typed = fold(typed); typed == "" {
		return nil, false
	}
	folded := make([][]string, len(things))
	for i, names := range things {
		for _, name := range names {
			folded[i] = append(folded[i], fold(name))
		}
	}
	nearest := flow.Closest(typed, slices.Concat(folded...))
	for i, is := range []func(name string) bool{
		func(name string) bool { return name == typed },
		func(name string) bool { return strings.HasPrefix(name, typed) },
		func(name string) bool { return hasWords(name, typed, strings.Contains) },
		func(name string) bool { return name == nearest && nearest != "" },
		func(name string) bool { return hasWords(name, typed, near) },
	} {
		for at, names := range folded {
			if slices.ContainsFunc(names, is) {
				found = append(found, at)
			}
		}
		if len(found) > 0 {
			return found, i < 2 && len(found) == 1
		}
	}
	return nil, false
}

// hasWords tells whether each typed word is one of the name's, as is tells.
func hasWords(name, typed string, is func(word, typed string) bool) bool {
	words := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune(" -_./:,()", r) })
	for _, t := range strings.Fields(typed) {
		if !slices.ContainsFunc(words, func(w string) bool { return is(w, t) }) {
			return false
		}
	}
	return true
}

// near tells whether a word may be a misspelt one.
func near(word, typed string) bool {
	return strings.Contains(word, typed) || len(typed) > 2 && flow.Closest(typed, []string{word}) != ""
}
