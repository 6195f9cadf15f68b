package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/symflows/symflows/internal/flow"
)

// Flows keeps the published flows: each version for ever, the newest under
// the flow's name, and one item that lists what there is.
type Flows struct {
	Store Store // required

	cache sync.Map // "flow#name#version" → *flow.Flow; versions never change
}

// FlowSummary is what a list of flows shows.
type FlowSummary struct {
	Name           string          `json:"name"`
	Version        string          `json:"version"`
	Label          string          `json:"label,omitempty"`
	ApprovalOnly   bool            `json:"approval_only,omitempty"`
	AllowedSources *[]flow.Channel `json:"allowed_sources,omitempty"`
}

// Title is what people read.
func (f FlowSummary) Title() string {
	if f.Label != "" {
		return f.Label
	}
	return f.Name
}

// Allows tells whether the flow may be started from the source.
func (f FlowSummary) Allows(source flow.Channel) bool {
	return f.AllowedSources == nil || slices.Contains(*f.AllowedSources, source)
}

const flowList = "flows#current"

func flowKey(name string) string             { return "flow#" + strings.ToLower(name) }
func versionKey(name, version string) string { return flowKey(name) + "#" + version }

// Latest reads the newest version of a flow, whatever the case of the name's
// letters. The error has flow.CodeUnknownFlow where there is none.
func (s *Flows) Latest(ctx context.Context, name string) (*flow.Flow, error) {
	return s.read(ctx, flowKey(name), name)
}

// Version reads one version of a flow; flow.Latest stands for the newest.
func (s *Flows) Version(ctx context.Context, name, version string) (*flow.Flow, error) {
	if version == flow.Latest {
		return s.Latest(ctx, name)
	}
	key := versionKey(name, version)
	if f, ok := s.cache.Load(key); ok {
		return f.(*flow.Flow), nil
	}
	f, err := s.read(ctx, key, name+":"+version)
	if err == nil {
		s.cache.Store(key, f)
	}
	return f, err
}

func (s *Flows) read(ctx context.Context, key, shown string) (*flow.Flow, error) {
	var f flow.Flow
	err := s.readInto(ctx, key, &f)
	if errors.Is(err, ErrNotFound) {
		return nil, flow.Errorf(flow.CodeUnknownFlow, "there is no flow %q", shown)
	}
	if err != nil {
		return nil, fmt.Errorf("read flow %q: %w", shown, err)
	}
	return &f, nil
}

func (s *Flows) readInto(ctx context.Context, key string, v any) error {
	item, err := s.Store.Get(ctx, key)
	if err != nil {
		return err
	}
	return json.Unmarshal(item.Body, v)
}

// List gives the published flows in order of name.
func (s *Flows) List(ctx context.Context) ([]FlowSummary, error) {
	var list []FlowSummary
	if err := s.readInto(ctx, flowList, &list); err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("list flows: %w", err)
	}
	return list, nil
}

// versions is the item that counts a flow's versions. It outlives the flow.
type versions struct {
	Last int `json:"last"` // N of the newest "1.0.N"
	// ByDigest maps content to the version that has it, so that content which
	// comes back gets its old version back.
	ByDigest map[string]string `json:"by_digest"`
}

// Publish makes these the flows that there are, and returns them with their
// versions: a new one for content that the flow never had, else the one that
// it had. Flows that are left out can't be started any more; their versions
// stay for the runs that use them.
func (s *Flows) Publish(ctx context.Context, flows []*flow.Flow) ([]FlowSummary, error) {
	list := []FlowSummary{}
	for _, f := range flows {
		published, err := s.publish(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("publish flow %q: %w", f.Name, err)
		}
		list = append(list, FlowSummary{
			Name: published.Name, Version: published.Version, Label: published.Label,
			ApprovalOnly: published.ApprovalOnly(), AllowedSources: published.Params.AllowedSources,
		})
	}
	slices.SortFunc(list, func(a, b FlowSummary) int { return strings.Compare(a.Name, b.Name) })
	old, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, was := range old {
		if !slices.ContainsFunc(list, func(f FlowSummary) bool { return strings.EqualFold(f.Name, was.Name) }) {
			if err := s.remove(ctx, flowKey(was.Name)); err != nil {
				return nil, fmt.Errorf("withdraw flow %q: %w", was.Name, err)
			}
		}
	}
	if err := s.overwrite(ctx, flowList, list); err != nil {
		return nil, fmt.Errorf("write the list of flows: %w", err)
	}
	return list, nil
}

func (s *Flows) publish(ctx context.Context, f *flow.Flow) (*flow.Flow, error) {
	version, err := s.number(ctx, f)
	if err != nil {
		return nil, err
	}
	published := *f
	published.Version = version
	body, err := json.Marshal(published)
	if err != nil {
		return nil, err
	}
	// Number may have been given by a publish that got no further.
	_, err = s.Store.Put(ctx, Item{Key: versionKey(f.Name, version), Writer: NewWriter(), Body: body})
	if err != nil && !errors.Is(err, ErrConflict) {
		return nil, err
	}
	return &published, s.overwrite(ctx, flowKey(f.Name), published)
}

// number gives the version of the flow's content.
func (s *Flows) number(ctx context.Context, f *flow.Flow) (string, error) {
	content := *f
	content.Version = ""
	body, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	key := "flowversions#" + strings.ToLower(f.Name)
	for range maxConflicts {
		known := versions{ByDigest: map[string]string{}}
		item, err := s.Store.Get(ctx, key)
		if err == nil {
			err = json.Unmarshal(item.Body, &known)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return "", err
		}
		if v, ok := known.ByDigest[digest]; ok {
			return v, nil
		}
		known.Last++
		v := fmt.Sprintf("1.0.%d", known.Last)
		known.ByDigest[digest] = v
		body, err := json.Marshal(known)
		if err != nil {
			return "", err
		}
		_, err = s.Store.Put(ctx, Item{Key: key, Rev: item.Rev, Writer: NewWriter(), Body: body})
		if !errors.Is(err, ErrConflict) {
			return v, err
		}
	}
	return "", ErrConflict
}

// overwrite writes an item whatever stands there. Only publish writes these.
func (s *Flows) overwrite(ctx context.Context, key string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	for range maxConflicts {
		item, err := s.Store.Get(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if bytes.Equal(item.Body, body) {
			return nil
		}
		_, err = s.Store.Put(ctx, Item{Key: key, Rev: item.Rev, Writer: NewWriter(), Body: body})
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return ErrConflict
}

func (s *Flows) remove(ctx context.Context, key string) error {
	item, err := s.Store.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Store.Delete(ctx, key, item.Rev)
}
