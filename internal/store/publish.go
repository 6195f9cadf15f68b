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
	"reflect"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
)

// inForce is a flow as it is in force, or was until it was withdrawn.
type inForce struct {
	flow.Flow
	Withdrawn bool `json:"withdrawn,omitempty"`
	// Owner published it; "" is entity.Files.
	Owner entity.Owner `json:"owner,omitempty"`

	acted
}

// filterInForce is the filter, if there is one.
type filterInForce struct {
	*flow.FlowsFilter
	Owner entity.Owner `json:"owner,omitempty"` // "" is entity.Files

	acted
}

// settings are what the deployment was made with.
type settings struct {
	Settings map[string]string `json:"settings"`

	acted
}

// written is the owner as items have it, of which those of files say nothing.
func written(owner entity.Owner) entity.Owner {
	if owner == entity.Files {
		return ""
	}
	return owner
}

// Publish is PublishOwned for what the files say.
func (s *Flows) Publish(ctx context.Context, by flow.Author, flows []*flow.Flow) ([]FlowSummary, error) {
	return s.PublishOwned(ctx, by, entity.Files, flows)
}

// PublishOwned makes these the flows that an owner has, in the name of by, and returns
// them with their versions, in order of name: a new version for content that the flow
// never had, else the one that it had. Flows of the owner that are left out, and not among
// those to keep as they are, can't be started any more; their versions stay for the runs
// that use them. The next publish, even of other flows, repairs one that failed half-way.
// Publish one at a time for each owner.
//
// The error has flow.CodeInvalid for names that differ in the case of their
// letters only, or that a flow of another owner has, and flow.CodeTooLarge for a flow that
// does not fit into an item.
func (s *Flows) PublishOwned(ctx context.Context, by flow.Author, owner entity.Owner, flows []*flow.Flow, keep ...string) ([]FlowSummary, error) {
	owner = written(owner)
	kept := map[string]bool{}
	for _, name := range keep {
		kept[KindFlow.Key(name)] = true
	}
	before, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range flows {
		if i := slices.IndexFunc(before, func(b FlowSummary) bool { return strings.EqualFold(b.Name, f.Name) }); i >= 0 && before[i].Owner != owner {
			return nil, &FlowError{f.Name, flow.Errorf(flow.CodeInvalid, "there is a flow named %q already, which %s has: choose another name", f.Name, ownerNamed(before[i].Owner))}
		}
		if kept[KindFlow.Key(f.Name)] {
			return nil, flow.Errorf(flow.CodeInvalid, "there are two flows named %q: names must differ in more than the case of their letters", f.Name)
		}
		kept[KindFlow.Key(f.Name)] = true
	}
	list := []FlowSummary{}
	for _, f := range flows {
		published, err := s.publish(ctx, by, owner, f)
		if errors.Is(err, ErrTooLarge) {
			err = &flow.Error{Code: flow.CodeTooLarge, Message: tooLarge(f), Cause: err}
		}
		if err != nil {
			return nil, &FlowError{f.Name, err}
		}
		list = append(list, FlowSummary{
			Owner: owner, Name: published.Name, Version: published.Version, Label: published.Label, About: published.About(),
			ApprovalOnly: published.ApprovalOnly(), AllowedSources: published.Params.AllowedSources,
		})
	}
	byName := func(a, b FlowSummary) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(list, byName)
	if err := s.withdraw(ctx, by, owner, kept); err != nil {
		return nil, err
	}
	// The list is of all owners, who may publish at the same time.
	err = again(func() error {
		return edit(ctx, s.Store, KindFlowList.Key(""), func(now *[]FlowSummary, _ int64) {
			all := slices.Clone(list)
			for _, other := range *now {
				published := slices.ContainsFunc(list, func(f FlowSummary) bool { return strings.EqualFold(f.Name, other.Name) })
				if !published && (other.Owner != owner || slices.ContainsFunc(keep, func(name string) bool { return strings.EqualFold(name, other.Name) })) {
					all = append(all, other)
				}
			}
			slices.SortStableFunc(all, byName)
			*now = all
		})
	})
	if err != nil {
		return nil, fmt.Errorf("write the list of flows: %w", err)
	}
	return list, nil
}

// FlowError says which flow could not be published.
type FlowError struct {
	Flow  string
	Cause error
}

func (e *FlowError) Error() string { return fmt.Sprintf("publish flow %q: %v", e.Flow, e.Cause) }

// Unwrap gives the cause.
func (e *FlowError) Unwrap() error { return e.Cause }

// again does something until nobody else has written in between.
func again(do func() error) (err error) {
	for range maxConflicts {
		if err = do(); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}

// ownerNamed says who has something, to whom it is refused.
func ownerNamed(owner entity.Owner) string {
	if owner == entity.API {
		return "the configuration API"
	}
	return "the configuration's files"
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

func (s *Flows) publish(ctx context.Context, by flow.Author, owner entity.Owner, f *flow.Flow) (*flow.Flow, error) {
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
	return &published, edit(ctx, s.Store, KindFlow.Key(f.Name), func(now *inForce, rev int64) {
		before := now.Version
		if now.Withdrawn {
			before = ""
		}
		now.Flow, now.Withdrawn, now.Owner = published, false, owner
		if before != version {
			told := map[string]any{"version": version}
			if before != "" {
				told["former_version"] = before
			}
			now.Acts = now.Acts.With(flow.NewAct(by, flow.ActPublish, flowAs(f.Name), told), rev)
		}
	})
}

// flowAs is a flow as acts tell of it.
func flowAs(name string) flow.Subject { return flow.Subject{Kind: "flow", Name: name} }

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

// withdraw takes all flows of an owner out of force that ever were and are not kept. The
// list of flows does not tell which: a publish may have failed before it wrote that.
func (s *Flows) withdraw(ctx context.Context, by flow.Author, owner entity.Owner, kept map[string]bool) error {
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
			err := edit(ctx, s.Store, KindFlow.Key(name), func(now *inForce, rev int64) {
				if now.Name == "" || now.Withdrawn || now.Owner != owner {
					return
				}
				act := flow.NewAct(by, flow.ActWithdraw, flowAs(now.Name), map[string]any{"former_version": now.Version})
				*now = inForce{Flow: flow.Flow{Name: now.Name}, Withdrawn: true, Owner: owner, acted: acted{now.Acts.With(act, rev)}}
			})
			if err != nil {
				return fmt.Errorf("withdraw flow %q: %w", name, err)
			}
		}
		if page.Cursor == "" {
			return nil
		}
		q.Cursor = page.Cursor
	}
}

// HandOver makes an owner the one of a flow that is in force, as it is: it is there all the
// time. The next publish of the owner makes of it what the owner says, and that of the owner
// before leaves it alone.
func (s *Flows) HandOver(ctx context.Context, to entity.Owner, name string) error {
	to = written(to)
	err := again(func() error {
		return edit(ctx, s.Store, KindFlow.Key(name), func(now *inForce, _ int64) {
			if now.Name != "" && !now.Withdrawn {
				now.Owner = to
			}
		})
	})
	if err == nil {
		err = again(func() error {
			return edit(ctx, s.Store, KindFlowList.Key(""), func(now *[]FlowSummary, _ int64) {
				for i := range *now {
					if strings.EqualFold((*now)[i].Name, name) {
						(*now)[i].Owner = to
					}
				}
			})
		})
	}
	if err != nil {
		return fmt.Errorf("hand flow %q over: %w", name, err)
	}
	return nil
}

// HandOverFilter is HandOver for the filter, if there is one.
func (s *Flows) HandOverFilter(ctx context.Context, to entity.Owner) error {
	err := again(func() error {
		return edit(ctx, s.Store, KindFlowsFilter.Key(""), func(now *filterInForce, _ int64) {
			if now.FlowsFilter != nil {
				now.Owner = written(to)
			}
		})
	})
	if err != nil {
		return fmt.Errorf("hand the filter of flows over: %w", err)
	}
	return nil
}

// PublishFilter is PublishOwnedFilter for what the files say.
func (s *Flows) PublishFilter(ctx context.Context, by flow.Author, f *flow.FlowsFilter) error {
	return s.PublishOwnedFilter(ctx, by, entity.Files, f)
}

// PublishOwnedFilter replaces the filter, in the name of by. With nil it removes it, if it
// is the owner's. The error has flow.CodeInvalid if another owner has it.
func (s *Flows) PublishOwnedFilter(ctx context.Context, by flow.Author, owner entity.Owner, f *flow.FlowsFilter) error {
	owner = written(owner)
	var taken error
	err := edit(ctx, s.Store, KindFlowsFilter.Key(""), func(now *filterInForce, rev int64) {
		if now.FlowsFilter != nil && now.Owner != owner {
			if f != nil {
				taken = flow.Errorf(flow.CodeInvalid, "there is a flows_filter already, which %s has, and there can be one only", ownerNamed(now.Owner))
			}
			return
		}
		if now.FlowsFilter == nil && f == nil {
			return
		}
		now.Owner = owner
		name, before := flow.ActPublish, now.FlowsFilter
		if f == nil {
			name = flow.ActWithdraw
		}
		if now.FlowsFilter = f; !reflect.DeepEqual(before, f) {
			now.Acts = now.Acts.With(flow.NewAct(by, name, flow.Subject{Kind: "flows_filter"}, nil), rev)
		}
	})
	if err != nil {
		return fmt.Errorf("write the filter of flows: %w", err)
	}
	return taken
}

// PublishSettings writes down what the deployment is made with, in the name of by: no
// secrets.
func (s *Flows) PublishSettings(ctx context.Context, by flow.Author, now map[string]string) error {
	err := edit(ctx, s.Store, KindSettings.Key(""), func(stored *settings, rev int64) {
		changed, former := map[string]any{}, map[string]any{}
		for name, value := range now {
			if old, ok := stored.Settings[name]; !ok || old != value {
				changed[name] = value
			}
		}
		for name, value := range stored.Settings {
			if now[name] != value {
				former[name] = value
			}
		}
		if len(changed)+len(former) == 0 {
			return
		}
		act := flow.NewAct(by, flow.ActConfigure, flow.Subject{Kind: "settings"}, map[string]any{"settings": changed, "former_settings": former})
		stored.Settings, stored.Acts = now, stored.Acts.With(act, rev)
	})
	if err != nil {
		return fmt.Errorf("write the settings of the deployment: %w", err)
	}
	return nil
}

// SetStrategies writes down what an owner's part of the configuration has for granting
// and removing.
func (s *Flows) SetStrategies(ctx context.Context, owner entity.Owner, list []string) error {
	err := again(func() error {
		return edit(ctx, s.Store, KindStrategies.Key(""), func(now *strategiesByOwner, _ int64) {
			if *now == nil {
				*now = strategiesByOwner{}
			}
			(*now)[owner] = append([]string{}, list...)
		})
	})
	if err != nil {
		return fmt.Errorf("write what the configuration has: %w", err)
	}
	return nil
}

// strategiesByOwner is what the configuration has, by who has it.
type strategiesByOwner map[entity.Owner][]string

// UnmarshalJSON reads the list that there was when files had everything, too.
func (b *strategiesByOwner) UnmarshalJSON(text []byte) error {
	var list []string
	if json.Unmarshal(text, &list) == nil {
		*b = strategiesByOwner{entity.Files: list}
		return nil
	}
	var all map[entity.Owner][]string
	err := json.Unmarshal(text, &all)
	*b = all
	return err
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
	return edit(ctx, s.Store, key, func(stored *any, _ int64) { *stored = v })
}

// edit edits an item that is packed and that only publish writes. The edit is told
// the revision that it makes; if it changes nothing, nothing is written.
func edit[T any](ctx context.Context, s Store, key string, edit func(v *T, rev int64)) error {
	item, err := s.Get(ctx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	var v T
	var before []byte
	if err == nil {
		if before, err = decompress(item.Body); err == nil {
			err = json.Unmarshal(before, &v)
		}
		if err != nil {
			return fmt.Errorf("decode %s: %w", key, err)
		}
	} else if before, err = encode(v); err != nil {
		return err
	}
	edit(&v, item.Rev+1)
	after, err := encode(v)
	if err != nil || bytes.Equal(before, after) {
		return err
	}
	body, err := compress(after)
	if err != nil {
		return err
	}
	carrier, ok := any(v).(recorder)
	_, err = s.Put(ctx, Item{Key: key, Rev: item.Rev, Writer: NewWriter(), Body: body, Acts: ok && carrier.recordedIn(item.Rev+1)})
	return err
}
