package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// Publish makes these the flows that there are, and returns them with their
// versions, in order of name: a new version for content that the flow never
// had, else the one that it had. Flows that are left out can't be started any
// more; their versions stay for the runs that use them. The next publish, even of
// other flows, repairs one that failed half-way. Publish one at a time.
//
// The error has flow.CodeInvalid for names that differ in the case of their
// letters only, and flow.CodeTooLarge for a flow that does not fit into an item.
func (s *Flows) Publish(ctx context.Context, flows []*flow.Flow) ([]FlowSummary, error) {
	kept := map[string]bool{}
	for _, f := range flows {
		if kept[KindFlow.Key(f.Name)] {
			return nil, flow.Errorf(flow.CodeInvalid, "there are two flows named %q: names must differ in more than the case of their letters", f.Name)
		}
		kept[KindFlow.Key(f.Name)] = true
	}
	list := []FlowSummary{}
	for _, f := range flows {
		published, err := s.publish(ctx, f)
		if errors.Is(err, ErrTooLarge) {
			err = &flow.Error{Code: flow.CodeTooLarge, Message: tooLarge(f), Cause: err}
		}
		if err != nil {
			return nil, fmt.Errorf("publish flow %q: %w", f.Name, err)
		}
		list = append(list, FlowSummary{
			Name: published.Name, Version: published.Version, Label: published.Label, About: published.About(),
			ApprovalOnly: published.ApprovalOnly(), AllowedSources: published.Params.AllowedSources,
		})
	}
	slices.SortFunc(list, func(a, b FlowSummary) int { return strings.Compare(a.Name, b.Name) })
	if err := s.withdraw(ctx, kept); err != nil {
		return nil, err
	}
	if err := s.overwrite(ctx, KindFlowList.Key(""), list); err != nil {
		return nil, fmt.Errorf("write the list of flows: %w", err)
	}
	return list, nil
}

// tooLarge says what a flow that does not fit into an item is made of.
func tooLarge(f *flow.Flow) string {
	text := fmt.Sprintf("the flow takes more than %d KB, compressed", MaxItemBytes>>10)
	sources := map[string]*flow.Source{"implementation": f.Implementation}
	if f.Strategy != nil {
		text += fmt.Sprintf("; its strategy has %d targets", len(f.Strategy.Targets))
		sources["the strategy's implementation"] = f.Strategy.Implementation
	}
	for _, p := range f.Params.PromptFields {
		sources["on_change of "+p.Name] = p.OnChange
	}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if code := sources[name]; code != nil {
			text += fmt.Sprintf("; %s has %d KB", name, (len(code.Text)+1023)>>10)
		}
	}
	return text + ": make the largest of these smaller, or split the flow"
}

func (s *Flows) publish(ctx context.Context, f *flow.Flow) (*flow.Flow, error) {
	version, err := s.number(ctx, f)
	if err != nil {
		return nil, err
	}
	published := *f
	published.Version = version
	content := published
	content.Places = nil
	body, err := pack(content)
	if err != nil {
		return nil, err
	}
	_, err = s.Store.Put(ctx, Item{Key: versionKey(f.Name, version), Writer: NewWriter(), Body: body})
	if err != nil && !errors.Is(err, ErrConflict) { // else it was published before
		return nil, err
	}
	return &published, s.overwrite(ctx, KindFlow.Key(f.Name), published)
}

// digests is the item that knows all content a flow ever had. It outlives the
// flow.
type digests struct {
	Last int `json:"last"` // N of the newest version, "1.0.N"
	// Versions are by digest, so that content which comes back gets its old
	// version back.
	Versions map[string]string `json:"versions"`
}

// number gives the version of the flow's content.
func (s *Flows) number(ctx context.Context, f *flow.Flow) (string, error) {
	content := *f
	content.Version, content.Places = "", nil
	body, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:16])
	known, _, err := change(ctx, s.Store, KindFlowDigests.Key(f.Name), func(d *digests, _ int64) error {
		if d.Versions[digest] != "" {
			return nil
		}
		if d.Versions == nil {
			d.Versions = map[string]string{}
		}
		d.Last++
		d.Versions[digest] = fmt.Sprintf("1.0.%d", d.Last)
		return nil
	})
	return known.Versions[digest], err
}

// withdraw removes the newest versions of all flows that ever were and are not
// kept. The list of flows does not tell which: a publish may have failed
// before it wrote that.
func (s *Flows) withdraw(ctx context.Context, kept map[string]bool) error {
	q := Query{By: ByKind, Value: string(KindFlowDigests)}
	for {
		page, err := s.Store.List(ctx, q)
		if err != nil {
			return fmt.Errorf("list the flows that ever were: %w", err)
		}
		for _, item := range page.Items {
			name, _ := KindFlowDigests.Name(item.Key)
			if kept[KindFlow.Key(name)] {
				continue
			}
			if err := s.remove(ctx, KindFlow.Key(name)); err != nil {
				return fmt.Errorf("withdraw flow %q: %w", name, err)
			}
		}
		if page.Cursor == "" {
			return nil
		}
		q.Cursor = page.Cursor
	}
}

// PublishFilter replaces the filter. With nil it removes it.
func (s *Flows) PublishFilter(ctx context.Context, f *flow.FlowsFilter) error {
	if f == nil { // write nothing if there was no filter before
		if old, err := s.Filter(ctx); err != nil || old == nil {
			return err
		}
	}
	if err := s.overwrite(ctx, KindFlowsFilter.Key(""), f); err != nil {
		return fmt.Errorf("write the filter of flows: %w", err)
	}
	return nil
}

// SetStrategies writes down what the configuration has for granting and
// removing.
func (s *Flows) SetStrategies(ctx context.Context, list []string) error {
	if list == nil {
		list = []string{}
	}
	if err := s.overwrite(ctx, KindStrategies.Key(""), list); err != nil {
		return fmt.Errorf("write what the configuration has: %w", err)
	}
	return nil
}

// SetDropped writes down what this publish is about to drop. Where that is
// nothing, and was nothing, it writes nothing.
func (s *Flows) SetDropped(ctx context.Context, list []string) error {
	before, err := s.Dropped(ctx)
	if err == nil && !slices.Equal(before, list) {
		err = s.overwrite(ctx, KindDropped.Key(""), list)
	}
	if err != nil {
		return fmt.Errorf("write what the configuration drops: %w", err)
	}
	return nil
}

// overwrite writes an item over what is stored. It is for items that only publish
// writes.
func (s *Flows) overwrite(ctx context.Context, key string, v any) error {
	body, err := pack(v)
	if err != nil {
		return err
	}
	item, err := s.Store.Get(ctx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if bytes.Equal(item.Body, body) {
		return nil
	}
	_, err = s.Store.Put(ctx, Item{Key: key, Rev: item.Rev, Writer: NewWriter(), Body: body})
	return err
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
