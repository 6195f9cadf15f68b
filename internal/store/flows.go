package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
)

// Flows keeps the published flows: each version for ever, the newest under
// the flow's name, and one item that lists what there is.
type Flows struct {
	Store Store // required

	read sync.Map // key → decoded: what was read last
}

// decoded is a flow, and the writer of the item that it was read from.
type decoded struct {
	writer string
	flow   *flow.Flow
}

// FlowSummary is what a list of flows shows.
type FlowSummary struct {
	Owner          entity.Owner    `json:"owner,omitempty"` // "" is entity.Files
	Name           string          `json:"name"`
	Version        string          `json:"version"`
	Label          string          `json:"label,omitempty"`
	About          string          `json:"about,omitempty"` // flow.Flow.About
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

// Latest reads the newest version of a flow, whatever the case of the name's
// letters. The error has flow.CodeUnknownFlow if there is no such flow, or it was
// withdrawn. Callers share the flows that they get: don't change them.
func (s *Flows) Latest(ctx context.Context, name string) (*flow.Flow, error) {
	return s.get(ctx, KindFlow.Key(name), name)
}

// Version reads one version of a flow, withdrawn or not; flow.Latest stands
// for the newest. The error has flow.CodeUnknownFlow if there is no such version.
func (s *Flows) Version(ctx context.Context, name, version string) (*flow.Flow, error) {
	if version == flow.Latest {
		return s.Latest(ctx, name)
	}
	key := versionKey(name, version)
	if known, ok := s.read.Load(key); ok {
		return known.(decoded).flow, nil // versions never change
	}
	return s.get(ctx, key, name+":"+version)
}

func (s *Flows) get(ctx context.Context, key, shown string) (*flow.Flow, error) {
	item, err := s.Store.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil, flow.Errorf(flow.CodeUnknownFlow, "there is no flow %q", shown)
	}
	if err != nil {
		return nil, fmt.Errorf("read flow %q: %w", shown, err)
	}
	if known, ok := s.read.Load(key); ok && known.(decoded).writer == item.Writer {
		return known.(decoded).flow, nil
	}
	var f inForce
	if err := unpack(item.Body, &f); err != nil {
		return nil, fmt.Errorf("decode flow %q: %w", shown, err)
	}
	if f.Withdrawn {
		return nil, flow.Errorf(flow.CodeUnknownFlow, "there is no flow %q", shown)
	}
	s.read.Store(key, decoded{item.Writer, &f.Flow})
	return &f.Flow, nil
}

// List gives the published flows in order of name.
func (s *Flows) List(ctx context.Context) ([]FlowSummary, error) {
	item, err := s.Store.Get(ctx, KindFlowList.Key(""))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	var list []FlowSummary
	if err == nil {
		err = unpack(item.Body, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("list flows: %w", err)
	}
	return list, nil
}

// Filter reads the filter of the list that people are shown. It returns nil if
// there is none.
func (s *Flows) Filter(ctx context.Context) (*flow.FlowsFilter, error) {
	f, _, err := s.FilterAndOwner(ctx)
	return f, err
}

// FilterAndOwner is Filter, and who owns it: "" stands for the files.
func (s *Flows) FilterAndOwner(ctx context.Context) (*flow.FlowsFilter, entity.Owner, error) {
	item, err := s.Store.Get(ctx, KindFlowsFilter.Key(""))
	if errors.Is(err, ErrNotFound) {
		return nil, "", nil
	}
	var f filterInForce
	if err == nil {
		err = unpack(item.Body, &f)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the filter of flows: %w", err)
	}
	return f.FlowsFilter, f.Owner, nil
}

// Strategies gives what the current configuration has for granting and removing,
// whoever owns it, as publish has written it down. It returns nil before the files are
// published first.
func (s *Flows) Strategies(ctx context.Context) ([]string, error) {
	byOwner, err := s.StrategiesByOwner(ctx)
	if err != nil || byOwner[entity.Files] == nil {
		return nil, err
	}
	return slices.Concat(byOwner[entity.Files], byOwner[entity.API]), nil
}

// StrategiesByOwner is Strategies, each owner's apart.
func (s *Flows) StrategiesByOwner(ctx context.Context) (map[entity.Owner][]string, error) {
	var byOwner strategiesByOwner
	item, err := s.Store.Get(ctx, KindStrategies.Key(""))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err == nil {
		err = unpack(item.Body, &byOwner)
	}
	if err != nil {
		return nil, fmt.Errorf("read what the configuration has: %w", err)
	}
	return byOwner, nil
}

// Dropped lists what a publish that has not succeeded was about to drop. Live
// grants may need it even if Strategies no longer lists it.
func (s *Flows) Dropped(ctx context.Context) ([]string, error) {
	list, err := s.lines(ctx, KindDropped)
	if err != nil {
		return nil, fmt.Errorf("read what the configuration drops: %w", err)
	}
	return list, nil
}

// lines reads an item that is a list of texts. It returns nil if there is no item.
func (s *Flows) lines(ctx context.Context, kind Kind) ([]string, error) {
	item, err := s.Store.Get(ctx, kind.Key(""))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	list := []string{}
	if err == nil {
		err = unpack(item.Body, &list)
	}
	return list, err
}
