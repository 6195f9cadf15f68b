package flow

import (
	"regexp"
	"sync"
)

// lazily compiles a pattern when it is first used: the larger ones take their
// time, and most functions that are started need none of them.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
