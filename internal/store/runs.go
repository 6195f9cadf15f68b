package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Runs keeps runs.
type Runs struct {
	Store   Store    // required
	Decoded *Decoded // nil: a run is decoded each time that it is read
	shared  bool
}

// Shared reads runs for whoever only looks: what they refer to is others' too, and must
// not be changed.
func (s Runs) Shared() Runs {
	s.shared = true
	return s
}

// Get reads a run. The error has flow.CodeUnknownRun if there is no such run.
func (s Runs) Get(ctx context.Context, id string) (flow.Run, error) {
	if err := flow.CheckRunID(id); err != nil {
		return flow.Run{}, err
	}
	item, err := s.Store.Get(ctx, KindRun.Key(id))
	if errors.Is(err, ErrNotFound) {
		return flow.Run{}, flow.Errorf(flow.CodeUnknownRun, "there is no run %s", id)
	}
	if err != nil {
		return flow.Run{}, fmt.Errorf("read run %s: %w", id, err)
	}
	return s.decode(item)
}

func (s Runs) decode(item Item) (flow.Run, error) {
	if s.Decoded == nil {
		return decodeRun(item)
	}
	r, err := s.Decoded.run(item)
	if err != nil || s.shared {
		return r, err
	}
	return r.Clone(), nil
}

func decodeRun(item Item) (flow.Run, error) {
	var r flow.Run
	if err := json.Unmarshal(item.Body, &r); err != nil {
		return flow.Run{}, fmt.Errorf("decode %s: %w", item.Key, err)
	}
	r.Rev, r.Size = item.Rev, len(item.Body)
	return r, nil
}

// Put writes a run as flow.Apply gave it. Returns ErrConflict when the stored
// run is not the one that Apply was given; the error has flow.CodeFull when the
// run has grown too large to be stored.
func (s Runs) Put(ctx context.Context, r flow.Run) (flow.Run, error) {
	body, err := flow.EncodeJSON(r)
	if err != nil {
		return flow.Run{}, fmt.Errorf("encode run %s: %w", r.ID, err)
	}
	rev, err := s.Store.Put(ctx, Item{
		Key: KindRun.Key(r.ID), Rev: r.Rev, Writer: NewWriter(), Body: body,
		Index: Index{Due: r.Due, Requester: r.Requester.ID, Flow: strings.ToLower(r.Flow), Status: string(r.Status), Created: r.Created},
	})
	if errors.Is(err, ErrTooLarge) {
		err = &flow.Error{Code: flow.CodeFull, Message: "this run has grown too large to be stored: start a new request", Cause: err}
	}
	if err != nil {
		return flow.Run{}, fmt.Errorf("write run %s: %w", r.ID, err)
	}
	r.Rev, r.Size = rev, len(body)
	return r, nil
}

// Change reads a run, applies what decide gives for it, and writes it, anew
// for each lost race. decide may return flow.ErrUnchanged: then nothing is
// written, and the run is returned as read. Errors of decide end the change,
// with the run as it was read.
func (s Runs) Change(ctx context.Context, id string, now func() time.Time, decide func(flow.Run) (flow.Input, error)) (flow.Run, error) {
	for range maxConflicts {
		r, err := s.Get(ctx, id)
		if err != nil {
			return flow.Run{}, err
		}
		in, err := decide(r)
		if err == nil {
			var changed flow.Run
			if changed, err = flow.Apply(r, in, now()); err == nil {
				if changed, err = s.Put(ctx, changed); err == nil {
					return changed, nil
				}
				if errors.Is(err, ErrConflict) {
					continue
				}
			}
		}
		if errors.Is(err, flow.ErrUnchanged) {
			return r, nil
		}
		return r, err
	}
	return flow.Run{}, fmt.Errorf("write run %s: %w", id, ErrConflict)
}

// RunPage is a part of a listing of runs.
type RunPage struct {
	Runs []flow.Run
	// Homes are the Home tabs in it: of a listing ByDue, which has what is due.
	Homes  []Home
	Cursor string
}

// List finds runs, newest first (ByRequester, ByFlow, ByStatus, under which those of
// [Lists] are too), in order of id (ByKind) or earliest first (ByDue).
func (s Runs) List(ctx context.Context, q Query) (RunPage, error) {
	switch q.By {
	case ByKind:
		q.Value = string(KindRun)
	case ByFlow:
		q.Value = strings.ToLower(q.Value)
	}
	return s.list(ctx, q)
}

func (s Runs) list(ctx context.Context, q Query) (RunPage, error) {
	page, err := s.Store.List(ctx, q)
	if err != nil {
		return RunPage{}, fmt.Errorf("list runs by %s: %w", q.By, err)
	}
	out := RunPage{Cursor: page.Cursor}
	for _, item := range page.Items {
		if _, ok := KindHome.Name(item.Key); ok {
			var h Home
			if err := json.Unmarshal(item.Body, &h); err != nil {
				return RunPage{}, fmt.Errorf("decode %s: %w", item.Key, err)
			}
			out.Homes = append(out.Homes, h)
			continue
		}
		r, err := s.of(ctx, item)
		if err != nil {
			return RunPage{}, err
		}
		out.Runs = append(out.Runs, r)
	}
	return out, nil
}

// of gives the run that an item is, or that it lists; see [Lists].
func (s Runs) of(ctx context.Context, item Item) (flow.Run, error) {
	if _, ok := KindListed.Name(item.Key); !ok {
		return s.decode(item)
	}
	var listed struct {
		Body string `json:"body"`
	}
	if err := json.Unmarshal(item.Body, &listed); err != nil {
		return flow.Run{}, fmt.Errorf("decode %s: %w", item.Key, err)
	}
	return s.Get(ctx, listed.Body)
}

// Beginning finds runs whose id begins like this, in order of id: as many as
// PageSize makes of limit. The cursor is "" if there are no others.
func (s Runs) Beginning(ctx context.Context, prefix string, limit int) (RunPage, error) {
	return s.list(ctx, Query{By: ByKind, Value: KindRun.Key(prefix), Limit: limit})
}
