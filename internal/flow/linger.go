package flow

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"
)

// Lingering is for how long sessions may go on after access was taken away, as the
// targets of a flow were asked. It says nothing of what could not be asked.
type Lingering struct {
	Targets []Lingers `json:"targets,omitempty"`
}

// Lingers is what one target has said.
type Lingers struct {
	// Key is of the target as it was asked: by its settings, so that nothing is said
	// of one whose settings have changed.
	Key     string `json:"key"`
	Seconds int64  `json:"seconds"` // less than 0: it could not be asked
	At      int64  `json:"at"`      // Unix time
}

// Bounds of what is known of lingering sessions.
const (
	lingerRenewed = 24 * time.Hour // after which a target is asked again
	lingerTried   = time.Hour      // and where it could not be asked
	lingerOver    = 72 * time.Hour // after which nothing is said any more
	// MaxLingering is how many targets of a flow are asked. Of the others nothing is
	// said.
	MaxLingering = 1000
)

// LingerKey names a target of a strategy by all that makes it what it is.
func LingerKey(s *Strategy, t Target) string {
	var external string
	if s.Integration != nil {
		external = s.Integration.ExternalID
	}
	body, _ := json.Marshal([]any{s.Type, s.Settings, external, s.Integration, t.Type, t.Settings}) // maps are sorted
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// For gives for how long sessions at a target may go on, and false if that is not
// known.
func (l Lingering) For(s *Strategy, t Target, now time.Time) (time.Duration, bool) {
	key := LingerKey(s, t)
	for _, known := range l.Targets {
		if known.Key == key && known.Seconds >= 0 && now.Before(time.Unix(known.At, 0).Add(lingerOver)) {
			return time.Duration(known.Seconds) * time.Second, true
		}
	}
	return 0, false
}

// Due lists the targets of a flow that are to be asked: those that never were, and
// those whose answer is of yesterday. What fields of the request fill into a target
// is not known before, so such targets are left out.
func (l Lingering) Due(s *Strategy, now time.Time) []Target {
	asked := map[string]Lingers{}
	for _, known := range l.Targets {
		asked[known.Key] = known
	}
	var due []Target
	for _, t := range s.Targets[:min(len(s.Targets), MaxLingering)] {
		known, ok := asked[LingerKey(s, t)]
		good := lingerRenewed
		if known.Seconds < 0 {
			good = lingerTried
		}
		if len(t.FieldBindings) == 0 && (!ok || !now.Before(time.Unix(known.At, 0).Add(good))) {
			due = append(due, t)
		}
	}
	return due
}

// Learn adds answers, by the targets' keys, and forgets targets that the flow does
// not have any more. A target that could not be asked keeps what it said before.
func (l Lingering) Learn(s *Strategy, answers map[string]Lingers) Lingering {
	known := map[string]Lingers{}
	for _, k := range l.Targets {
		known[k.Key] = k
	}
	for key, a := range answers {
		if old, ok := known[key]; ok && old.Seconds >= 0 && a.Seconds < 0 {
			continue
		}
		known[key] = a
	}
	var out Lingering
	for _, t := range s.Targets[:min(len(s.Targets), MaxLingering)] {
		if k, ok := known[LingerKey(s, t)]; ok && !slices.ContainsFunc(out.Targets, func(o Lingers) bool { return o.Key == k.Key }) {
			out.Targets = append(out.Targets, k)
		}
	}
	return out
}

// Longest gives the longest time for which sessions at any of a flow's targets may
// go on; same tells whether it is the same at each, all whether each is known.
func (l Lingering) Longest(s *Strategy, now time.Time) (longest time.Duration, same, all bool) {
	same, all = true, true
	for i, t := range s.Targets {
		d, ok := l.For(s, t, now)
		all = all && ok
		same = same && (i == 0 || d == longest)
		longest = max(longest, d)
	}
	return longest, same, all
}
