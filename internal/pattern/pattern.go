// Package pattern has regular expressions that are compiled when they are first used.
// A function in AWS starts for one event, which needs few of the hundred that the
// product has: to compile all of them took a tenth of its start.
package pattern

import (
	"regexp"
	"sync"
)

// Pattern is a regular expression. Its methods are those of [regexp.Regexp], and may be
// called by several goroutines at once.
type Pattern struct{ compiled func() *regexp.Regexp }

// Of gives the pattern that text is, which has to be correct: its first use panics if it
// is not. A test compiles all that are in the source.
func Of(text string) Pattern {
	return Pattern{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })}
}

// MatchString tells whether s has a match.
func (p Pattern) MatchString(s string) bool { return p.compiled().MatchString(s) }

// FindString gives the first match in s, or "".
func (p Pattern) FindString(s string) string { return p.compiled().FindString(s) }

// FindStringSubmatch gives the first match in s and its groups, or nil.
func (p Pattern) FindStringSubmatch(s string) []string { return p.compiled().FindStringSubmatch(s) }

// FindAllStringSubmatch gives the first n matches in s and their groups, or all if n is
// negative.
func (p Pattern) FindAllStringSubmatch(s string, n int) [][]string {
	return p.compiled().FindAllStringSubmatch(s, n)
}

// ReplaceAllString replaces all matches in s by replacement, in which $1 stands for the
// first group.
func (p Pattern) ReplaceAllString(s, replacement string) string {
	return p.compiled().ReplaceAllString(s, replacement)
}

// ReplaceAll is ReplaceAllString for bytes.
func (p Pattern) ReplaceAll(b, replacement []byte) []byte {
	return p.compiled().ReplaceAll(b, replacement)
}

// ReplaceAllStringFunc replaces each match in s by what replace makes of it.
func (p Pattern) ReplaceAllStringFunc(s string, replace func(string) string) string {
	return p.compiled().ReplaceAllStringFunc(s, replace)
}
