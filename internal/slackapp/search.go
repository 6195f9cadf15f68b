package slackapp

import (
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/symflows/symflows/internal/flow"
)

// fold writes a text as it is compared: without case and accents, with one space
// where there are several, or a line break.
func fold(s string) string {
	var out strings.Builder
	out.Grow(len(s))
	space, letters := false, letters()
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = out.Len() > 0
			continue
		}
		if space {
			out.WriteByte(' ')
			space = false
		}
		if int(r) < len(letters) {
			out.WriteString(letters[r])
		} else {
			out.WriteString(unaccented(r))
		}
	}
	return out.String()
}

// letters are the characters of most European languages, folded. They are taken
// apart once only: a picker of 10,000 names is folded while somebody types.
var letters = sync.OnceValue(func() []string {
	all := make([]string, 0x250)
	for r := range all {
		all[r] = unaccented(rune(r))
	}
	return all
})

// unaccented takes case and accents off a letter, and writes those that Unicode does
// not take apart as people without their keyboard do.
func unaccented(letter rune) string {
	var out strings.Builder
	for _, r := range norm.NFKD.String(string(letter)) {
		r = unicode.ToLower(r)
		switch {
		case unicode.Is(unicode.Mn, r): // an accent
		case plainLetters[r] != "":
			out.WriteString(plainLetters[r])
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

var plainLetters = map[rune]string{
	'ß': "ss", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'æ': "ae", 'œ': "oe", 'þ': "th", 'ı': "i", 'ħ': "h",
}

// best finds which folded names have each word that was typed, in any order: the
// best first, of equal ones as they came. Nothing typed finds all.
func best(names []string, typed string) []int {
	words := strings.Fields(fold(typed))
	type hit struct{ at, score int }
	hits := make([]hit, 0, len(names))
	for i, name := range names {
		if score, ok := fits(name, words); ok {
			hits = append(hits, hit{i, score})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return b.score - a.score })
	at := make([]int, len(hits))
	for i, h := range hits {
		at[i] = h.at
	}
	return at
}

// fits tells whether a folded name has all words, and how well: words that it is
// made of count most, then what words begin with, then what is inside of them; and
// what the name itself begins with counts more than what comes later.
func fits(name string, words []string) (score int, ok bool) {
	for i, w := range words {
		most := 0
		for from := 0; from < len(name); {
			at := strings.Index(name[from:], w)
			if at < 0 {
				break
			}
			at += from
			is := 1
			if at == 0 || !inWord(name[at-1]) {
				is = 2
				if end := at + len(w); end == len(name) || !inWord(name[end]) {
					is = 3
				}
			}
			most = max(most, is)
			from = at + 1
		}
		if most == 0 {
			return 0, false
		}
		score += 2 * most
		if i == 0 && strings.HasPrefix(name, w) {
			score++
		}
	}
	return score, true
}

// inWord tells whether a byte of folded text belongs to a word.
func inWord(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b >= 0x80
}

// targetNames keeps the folded names of the targets of flows that somebody chooses
// from, so that they are not made anew for each letter. Each process keeps its own.
type targetNames struct {
	mu    sync.Mutex
	known map[string][]string // by flow and version, which never changes
}

// maxNamed is how many versions of flows are kept.
const maxNamed = 50

func (n *targetNames) of(f *flow.Flow) []string {
	key := f.Name + ":" + f.Version
	n.mu.Lock()
	defer n.mu.Unlock()
	names, ok := n.known[key]
	if ok {
		return names
	}
	for _, t := range f.Strategy.Targets {
		names = append(names, fold(t.Label+" "+t.Name))
	}
	if n.known == nil || len(n.known) >= maxNamed {
		n.known = map[string][]string{}
	}
	n.known[key] = names
	return names
}
