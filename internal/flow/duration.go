package flow

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/pattern"
)

var durationPattern = pattern.Of(`^(\d{1,9})(s|m|h|d|mo)$`)

// units are Sym's suffixes; a month is 30 days.
var units = []struct {
	suffix string
	name   string
	length time.Duration
}{
	{"mo", "month", 30 * 24 * time.Hour},
	{"d", "day", 24 * time.Hour},
	{"h", "hour", time.Hour},
	{"m", "minute", time.Minute},
	{"s", "second", time.Second},
}

// ParseDuration reads a duration as configurations write it: a whole number
// and one of the suffixes s, m, h, d, mo (30 days).
func ParseDuration(s string) (time.Duration, error) {
	m := durationPattern.FindStringSubmatch(s)
	if m == nil {
		return 0, Errorf(CodeInvalid, "%q is not a duration: write a whole number and s, m, h, d or mo (30 days), such as 30m", Clip(s, 40))
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n == 0 {
		return 0, Errorf(CodeInvalid, "%q is not a duration: it must be more than nothing", s)
	}
	for _, u := range units {
		if u.suffix == m[2] {
			if n > int64(math.MaxInt64/u.length) {
				return 0, Errorf(CodeInvalid, "%q is too long a duration", s)
			}
			return time.Duration(n) * u.length, nil
		}
	}
	panic("unreachable: the pattern has a suffix that units lacks")
}

func isUnit(s string) bool {
	for _, u := range units {
		if u.suffix == s {
			return true
		}
	}
	return false
}

// Words writes a duration for people: "30 minutes", "1 day 2 hours".
func Words(d time.Duration) string {
	if d < time.Second {
		return "no time"
	}
	var parts []string
	for _, u := range units {
		if n := d / u.length; n > 0 {
			d -= n * u.length
			s := fmt.Sprintf("%d %s", n, u.name)
			if n > 1 {
				s += "s"
			}
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}
