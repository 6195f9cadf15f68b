package flow

import (
	"fmt"
	"strings"
)

// DidYouMean writes a suggestion to put behind a name that is none of the
// candidates. It returns "" if none of them is near.
func DidYouMean(s string, candidates []string) string {
	if c := Closest(s, candidates); c != "" {
		return fmt.Sprintf(" (did you mean %q?)", c)
	}
	return ""
}

// Closest finds the candidate that was probably meant, in letters of either case.
// It returns "" if none is near.
func Closest(s string, candidates []string) string {
	s = strings.ToLower(strings.TrimPrefix(s, "sym_")) // Terraform's prefix
	best, least := "", max(1, len(s)/3)
	for _, c := range candidates {
		if len(c) > len(s)+least || len(s) > len(c)+least {
			continue
		}
		if d := distance(s, strings.ToLower(c)); d <= least && (best == "" || d < least) {
			best, least = c, d
		}
	}
	return best
}

// distance counts the letters to add, drop, change, or swap with the next one,
// to get from a to b (optimal string alignment).
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, prev, row := rows[(i-1)%3], rows[i%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}
