package flow

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tc := range []struct {
		in   string
		want time.Duration // 0: an error
	}{
		{"1s", time.Second}, {"30m", 30 * time.Minute}, {"1h", time.Hour}, {"2d", 2 * day}, {"1mo", 30 * day},
		{"007s", 7 * time.Second}, {"90m", 90 * time.Minute}, {"3558mo", 3558 * 30 * day},
		{"3559mo", 0}, {"999999999mo", 0}, {"1000000000s", 0},
		{"", 0}, {"0s", 0}, {"0mo", 0}, {"30", 0}, {"m", 0}, {"-1h", 0}, {"+1h", 0}, {"1.5h", 0}, {"1 h", 0}, {" 1h", 0},
		{"1h\n", 0}, {"1H", 0}, {"1h30m", 0}, {"1w", 0}, {"1y", 0}, {"１h", 0},
	} {
		got, err := ParseDuration(tc.in)
		if got != tc.want || (err == nil) != (tc.want > 0) {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", tc.in, got, err, tc.want)
		}
		if err != nil && CodeOf(err) != CodeInvalid {
			t.Errorf("ParseDuration(%q): code %s", tc.in, CodeOf(err))
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   time.Duration
		want string
	}{
		{-time.Hour, "no time"}, {0, "no time"}, {999 * time.Millisecond, "no time"},
		{time.Second, "1 second"}, {1500 * time.Millisecond, "1 second"}, {30 * time.Second, "30 seconds"},
		{time.Minute, "1 minute"}, {90 * time.Minute, "1 hour 30 minutes"}, {26 * time.Hour, "1 day 2 hours"},
		{31 * 24 * time.Hour, "1 month 1 day"}, {60 * 24 * time.Hour, "2 months"},
	} {
		if got := Words(tc.in); got != tc.want {
			t.Errorf("Words(%v) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

// What ParseDuration reads, Words says in full: reading the words back gives
// the same duration.
func TestWords_SayWhatWasParsed(t *testing.T) {
	t.Parallel()
	suffix := map[string]string{"second": "s", "minute": "m", "hour": "h", "day": "d", "month": "mo"}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3558).Draw(t, "n")
		unit := rapid.SampledFrom([]string{"s", "m", "h", "d", "mo"}).Draw(t, "unit")
		d, err := ParseDuration(strconv.Itoa(n) + unit)
		if err != nil {
			t.Fatal(err)
		}
		var sum time.Duration
		words := strings.Fields(Words(d))
		for i := 0; i+1 < len(words); i += 2 {
			part, err := ParseDuration(words[i] + suffix[strings.TrimSuffix(words[i+1], "s")])
			if err != nil {
				t.Fatalf("%q: %v", words, err)
			}
			sum += part
		}
		if sum != d {
			t.Fatalf("%v became %q", d, Words(d))
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"30s", "1mo", "0h", "999999999mo", "1h30m", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if (err == nil) != (d > 0) || d%time.Second != 0 {
			t.Errorf("ParseDuration(%q) = %v, %v", s, d, err)
		}
	})
}
