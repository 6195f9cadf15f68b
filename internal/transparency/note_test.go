package transparency_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/transparency"
	"github.com/symflows/symflows/internal/transparency/stranger"
)

// aged are records that happened a minute apart.
func aged(from, until int) []events.AuditRecord {
	all := records(from, until)
	for i := range all {
		all[i].Event.Timestamp = time.Date(2026, 3, 1, 0, from+i, 0, 0, time.UTC)
	}
	return all
}

// TestPrune: what a signed note lets go may be missing, and nothing else; the rest is
// verified as before, by a stranger too.
func TestPrune(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(t, aged(0, 800)...)
	for before, want := range map[int]int64{100: 0, 256: 256, 511: 256, 600: 512, 900: 768} {
		from, err := l.Prune(t.Context(), time.Date(2026, 3, 1, 0, before, 0, 0, time.UTC))
		if err != nil || from != want {
			t.Errorf("before record %d: %d, %v; want %d", before, from, err, want)
		}
		for name := range l.folder.files { // each by itself
			if before != 600 && strings.HasPrefix(name, "pruned/") {
				delete(l.folder.files, name)
			}
		}
	}
	from, err := l.Prune(t.Context(), time.Date(2026, 3, 1, 0, 600, 0, 0, time.UTC))
	if err != nil || from != 512 {
		t.Fatal(from, err)
	}
	gone, err := transparency.Prunable(t.Context(), l.folder.fs(), from, 800)
	if err != nil || strings.Join(gone, " ") != "tile/entries/000 tile/entries/001" {
		t.Fatal(gone, err)
	}
	verify := func() transparency.Report {
		t.Helper()
		r, err := transparency.Verification{Log: l.folder.fs(), Public: []string{l.key.Public()}, Now: l.now}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := verify(); r.Found != 0 || r.Records != 800 || r.Pruned != 512 {
		t.Errorf("before they are removed: %+v", r)
	}
	for _, name := range gone {
		delete(l.folder.files, name)
	}
	if r := verify(); r.Found != 0 || r.Records != 288 || r.Pruned != 512 {
		t.Errorf("%+v", r)
	}
	l.write(t, aged(800, 900)...)
	p := transparency.Prover{Log: l.Log, Files: l.folder, Public: []string{l.key.Public()}}
	if _, err := p.Prove(t.Context(), record(3, 1).ID, 1); flow.CodeOf(err) != flow.CodeNotLogged || !strings.Contains(flow.UserMessage(err), "pruned") {
		t.Errorf("a record that is gone: %v", err)
	}
	receipt, err := p.Prove(t.Context(), record(850, 1).ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.CheckReceipt(receipt.Leaf, string(receipt.Proof), l.key.Public()); err != nil {
		t.Error(err)
	}
	removed := l.folder.files["tile/entries/002"]
	delete(l.folder.files, "tile/entries/002")
	if r := verify(); r.Found == 0 || r.Faults[0].Record != 512 {
		t.Errorf("more is missing than was signed: %+v", r)
	}
	l.folder.files["tile/entries/002"] = removed
	note := l.folder.files["pruned/000000000512"]
	l.folder.files["pruned/000000000512"] = []byte(strings.Replace(string(note), "from 512", "from 768", 1))
	if r := verify(); r.Found == 0 {
		t.Errorf("a note that was altered: %+v", r)
	}
}

// TestKeyChange: others who sign are noted, with whether an old key vouches for them.
func TestKeyChange(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"Rotated": false, "Lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			old := l.key
			l.write(t, records(0, 3)...)
			if err := l.Beat(t.Context()); err != nil {
				t.Fatal(err)
			}
			next := newKey(t)
			l.now = l.now.Add(time.Hour)
			if l.Keys = []transparency.Key{next}; !lost {
				l.Keys = append(l.Keys, old)
			}
			for range 2 {
				if err := l.Beat(t.Context()); err != nil {
					t.Fatal(err)
				}
				l.write(t, records(3, 5)...)
				l.now = l.now.Add(time.Hour)
			}
			l.Keys = l.Keys[:1] // the old one is removed, or lost
			if err := l.Beat(t.Context()); err != nil {
				t.Fatal(err)
			}
			r, err := transparency.Verification{Log: l.folder.fs(), Public: []string{next.Public(), old.Public()}, Now: l.now}.Run(t.Context())
			if err != nil || r.Found != 0 || len(r.KeyChanges) != 1 {
				t.Fatalf("%+v, %v", r, err)
			}
			if c := r.KeyChanges[0]; c.From != 3 || c.Vouched == lost || c.Keys[0] != next.Public() || !c.At.Equal(time.Date(2026, 3, 2, 10, 10, 0, 0, time.UTC)) {
				t.Errorf("%+v", c)
			}
			if _, _, err := stranger.Verify(l.folder.fs(), next.Public()); err != nil {
				t.Errorf("a stranger with the new key: %v", err)
			}
			text, err := fs.ReadFile(l.folder.fs(), "keys/20260302T101000Z")
			if err != nil {
				t.Fatal(err)
			}
			c, err := stranger.Keys(text)
			if want := r.KeyChanges[0]; err != nil || int64(c.Size) != want.From || !slices.Equal(c.Keys, want.Keys) || c.Vouched != want.Vouched || !c.At.Equal(want.At) {
				t.Errorf("a stranger reads %+v, %v", c, err)
			}
			for i := range text { // whatever is altered, be it of a signature
				altered := slices.Clone(text)
				if altered[i] ^= 1; i%7 > 0 {
					continue
				}
				if got, err := stranger.Keys(altered); err == nil && got.Vouched == c.Vouched {
					t.Errorf("a stranger takes %q with byte %d altered", text, i)
				}
			}
			r, err = transparency.Verification{Log: l.folder.fs(), Public: []string{next.Public()}, Now: l.now}.Run(t.Context())
			if err != nil || r.Found == 0 {
				t.Errorf("who does not know the old key is not told of what it signed: %+v, %v", r, err)
			}
		})
	}
}

// places keep what they are sent, or fail.
type place struct {
	kept map[string]string
	err  error
}

func (p *place) Keep(_ context.Context, name string, text []byte) error {
	if p.err == nil {
		p.kept[name] = string(text)
	}
	return p.err
}

// TestElsewhere: checkpoints of hours are sent elsewhere. A place that is out of order is
// told, keeps nobody waiting, and has all by the next hour.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	broken, good := &place{err: errors.New("access denied")}, &place{kept: map[string]string{}}
	l.Elsewhere = []transparency.Keeper{broken, good}
	for hour := range 3 {
		l.write(t, records(hour, hour+1)...)
		if err := l.Beat(t.Context()); !errors.Is(err, broken.err) {
			t.Errorf("nobody is told: %v", err)
		}
		if err := l.Beat(t.Context()); err != nil {
			t.Errorf("twice in an hour: %v", err)
		}
		l.now = l.now.Add(time.Hour)
	}
	if len(good.kept) != 3 {
		t.Errorf("kept %v", good.kept)
	}
	for name, text := range good.kept {
		if text != string(l.folder.files[name]) {
			t.Errorf("%s is %s", name, text)
		}
		c, err := transparency.Open([]byte(text), l.key.Public())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := fmt.Sprintf("checkpoints/2026/03/02/%02d", 8+c.Tree.N); name != want {
			t.Errorf("%s has %d records", name, c.Tree.N)
		}
	}
}
