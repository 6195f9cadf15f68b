package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Stats counts requests by the day on which they were made: how they came out, and
// how long the decision took. What is kept names each request, so that it counts
// once however often it is counted, and by its latest outcome.
type Stats struct {
	Store Store // required
}

// Day is what is known of the requests of one day.
type Day struct {
	Date time.Time                   // its beginning, in UTC
	Of   map[flow.RequestOutcome]int // how many there are of each outcome
	// Took are the times from request to decision by people, the shortest first.
	Took []time.Duration
}

// Median is the time that half of the decisions took at most; 0 if there is none.
func (d Day) Median() time.Duration {
	if len(d.Took) == 0 {
		return 0
	}
	return d.Took[(len(d.Took)-1)/2]
}

// parts is into how many items a day is divided: an item has room for about 14,000
// requests, and fewer writers meet at each.
const parts = 4

func statKey(environment string, day time.Time, part string) string {
	return KindStat.Key(strings.ToLower(environment) + "#" + day.UTC().Format(time.DateOnly) + "#" + part)
}

// partOf is the part of a day, or a month, that a run is in.
func partOf(run string) string {
	part, _ := strconv.ParseUint(run[:min(len(run), 1)], 16, 8)
	return strconv.Itoa(int(part % parts))
}

// Count counts a request: made at this time, come out so. took is from then to the
// decision, 0 if people made none. The error has flow.CodeTooLarge if the day is full.
func (s Stats) Count(ctx context.Context, environment, run string, made time.Time, out flow.RequestOutcome, took time.Duration) error {
	id := strings.ReplaceAll(strings.ToLower(run), "-", "")
	id = id[:min(len(id), 12)] // few enough of a day begin alike
	entry := string(out[:1])
	if took > 0 {
		entry += strconv.FormatInt(int64((took+time.Second-1)/time.Second), 10)
	}
	err := s.enter(ctx, statKey(environment, made, partOf(id)), id, entry)
	if errors.Is(err, ErrTooLarge) {
		return &flow.Error{Code: flow.CodeTooLarge, Message: "more requests were made on one day than are counted", Cause: err}
	}
	return err
}

// enter makes the entry of an id in an item.
func (s Stats) enter(ctx context.Context, key, id, entry string) error {
	for range maxConflicts {
		item, err := s.Store.Get(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("read %s: %w", key, err)
		}
		body := counted(item.Body, id, entry)
		if bytes.Equal(body, item.Body) {
			return nil
		}
		_, err = s.Store.Put(ctx, Item{Key: key, Rev: item.Rev, Writer: NewWriter(), Body: body})
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", key, err)
		}
		return nil
	}
	return fmt.Errorf("write %s: %w", key, ErrConflict)
}

// counted gives an object of entries by id, as JSON, with the entry of one of them. The
// text is edited, not decoded: each change of a run counts its request again, and a busy
// day is large. Neither ids nor entries have a character that JSON escapes.
func counted(all []byte, id, entry string) []byte {
	name := `"` + id + `":"`
	if before, after, there := bytes.Cut(all, []byte(name)); there {
		_, others, _ := bytes.Cut(after, []byte{'"'})
		return slices.Concat(before, []byte(name+entry+`"`), others)
	}
	if others, any := bytes.CutSuffix(all, []byte{'}'}); any {
		return slices.Concat(others, []byte(","+name+entry+`"}`))
	}
	return []byte("{" + name + entry + `"}`)
}

// carriedKey is of the runs that reached into a month: of all environments, none of
// which is without a name.
func carriedKey(month time.Time, part string) string {
	return KindStat.Key("#" + month.UTC().Format("2006-01") + "#" + part)
}

// Carry notes that something happened in a month to a run that was asked for before
// it: listings by time don't find it there.
func (s Stats) Carry(ctx context.Context, run string, month time.Time) error {
	run = strings.ToLower(run)
	return s.enter(ctx, carriedKey(month, partOf(run)), run, "c")
}

// Carried lists the runs that Carry noted for a month, in order of id.
func (s Stats) Carried(ctx context.Context, month time.Time) ([]string, error) {
	page, err := s.Store.List(ctx, Query{By: ByKind, Value: carriedKey(month, ""), Limit: parts})
	if err != nil {
		return nil, fmt.Errorf("list the runs that reached into a month: %w", err)
	}
	var runs []string
	for _, item := range page.Items {
		var carried map[string]string
		if err := json.Unmarshal(item.Body, &carried); err != nil {
			return nil, fmt.Errorf("decode %s: %w", item.Key, err)
		}
		for run := range carried {
			runs = append(runs, run)
		}
	}
	slices.Sort(runs)
	return runs, nil
}

// Days gives the last days of an environment, the oldest first; the last one is the
// day of until.
func (s Stats) Days(ctx context.Context, environment string, until time.Time, days int) ([]Day, error) {
	last := until.UTC().Truncate(24 * time.Hour)
	out := make([]Day, days)
	for i := range out {
		out[i] = Day{Date: last.AddDate(0, 0, i-days+1), Of: map[flow.RequestOutcome]int{}}
	}
	failed := make([]error, days)
	var all sync.WaitGroup
	for i := range out {
		all.Go(func() { failed[i] = s.fill(ctx, environment, &out[i]) })
	}
	all.Wait()
	return out, errors.Join(failed...)
}

func (s Stats) fill(ctx context.Context, environment string, d *Day) error {
	page, err := s.Store.List(ctx, Query{By: ByKind, Value: statKey(environment, d.Date, ""), Limit: parts})
	if err != nil {
		return fmt.Errorf("read the figures of a day: %w", err)
	}
	for _, item := range page.Items {
		var counted map[string]string
		if err := json.Unmarshal(item.Body, &counted); err != nil {
			return fmt.Errorf("decode %s: %w", item.Key, err)
		}
		for _, entry := range counted {
			i := slices.IndexFunc(flow.Outcomes, func(o flow.RequestOutcome) bool { return entry != "" && o[0] == entry[0] })
			if i < 0 {
				continue // of a later release
			}
			d.Of[flow.Outcomes[i]]++
			if seconds, err := strconv.ParseInt(entry[1:], 10, 64); err == nil {
				d.Took = append(d.Took, time.Duration(seconds)*time.Second)
			}
		}
	}
	slices.SortFunc(d.Took, func(a, b time.Duration) int { return cmp.Compare(a, b) })
	return nil
}
