package store

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Sizes of a page.
const (
	defaultPageSize = 50
	maxPageSize     = 200
)

// PageSize gives how many items a page has at most: the limit asked for, 50 if it
// is 0 or less, 200 if it is more.
func PageSize(limit int) int {
	if limit <= 0 {
		return defaultPageSize
	}
	return min(limit, maxPageSize)
}

// Check says whether an item may be stored. Every Put asks it first. Returns
// ErrTooLarge, or an error with flow.CodeInvalid.
func (i Item) Check() error {
	switch {
	case i.Key == "" || i.Writer == "" || i.Rev < 0:
		return flow.Errorf(flow.CodeInvalid, "an item needs a key, a writer and a revision that is not negative")
	case len(i.Key) > MaxKeyBytes || len(i.Body) > MaxItemBytes:
		return ErrTooLarge
	}
	return nil
}

// Check says whether the query asks for something, its cursor aside. Every
// List asks it first. The error has flow.CodeInvalid.
func (q Query) Check() error {
	switch q.By {
	case ByDue:
		if q.Until.IsZero() {
			return flow.Errorf(flow.CodeInvalid, "a listing by %s needs the time up to which items are due", q.By)
		}
	case ByRequester, ByFlow, ByStatus:
		if q.Value == "" {
			return flow.Errorf(flow.CodeInvalid, "a listing by %s needs a value", q.By)
		}
	case ByKind:
		if !strings.Contains(q.Value, "#") {
			return flow.Errorf(flow.CodeInvalid, "a listing by %s needs a prefix that holds the kind, such as %q", q.By, KindRun)
		}
		if !ListedByKind(q.Value) {
			return flow.Errorf(flow.CodeInvalid, "a listing by %s has no %q: see ListedByKind", q.By, q.Value)
		}
	default:
		return flow.Errorf(flow.CodeInvalid, "there is no listing by %q", string(q.By))
	}
	if (q.By == ByDue || q.By == ByKind) && !q.Before.IsZero() {
		return flow.Errorf(flow.CodeInvalid, "a listing by %s has no order of creation", q.By)
	}
	return nil
}

// timeLayout sorts as text like the times do.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// FormatTime writes a time as indexes hold it: RFC 3339 in UTC, of fixed
// width, so that it sorts as text. The zero time is "".
func FormatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

// ParseTime reads what FormatTime wrote.
func ParseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(timeLayout, s)
}

// Position is where a page ended: the listing, and the item in it. Stores
// turn it into cursors, and cursors back.
type Position struct {
	By    By     `json:"by"`
	Value string `json:"value,omitempty"`
	Time  string `json:"time,omitempty"` // of the index, by FormatTime; "" for ByKind
	Key   string `json:"key"`
}

// After gives the position behind an item of the query's listing.
func (q Query) After(i Item) Position {
	p := Position{By: q.By, Value: q.Value, Key: i.Key}
	switch q.By {
	case ByDue:
		p.Time = FormatTime(i.Index.Due)
	case ByRequester, ByFlow, ByStatus:
		p.Time = FormatTime(i.Index.Created)
	}
	return p
}

// Cursor writes the position for callers to hand back.
func (p Position) Cursor() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// Position reads the query's cursor. It returns false if the query has none. The
// error has flow.CodeInvalid for a cursor that was made up, or belongs to another
// listing.
func (q Query) Position() (Position, bool, error) {
	if q.Cursor == "" {
		return Position{}, false, nil
	}
	bad := flow.Errorf(flow.CodeInvalid, "the cursor is not one that this listing gave: leave it out to start from the beginning")
	var p Position
	b, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil || p.Cursor() != q.Cursor || p.By != q.By || p.Value != q.Value || p.Key == "" || len(p.Key) > MaxKeyBytes {
		return Position{}, false, bad
	}
	if _, err := ParseTime(p.Time); err != nil || (p.Time == "") != (p.By == ByKind) {
		return Position{}, false, bad
	}
	if p.By == ByKind && !strings.HasPrefix(p.Key, p.Value) {
		return Position{}, false, bad
	}
	return p, true, nil
}
