package store_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Items are stored under these keys since the first release: they must not
// change.
func TestKinds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind          store.Kind
		of, key, name string
	}{
		{store.KindRun, "0D6E-0000", "run#0d6e-0000", "0d6e-0000"},
		{store.KindGrant, "aws_sso/Team", "grant#aws_sso/Team", "aws_sso/Team"},
		{store.KindSick, "http/databases/Orders-DB", "sick#http/databases/Orders-DB", "http/databases/Orders-DB"},
		{store.KindMessages, "0D6E-0000", "msg#0d6e-0000", "0d6e-0000"},
		{store.KindForm, "0D6E-0000", "form#0d6e-0000", "0d6e-0000"},
		{store.KindUser, "u-1", "user#u-1", "u-1"},
		{store.KindIdentity, "u-1", "identity#u-1", "u-1"},
		{store.KindMoved, "", "users#moved", ""},
		{store.KindSlackUser, "T1#U1", "slackuser#T1#U1", "T1#U1"},
		{store.KindToken, "abc", "token#abc", "abc"},
		{store.KindCall, "abc", "call#abc", "abc"},
		{store.KindValue, "Path/to", "kv#Path/to", "Path/to"},
		{store.KindFlowValue, "prod-access#Path/to", "flowkv#prod-access#Path/to", "prod-access#Path/to"},
		{store.KindLinger, "prod-access", "linger#prod-access", "prod-access"},
		{store.KindLimit, "aws_sso/ssoins-1", "limit#aws_sso/ssoins-1", "aws_sso/ssoins-1"},
		{store.KindHome, "T1#U1", "home#T1#U1", "T1#U1"},
		{store.KindLive, "0d6e-0000", "live#0d6e-0000", "0d6e-0000"},
		{store.KindWait, "0d6e-0000", "wait#0d6e-0000", "0d6e-0000"},
		{store.KindStat, "main#2026-03-01#0", "stat#main#2026-03-01#0", "main#2026-03-01#0"},
		{store.KindLogHead, "", "log#head", ""},
		{store.KindLeaf, "0d6e-0000.3", "leaf#0d6e-0000.3", "0d6e-0000.3"},
		{store.KindDestination, "", "destinations#current", ""},
		{store.KindCursor, "Data-Lake", "cursor#data-lake", "data-lake"},
		{store.KindDelivery, "Ev0PV52K25", "event#Ev0PV52K25", "Ev0PV52K25"},
		{store.KindErasure, "0d6e-0000", "erasure#0d6e-0000", "0d6e-0000"},
		{store.KindNotice, "2026-03-01#ab", "notice#2026-03-01#ab", "2026-03-01#ab"},
		{store.KindFlow, "Prod-Access", "flow#prod-access", "prod-access"},
		{store.KindFlowVersion, "prod-access#1.0.1", "flowversion#prod-access#1.0.1", "prod-access#1.0.1"},
		{store.KindFlowDigests, "Prod-Access", "flowdigests#prod-access", "prod-access"},
		{store.KindFlowList, "", "flows#current", ""},
		{store.KindFlowsFilter, "", "flows#filter", ""},
		{store.KindStrategies, "", "flows#strategies", ""},
		{store.KindRelisted, "", "lists#old", ""}, {store.KindDropped, "", "flows#dropped", ""},
		{store.KindRound, "", "standing#round", ""},
		{store.KindDrift, "", "drift#comparison", ""},
		{store.KindEntity, "target#0D6E", "entity#target#0d6e", "target#0d6e"},
		{store.KindEntityName, "target#Orders-DB", "entityname#target#orders-db", "target#orders-db"},
		{store.KindAgent, "0d6e-0000", "agent#0d6e-0000", "0d6e-0000"},
	} {
		if key := test.kind.Key(test.of); key != test.key {
			t.Errorf("%s of %q has the key %q, want %q", test.kind, test.of, key, test.key)
		}
		for _, k := range store.Kinds() {
			name, ok := k.Name(test.key)
			if ok != (k == test.kind) || ok && name != test.name {
				t.Errorf("%s: the name in %q is %q, %v", k, test.key, name, ok)
			}
		}
	}
	for _, key := range []string{"", "run", "run#", "flows#", "flows#current#1", "runner#1"} {
		for _, k := range store.Kinds() {
			if name, ok := k.Name(key); ok {
				t.Errorf("%s: the name in %q is %q", k, key, name)
			}
		}
	}
}

// written notes the keys that are written.
type written struct {
	store.Store
	mu   sync.Mutex
	keys []string
}

func (w *written) Put(ctx context.Context, item store.Item) (int64, error) {
	w.mu.Lock()
	w.keys = append(w.keys, item.Key)
	w.mu.Unlock()
	return w.Store.Put(ctx, item)
}

// Every kind is written by what this package keeps, and nothing else is.
func TestKinds_Written(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := &written{Store: memory()}
	stored(t, store.Runs{Store: w}, prompted(t, flow.NewRunID(), "f", start))
	flows := &store.Flows{Store: w}
	for name, write := range map[string]func() error{
		"grant": func() error {
			_, err := store.Grants{Store: w}.Change(ctx, "db", func(g flow.Grant) (flow.Grant, error) {
				g, _, err := g.Acquire(flow.Holder{Run: "run"}, nil, flow.Lease{Owner: "run", Until: start.Add(time.Hour)}, start)
				return g, err
			})
			return err
		},
		"sickness": func() error {
			_, err := store.Sick{Store: w}.Change(ctx, "http/databases/db", func(s flow.Sickness) flow.Sickness { return s.TimedOut("run", true, start) })
			return err
		},
		"glass": func() error {
			return store.Glass{Store: w}.Claim(ctx, alice(), "run", nil)
		},
		"messages": func() error {
			return store.Messages{Store: w}.Save(ctx, "run", store.Message{MessageRef: flow.MessageRef{Channel: "C1", TS: "1.1"}})
		},
		"form": func() error { return store.Forms{Store: w, Now: now}.Put(ctx, "run", flow.OpenForm{}, 0) },
		"person": func() error {
			_, err := store.Users{Store: w}.Remember(ctx, store.User{Actor: alice(), SeenAt: start})
			return err
		},
		"identity": func() error { return store.Users{Store: w}.SetIdentity(ctx, alice(), store.SavedIdentity{}) },
		"moved": func() error {
			_, err := store.Users{Store: w}.Confirm(ctx, store.Confirmable{All: true}, flow.Author{})
			return err
		},
		"token": func() error {
			_, _, err := store.Tokens{Store: w, Now: now}.Create(ctx, flow.Operator, store.Token{Bot: "ci", Owner: "carol@example.com"}, time.Hour)
			return err
		},
		"call": func() error {
			_, err := store.Calls{Store: w, Now: now}.Begin(ctx, store.Call{Run: "run", Event: "event"})
			return err
		},
		"value":  func() error { return store.Values{Store: w}.Put(ctx, "f", "path", []byte(`1`)) },
		"shared": func() error { return store.Values{Store: w}.PutShared(ctx, "path", []byte(`1`)) },
		"linger": func() error {
			return store.Lingering{Store: w}.Change(ctx, "f", func(flow.Lingering) flow.Lingering { return flow.Lingering{Targets: []flow.Lingers{{Key: "k"}}} })
		},
		"limit": func() error {
			return store.Limits{Store: w}.Try(ctx, "aws_sso", func(b *flow.Bookings) { b.Took = 1 })
		},
		"notice": func() error { return store.Notices{Store: w, Now: now}.Tell(ctx, "a", "b", "") },
		"flows": func() error {
			_, err := flows.Publish(ctx, flow.Author{}, labelled(map[string]string{"f": "F"}))
			return err
		},
		"filter":   func() error { return flows.PublishFilter(ctx, flow.Author{}, &flow.FlowsFilter{}) },
		"settings": func() error { return flows.PublishSettings(ctx, flow.Author{}, map[string]string{"name": "sym-flows"}) },
		"refusal": func() error {
			return (&store.Refusals{Store: w, Now: now}).Note(ctx, flow.Run{ID: "run"}, alice(), flow.ActionApprove, flow.Errorf(flow.CodeForbidden, "no"))
		},
		"act": func() error {
			return store.Acts{Store: w, Now: now}.Put(ctx, flow.NewAct(flow.Author{By: flow.Operator, At: start}, flow.ActRedrive, flow.Subject{Kind: "bucket"}, nil))
		},
		"erasure": func() error {
			_, err := store.Erasures{Store: w, Org: "acme", Now: now}.Ask(ctx, "somebody@example.com", flow.Author{})
			return err
		},
		"systems": func() error { return flows.SetStrategies(ctx, entity.Files, []string{"http"}) },
		"round":   func() error { return store.Rounds{Store: w}.Put(ctx, store.Round{}, 0) },
		"home": func() error {
			_, err := store.Homes{Store: w}.Change(ctx, alice(), func(h *store.Home) error { h.Opened = start; return nil })
			return err
		},
		"live": func() error {
			return store.Live{Store: w, Now: now}.Follow(ctx, "run", 1, &store.LiveAccess{Run: "run", Environment: "main"})
		},
		"wait": func() error {
			return store.Waits{Store: w, Now: now}.Follow(ctx, "run", 1, start, []flow.Actor{alice()}, false)
		},
		"log": func() error { _, err := store.Log{Store: w}.SetHead(ctx, store.LogHead{Size: 1}, 0); return err },
		"destinations": func() error {
			return store.Destinations{Store: w}.Publish(ctx, flow.Author{}, entity.Files, []flow.LogDestination{{Name: "lake"}}, 0)
		},
		"leaf": func() error { return store.Log{Store: w}.SetPlace(ctx, "0d6e-0000", 3, store.LogPlace{}) },
		"list": func() error {
			return store.Lists{Store: w, Now: now}.Follow(ctx, flow.Run{ID: "run", Rev: 1}, "target", []string{"person"})
		},
		"relisted": func() error { return store.Lists{Store: w, Now: now}.SetRelisted(ctx, store.Relisted{}) },
		"stat":     func() error { return store.Stats{Store: w}.Count(ctx, "main", "run", start, flow.OutcomeOpen, 0) },
		"event": func() error {
			return store.Deliveries{Store: w, Now: now}.Once(ctx, "Ev1", func(context.Context) error { return nil })
		},
		"drift": func() error { return store.Drifts{Store: w}.Put(ctx, store.Comparison{}, 0) },
		"entity": func() error {
			_, err := store.Entities{Store: w, Org: "sym", Now: now}.Create(ctx, store.EntityChange{}, entity.Entity{Kind: entity.KindRuntime, Name: "main", Owner: entity.API})
			return err
		},
		"proposal": func() error {
			entities := store.Entities{Store: w, Org: "sym", Now: now, ProposedBy: "token"}
			_, err := entities.Create(ctx, store.EntityChange{}, entity.Entity{Kind: entity.KindRuntime, Name: "other", Owner: entity.API})
			_, failed := entities.Proposals().Freeze(ctx, "token", []store.AskedChange{{}}, store.Asked{})
			return errors.Join(err, failed, entities.Proposals().Open(ctx, store.Token{ID: "token"}))
		},
		"agent": func() error {
			agent := flow.Actor{ID: "agent", Kind: flow.KindAgent, Name: "helper"}
			return store.Agents{Runs: store.Runs{Store: w}, Now: now}.Count(ctx, agent, store.DefaultAgentLimits, "run")
		},
		"assembled": func() error {
			return store.Assembled{Store: w}.Set(ctx, store.Assembly{Upto: start})
		},
		"dropped": func() error { return flows.SetDropped(ctx, []string{"http"}) },
	} {
		if err := write(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	of := map[store.Kind]bool{}
	for _, key := range w.keys {
		n := len(of)
		for _, k := range store.Kinds() {
			if _, ok := k.Name(key); ok {
				of[k], n = true, -1
			}
		}
		if n >= 0 {
			t.Errorf("%q was written, which is of no kind in keys.go", key)
		}
	}
	for _, k := range store.Kinds() {
		if !of[k] {
			t.Errorf("nothing of kind %s was written: write it here, or delete the kind", k)
		}
	}
}

// Kinds are named in keys.go only, and Kinds lists what is named there: code
// elsewhere that spells out a key, or makes an item, would have a kind that no
// role is granted.
func TestKinds_OneHome(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	files, spelt := 0, map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		if d.IsDir() {
			// Suites and fakes (storetest) are tests too.
			if slices.Contains([]string{"node_modules", ".git", "testdata"}, d.Name()) || strings.HasSuffix(name, "test") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files++
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				text, err := strconv.Unquote(n.Value)
				if n.Kind != token.STRING || err != nil {
					break
				}
				if name == "internal/store/keys.go" {
					spelt[text] = true
				} else if of := slices.IndexFunc(store.Kinds(), func(k store.Kind) bool { return strings.HasPrefix(text, string(k)) }); of >= 0 {
					t.Errorf("%s spells out %q: use store.Kinds", set.Position(n.Pos()), text)
				}
			case *ast.CompositeLit:
				made, ok := n.Type.(*ast.SelectorExpr)
				if !ok || made.Sel.Name != "Item" || len(n.Elts) == 0 || strings.HasPrefix(name, "internal/store/") {
					break
				}
				if pkg, ok := made.X.(*ast.Ident); ok && pkg.Name == "store" {
					t.Errorf("%s makes an item: only package store does", set.Position(n.Pos()))
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("only %d files were looked at", files)
	}
	for _, k := range store.Kinds() {
		if !spelt[string(k)] {
			t.Errorf("%s is not in keys.go", k)
		}
		delete(spelt, string(k))
	}
	for text := range spelt {
		if strings.Contains(strings.TrimPrefix(text, "#"), "#") {
			t.Errorf("%s is in keys.go, but not in Kinds", text)
		}
	}
}
