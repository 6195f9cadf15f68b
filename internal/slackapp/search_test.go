package slackapp

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

func TestFold(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"Orders  Database\n": "orders database", "Über": "uber", "U\u0308BER": "uber", "Łódź": "lodz", "Straße": "strasse",
		"ﬁle": "file", "İstanbul": "istanbul", "Ørsted": "orsted", "日本": "日本", "": "",
	} {
		if got := fold(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestBest(t *testing.T) {
	t.Parallel()
	names := []string{}
	for _, name := range []string{"reorders archive", "billing orders", "orders", "ordersheet", "Órders database", "users"} {
		names = append(names, fold(name))
	}
	for typed, want := range map[string][]int{
		"orders":          {2, 4, 1, 3, 0}, // the name begins with the word; it is a word; a word begins so; inside
		"database orders": {4},
		"ÓRD":             {2, 3, 4, 1, 0},
		"rders arch":      {0},
		"":                {0, 1, 2, 3, 4, 5},
		"orders missing":  {},
	} {
		if got := best(names, typed); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", typed, got, want)
		}
	}
}

// accented are targets whose names are slow to compare.
func accented(n int) *flow.Flow {
	f := manyTargets(n)
	for i := range f.Strategy.Targets {
		f.Strategy.Targets[i].Label = fmt.Sprintf("Datenbank für Aufträge Nr. %d (Łódź, Zürich)", i)
	}
	return f
}

// BenchmarkSearch10000Targets is the first letter that anybody types into a picker.
func BenchmarkSearch10000Targets(b *testing.B) {
	for name, f := range map[string]*flow.Flow{"Plain": manyTargets(10000), "Accents": accented(10000)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				a := App{}
				if got := a.searchField(f, "target_id", "999 d"); got.total == 0 {
					b.Fatal("nothing found")
				}
			}
		})
	}
}

// BenchmarkKeystroke is a letter typed into a picker of 10,000 targets: signature,
// flow, search, and the answer as it is sent.
func BenchmarkKeystroke(b *testing.B) {
	for name, f := range map[string]*flow.Flow{"Plain": manyTargets(10000), "Accents": accented(10000)} {
		b.Run(name, func(b *testing.B) {
			w := benchWorld(b, f)
			body := suggestionBody(b, requestModal(f, "r", nil), "target_id", "d")
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if rec := w.post("/slack/options", body); rec.Body.Len() < 1000 {
					b.Fatal(rec.Body)
				}
				took = append(took, time.Since(began))
			}
			quantiles(b, took)
		})
	}
}
