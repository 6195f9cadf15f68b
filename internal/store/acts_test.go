package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// feed notes what was written, as the change feed tells it.
type feed struct {
	store.Store
	mu      sync.Mutex
	changes []store.Change
	marked  []bool
}

func (f *feed) Put(ctx context.Context, item store.Item) (int64, error) {
	rev, err := f.Store.Put(ctx, item)
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.changes, f.marked = append(f.changes, store.Change{Key: item.Key, Rev: rev}), append(f.marked, item.Acts)
	}
	return rev, err
}

// acts gives what was recorded, with how often the feed tells of each.
func (f *feed) acts(t *testing.T) (all flow.Acts, told map[string]int) {
	t.Helper()
	told = map[string]int{}
	for i, c := range f.changes {
		if !store.CarriesActs(c.Key) {
			if f.marked[i] {
				t.Errorf("%s carries acts, and nobody is told", c.Key)
			}
			continue
		}
		acts, err := store.Acts{Store: f.Store}.Of(context.Background(), c.Key, c.Rev)
		if err != nil {
			t.Fatal(err)
		}
		if !f.marked[i] && len(acts) > 0 {
			t.Errorf("the write of %s at %d records %d acts, and is not marked", c.Key, c.Rev, len(acts))
		}
		for _, a := range acts {
			if told[a.ID]++; told[a.ID] == 1 {
				all = append(all, a)
			}
		}
	}
	return all, told
}

var admin = flow.Author{By: flow.Principal{Kind: flow.PrincipalAWS, Name: "arn:aws:iam::123456789012:user/operator"}, At: start}

// TestActs_Each is every administrative act of the store while its writes break down,
// each in turn, and are tried again: what is changed has its act once, and nothing
// that was not done has one.
func TestActs_Each(t *testing.T) {
	t.Parallel()
	const okta = "okta"
	identity := func(id string) store.SavedIdentity {
		return store.SavedIdentity{Identity: store.Identity{Service: okta, ExternalID: "acme", UserID: id}, Author: admin}
	}
	flows := func(s store.Store, labels map[string]string) error {
		_, err := (&store.Flows{Store: s}).Publish(t.Context(), admin, labelled(labels))
		return err
	}
	claimed := func(t *testing.T, s store.Store) {
		users := store.Users{Store: s, Keeper: true}
		for _, id := range []string{"U1", "U2"} {
			u := account("alice@example.com", store.RealmWorkspace, "T"+id, id)
			u.SeenAt = start
			if _, err := users.Remember(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		before func(t *testing.T, s store.Store)
		act    func(s store.Store) error
		want   []string
		// done is the code of an act that is done already, where to do it again is an
		// error.
		done flow.Code
	}{
		"Identity": {
			act: func(s store.Store) error {
				return store.Users{Store: s, Keeper: true}.SetIdentity(t.Context(), alice(), identity("00u1"))
			}, want: []string{"identity_set person alice@example.com service=okta service_id=acme user_id=00u1"},
		},
		"OtherIdentity": {
			before: func(t *testing.T, s store.Store) {
				if err := (store.Users{Store: s, Keeper: true}).SetIdentity(t.Context(), alice(), identity("00u1")); err != nil {
					t.Fatal(err)
				}
			},
			act: func(s store.Store) error {
				return store.Users{Store: s, Keeper: true}.SetIdentity(t.Context(), alice(), identity("00u2"))
			}, want: []string{"identity_set person alice@example.com former_user_id=00u1 service=okta service_id=acme user_id=00u2"},
		},
		"NoIdentity": {
			before: func(t *testing.T, s store.Store) {
				if err := (store.Users{Store: s, Keeper: true}).SetIdentity(t.Context(), alice(), identity("00u1")); err != nil {
					t.Fatal(err)
				}
			},
			act: func(s store.Store) error {
				return store.Users{Store: s, Keeper: true}.DeleteIdentity(t.Context(), admin, alice(), okta, "acme")
			}, want: []string{"identity_delete person alice@example.com former_user_id=00u1 service=okta service_id=acme"}, done: flow.CodeInvalid,
		},
		"Account": {
			before: claimed,
			act: func(s store.Store) error {
				_, err := store.Users{Store: s}.Confirm(t.Context(), store.Confirmable{Person: flow.UserID("acme", "alice@example.com")}, admin)
				return err
			}, want: []string{"account_confirm person alice@example.com account=U2 in TU2 former_account=U1 in TU1"}, done: flow.CodeInvalid,
		},
		"AllAccounts": {
			before: claimed,
			act: func(s store.Store) error {
				_, err := store.Users{Store: s}.Confirm(t.Context(), store.Confirmable{All: true}, admin)
				return err
			}, want: []string{
				"account_confirm person alice@example.com account=U2 in TU2 former_account=U1 in TU1 same_person=true",
				"move_confirm workspace  moves=[map[from:TU1 to:TU2]]",
			},
		},
		"Publish": {
			before: func(t *testing.T, s store.Store) {
				if err := flows(s, map[string]string{"stays": "one", "changes": "one", "goes": "one"}); err != nil {
					t.Fatal(err)
				}
			},
			act: func(s store.Store) error {
				return flows(s, map[string]string{"stays": "one", "changes": "two", "comes": "one"})
			},
			want: []string{
				"publish flow changes former_version=1.0.1 version=1.0.2", "publish flow comes version=1.0.1", "withdraw flow goes former_version=1.0.1",
			},
		},
		"PublishAgain": {
			before: func(t *testing.T, s store.Store) {
				for _, labels := range []map[string]string{{"a": "one"}, {}} {
					if err := flows(s, labels); err != nil {
						t.Fatal(err)
					}
				}
			},
			act:  func(s store.Store) error { return flows(s, map[string]string{"a": "one"}) },
			want: []string{"publish flow a version=1.0.1"},
		},
		"Filter": {
			act: func(s store.Store) error {
				return (&store.Flows{Store: s}).PublishFilter(t.Context(), admin, &flow.FlowsFilter{Vars: map[string]string{"a": "b"}})
			}, want: []string{"publish flows_filter "},
		},
		"NoFilter": {
			before: func(t *testing.T, s store.Store) {
				if err := (&store.Flows{Store: s}).PublishFilter(t.Context(), admin, &flow.FlowsFilter{}); err != nil {
					t.Fatal(err)
				}
			},
			act:  func(s store.Store) error { return (&store.Flows{Store: s}).PublishFilter(t.Context(), admin, nil) },
			want: []string{"withdraw flows_filter "},
		},
		"Settings": {
			before: func(t *testing.T, s store.Store) {
				if err := (&store.Flows{Store: s}).PublishSettings(t.Context(), admin, map[string]string{"name": "sym", "rateLimit": "50"}); err != nil {
					t.Fatal(err)
				}
			},
			act: func(s store.Store) error {
				return (&store.Flows{Store: s}).PublishSettings(t.Context(), admin, map[string]string{"name": "sym", "logRetention": "30"})
			}, want: []string{"configure settings  former_settings=map[rateLimit:50] settings=map[logRetention:30]"},
		},
		"End": {
			before: func(t *testing.T, s store.Store) {
				if err := (store.Rounds{Store: s}).Put(t.Context(), store.Round{Held: start, Gone: map[string][]string{"U1": {"run"}}}, 0); err != nil {
					t.Fatal(err)
				}
			},
			act: func(s store.Store) error {
				_, err := store.Rounds{Store: s}.Confirm(t.Context(), admin)
				return err
			}, want: []string{"end_confirm workspace  people=1"},
		},
	} {
		for _, fault := range []storetest.Fault{storetest.NotApplied, storetest.AnswerLost} {
			t.Run(fmt.Sprint(name, fault), func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at++ {
					memory := memory()
					if test.before != nil {
						test.before(t, memory)
					}
					noted := &feed{Store: memory}
					faulty := &storetest.Faulty{Store: noted, Fault: func(n int) storetest.Fault {
						if n == at {
							return fault
						}
						return storetest.None
					}}
					if err := test.act(faulty); err != nil {
						wantFault(t, err)
						if err := test.act(faulty); err != nil && flow.CodeOf(err) != test.done {
							t.Fatal(err)
						}
					}
					acts, told := noted.acts(t)
					var got []string
					for _, a := range acts {
						if a.By != admin.By || !a.At.Equal(start) || a.Result != flow.ActDone || told[a.ID] != 1 {
							t.Errorf("%+v, told %d times", a, told[a.ID])
						}
						got = append(got, said(t, a))
					}
					slices.Sort(got)
					wantSame(t, fmt.Sprintf("acts where write %d breaks down", at), test.want, got)
					if at > faulty.Writes() {
						return
					}
				}
			})
		}
	}
}

// said writes an act in a line.
func said(t *testing.T, a flow.Act) string {
	t.Helper()
	b, err := json.Marshal(a.Fields)
	var fields map[string]any
	if err == nil {
		err = json.Unmarshal(b, &fields)
	}
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for k, v := range fields {
		told = append(told, fmt.Sprintf("%s=%v", k, v))
	}
	slices.Sort(told)
	return strings.Join(append([]string{string(a.Name), a.About.Kind, a.About.Name}, told...), " ")
}

// TestActs_Tokens: each token that is there has been made by somebody, and whoever
// gave it another owner, or revoked it, is known.
func TestActs_Tokens(t *testing.T) {
	t.Parallel()
	memory := memory()
	noted := &feed{Store: memory}
	tokens := store.Tokens{Store: noted, Org: "acme", Now: now}
	value, token, err := tokens.Create(t.Context(), admin.By, store.Token{Bot: "ci", Owner: "carol@example.com", Flows: []string{"deploy"}}, time.Minute)
	if err == nil {
		_, err = tokens.SetOwner(t.Context(), admin.By, token.ID, "bob@example.com")
	}
	if err == nil {
		err = tokens.Revoke(t.Context(), flow.Operator, token.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	acts, _ := noted.acts(t)
	var got []string
	for _, a := range acts {
		if a.About.ID != token.ID {
			t.Errorf("an act about %+v", a.About)
		}
		got = append(got, string(a.By.Kind)+" "+said(t, a))
		b, err := json.Marshal(a)
		if err != nil || strings.Contains(string(b), value) || strings.Contains(string(b), token.Hash) {
			t.Errorf("a secret is in %s (%v)", b, err)
		}
	}
	wantSame(t, "acts", []string{
		"aws token_create token ci expires_at=2026-03-01T12:01:00Z flows=[deploy] owner=carol@example.com",
		"aws token_set_owner token ci former_owner=carol@example.com owner=bob@example.com",
		"operator token_revoke token ci owner=bob@example.com",
	}, got)
	// It stays in the list as revoked, for longer than it would have been valid.
	tokens.Now = func() time.Time { return start.Add(24 * time.Hour) }
	list, err := tokens.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Revoked == nil || list[0].Revoked.By != flow.Operator || !list[0].Revoked.At.Equal(start) {
		t.Errorf("%+v, %v", list, err)
	}
	_, err = tokens.SetOwner(t.Context(), admin.By, token.ID, "carol@example.com")
	wantCode(t, err, flow.CodeInvalid)
}

// TestActs_Put: what changes no item is told when it begins and when it is over, under
// one id.
func TestActs_Put(t *testing.T) {
	t.Parallel()
	noted := &feed{Store: memory()}
	acts := store.Acts{Store: noted, Now: now}
	act := flow.NewAct(admin, flow.ActRedrive, flow.Subject{Kind: "bucket", Name: "letters"}, nil)
	for _, act.Result = range []flow.ActResult{flow.ActBegun, flow.ActDone} {
		if err := acts.Put(t.Context(), act); err != nil {
			t.Fatal(err)
		}
	}
	if all, _ := noted.acts(t); len(all) != 1 || all[0].ID != act.ID || all[0].Result != flow.ActDone || all[0].Rev != 2 {
		t.Errorf("%+v", all)
	}
	if none, err := acts.Of(t.Context(), store.KindAct.Key("none"), 1); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}

// TestActs_Many: an item forgets its oldest acts, which were shipped long ago.
func TestActs_Many(t *testing.T) {
	t.Parallel()
	noted := &feed{Store: memory()}
	users := store.Users{Store: noted, Keeper: true}
	for n := range 120 {
		err := users.SetIdentity(t.Context(), alice(), store.SavedIdentity{Identity: store.Identity{Service: "okta", UserID: fmt.Sprint(n)}, Author: admin})
		if err != nil {
			t.Fatal(err)
		}
	}
	acts, _ := noted.acts(t)
	if len(acts) != 50 || acts[49].Fields["user_id"] != "119" {
		t.Errorf("%d acts are kept", len(acts))
	}
}
