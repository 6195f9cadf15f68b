package workflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// Standing looks now and then at what nobody asks about: whether those who hold
// access are still there, whether open requests are still of a flow that there
// is, and whether anybody is left to approve them. It asks for the end of access,
// and for a review of requests, and does neither itself.
//
// Holders are asked about in rounds, so many at each look. Only when all were,
// the access of those who are gone is ended: a directory that takes everybody
// for gone, or somebody who deactivates half the company by mistake, must not
// take down whatever runs on that access. Too many at once are held back until
// somebody confirms, or until the directory has come to its senses.
type Standing struct {
	Runs    store.Runs
	Flows   *store.Flows
	Rounds  store.Rounds
	Roll    Roll
	Notices Notices
	Now     func() time.Time
	Log     *slog.Logger
	AtOnce  int // how many people one look asks about
}

// Roll says who is not there any more.
type Roll interface {
	// Deactivated tells whether the directory says of exactly this Slack id that
	// it was deactivated. An error is no verdict.
	Deactivated(ctx context.Context, slackID string) (bool, error)
}

// Notices tells administrators what belongs to no run.
type Notices interface {
	// Tell has the error channel told, or all of them if channel is "": a text
	// about the same thing once a day.
	Tell(ctx context.Context, about, text, channel string) error
}

// Looked is what a look found.
type Looked struct {
	Asked     int `json:"asked"`     // people whom the directory was asked about
	Ended     int `json:"ended"`     // runs whose end was asked for
	Held      int `json:"held"`      // people whose access is not ended until that is confirmed
	Rechecked int `json:"rechecked"` // requests that were held to what is in force
}

// What is too much to be ended at once: more than maxGone people, or, where
// there are enough holders for a share to mean anything, more than one in
// maxGoneShare.
const (
	maxGone      = 10
	maxGoneShare = 20
)

const (
	// endingPatience is after how long a round is given up whose ending the
	// directory keeps from going on: the next one finds the same people.
	endingPatience = time.Hour
	reviewPages    = 5 // of one look
	// reviewWalks is how often all requests are held to new flows: an index may
	// not have had one yet.
	reviewWalks = 2
	// decidersEvery is how often those who may approve open requests are asked
	// about: they are asked again at each decision, and this is for requests that
	// nobody decides any more.
	decidersEvery = time.Hour
)

// Look looks once. What it did not come to is done by the next one. A look at
// the same time as another one is in vain, and does no harm.
func (s Standing) Look(ctx context.Context) (Looked, error) {
	var l Looked
	round, rev, err := s.Rounds.Get(ctx)
	if err != nil {
		return l, err
	}
	err = errors.Join(s.requests(ctx, &round, &l), s.deciders(ctx, &round, &l), s.holders(ctx, &round, &l))
	if !round.Held.IsZero() && round.Ending.IsZero() {
		l.Held = len(round.Gone)
	}
	put := s.Rounds.Put(ctx, round, rev)
	if errors.Is(put, store.ErrConflict) {
		put = nil // another look's counts, or somebody has confirmed meanwhile
	}
	return l, errors.Join(err, put)
}

// holders goes on with the round.
func (s Standing) holders(ctx context.Context, round *store.Round, l *Looked) error {
	now := s.Now().UTC()
	if !round.Ending.IsZero() && now.Sub(round.Ending) > endingPatience {
		fresh(round)
	}
	switch {
	case !round.Ending.IsZero():
	case !round.Held.IsZero():
		if err := s.again(ctx, round, l); err != nil {
			return err
		}
	default:
		if done, err := s.ask(ctx, round, l); err != nil || !done {
			return err
		}
	}
	if round.Ending.IsZero() {
		if tooMany(*round) && round.Confirmed.IsZero() {
			return s.hold(ctx, round)
		}
		round.Ending = now
	}
	return s.end(ctx, round, l)
}

func tooMany(round store.Round) bool {
	gone, holders := len(round.Gone), len(round.Asked)
	return gone > maxGone || holders >= maxGoneShare && gone*maxGoneShare > holders
}

// fresh begins a new round.
func fresh(round *store.Round) {
	round.Status, round.Cursor, round.Asked, round.Gone = "", "", nil, nil
	round.Held, round.Confirmed, round.Ending = time.Time{}, time.Time{}, time.Time{}
}

// gone asks the directory. False, and no error: it does not say so. The error
// says that it can't be asked any more in this look.
func (s Standing) gone(ctx context.Context, slackID string, l *Looked) (bool, error) {
	l.Asked++
	gone, err := s.Roll.Deactivated(ctx, slackID)
	if flow.CodeOf(err) == flow.CodeUnknownUser {
		return false, nil
	}
	return gone, err
}

// ask goes through the listings of live runs. True: all of them were seen.
func (s Standing) ask(ctx context.Context, round *store.Round, l *Looked) (bool, error) {
	if round.Status == "" {
		round.Status = flow.Escalated
	}
	asked := map[string]bool{}
	for _, id := range round.Asked {
		asked[id] = true
	}
	for {
		page, err := s.Runs.List(ctx, store.Query{By: store.ByStatus, Value: string(round.Status), Limit: 200, Cursor: round.Cursor})
		if err != nil {
			return false, err
		}
		for _, r := range page.Runs {
			id := r.Requester.SlackID
			if _, ending := r.EndAsked(); id == "" || ending || !r.Access.Live() {
				continue
			}
			if !asked[id] {
				if l.Asked >= s.AtOnce {
					return false, nil
				}
				gone, err := s.gone(ctx, id, l)
				asked[id], round.Asked = true, append(round.Asked, id)
				if err != nil { // no verdict; the next round asks again
					s.Log.WarnContext(ctx, "the directory did not say whether somebody who holds access is still there", "slack_id", id, "error", err)
					return false, nil
				}
				if gone {
					if round.Gone == nil {
						round.Gone = map[string][]string{}
					}
					round.Gone[id] = nil
				}
			}
			if runs, gone := round.Gone[id]; gone && !slices.Contains(runs, r.ID) {
				round.Gone[id] = append(runs, r.ID)
			}
		}
		if round.Cursor = page.Cursor; round.Cursor != "" {
			continue
		}
		if round.Status == flow.Approved {
			return true, nil
		}
		round.Status = flow.Approved
	}
}

// again asks about those whose access is held back: they may be there after all.
func (s Standing) again(ctx context.Context, round *store.Round, l *Looked) error {
	for _, id := range slices.Sorted(maps.Keys(round.Gone)) {
		if l.Asked >= s.AtOnce || !round.Confirmed.IsZero() {
			return nil
		}
		gone, err := s.gone(ctx, id, l)
		if err != nil {
			return err
		}
		if !gone {
			delete(round.Gone, id)
		}
	}
	return nil
}

// end asks for the end of the access of those who are gone, if they still are.
func (s Standing) end(ctx context.Context, round *store.Round, l *Looked) error {
	for _, id := range slices.Sorted(maps.Keys(round.Gone)) {
		if l.Asked >= s.AtOnce {
			return nil
		}
		gone, err := s.gone(ctx, id, l)
		if err != nil {
			return err
		}
		if gone {
			for _, run := range round.Gone[id] {
				if err := s.endRun(ctx, run, id, l); err != nil {
					return err
				}
			}
		}
		delete(round.Gone, id)
	}
	fresh(round)
	return nil
}

func (s Standing) endRun(ctx context.Context, id, holder string, l *Looked) error {
	asked := false
	_, err := s.Runs.Change(ctx, id, s.Now, func(r flow.Run) (flow.Input, error) {
		asked = false
		if r.Requester.SlackID != holder || !r.Access.Live() {
			return nil, flow.ErrUnchanged
		}
		asked = true
		return flow.Receive{
			Action: flow.ActionDeescalate, Actor: flow.System, Channel: flow.ChannelInternal,
			Message: r.Requester.Display() + " was deactivated in Slack",
		}, nil
	})
	if err == nil && asked {
		l.Ended++
		s.Log.InfoContext(ctx, "access of somebody who was deactivated ends", "run", id, "slack_id", holder)
	}
	return err
}

// hold has the error channels told, once a day, that nothing is ended.
func (s Standing) hold(ctx context.Context, round *store.Round) error {
	if round.Held.IsZero() {
		round.Held = s.Now().UTC()
	}
	s.Log.ErrorContext(ctx, "too many of those who hold access were deactivated at once: nothing is ended until that is confirmed", "gone", len(round.Gone), "holders", len(round.Asked))
	return s.Notices.Tell(ctx, "holders who were deactivated", held(*round), "")
}

func held(round store.Round) string {
	const most = 20
	ids := slices.Sorted(maps.Keys(round.Gone))
	shown := strings.Join(ids[:min(len(ids), most)], ", ")
	if len(ids) > most {
		shown += fmt.Sprintf(" and %d more", len(ids)-most)
	}
	return fmt.Sprintf("%d of %d people who hold access were deactivated in Slack at once. That may be a mistake, so nothing of theirs was ended: their access lasts until its time is over. "+
		"If it is right, confirm it: by the command local standing confirm, or in AWS by invoking the function standing with {\"confirm\": true} (docs/slack.md). Their ids in Slack: %s.", len(ids), len(round.Asked), shown)
}

// requests asks for a review of open requests whose flow is gone, or has a new
// version in force.
func (s Standing) requests(ctx context.Context, round *store.Round, l *Looked) error {
	list, err := s.Flows.List(ctx)
	if err != nil || list == nil { // nothing was published yet
		return err
	}
	inForce, sum := map[string]string{}, sha256.New()
	for _, f := range list {
		inForce[strings.ToLower(f.Name)] = f.Version
		fmt.Fprintln(sum, f.Name, f.Version)
	}
	if digest := hex.EncodeToString(sum.Sum(nil)[:8]); round.Flows != digest {
		round.Flows, round.Walks, round.Requests = digest, 0, ""
	}
	for range reviewPages {
		if round.Walks >= reviewWalks {
			return nil
		}
		page, err := s.Runs.List(ctx, store.Query{By: store.ByStatus, Value: string(flow.Requested), Limit: 200, Cursor: round.Requests})
		if err != nil {
			return err
		}
		for _, hit := range page.Runs {
			version := inForce[strings.ToLower(hit.Flow)]
			stale := func(r flow.Run) bool {
				return r.Status == flow.Requested && version != r.FlowVersion && (version == "" || version != r.Rechecked)
			}
			if !stale(hit) {
				continue
			}
			_, err := s.Runs.Change(ctx, hit.ID, s.Now, func(r flow.Run) (flow.Input, error) {
				if !stale(r) {
					return nil, flow.ErrUnchanged
				}
				return flow.Receive{Action: flow.ActionRecheck, Actor: flow.System, Channel: flow.ChannelInternal, Version: version}, nil
			})
			if err != nil {
				return err
			}
			l.Rechecked++
		}
		if round.Requests = page.Cursor; round.Requests == "" {
			round.Walks++
			return nil
		}
	}
	return nil
}

// deciders asks for a review of open requests that nobody is left to approve,
// because those who could were deactivated: the review says so, or finds others.
// It takes up to half of the questions of a look.
func (s Standing) deciders(ctx context.Context, round *store.Round, l *Looked) error {
	walk, now := &round.Deciders, s.Now().UTC()
	if walk.Done && now.Sub(walk.Began) < decidersEvery {
		return nil
	}
	if walk.Done || walk.Began.IsZero() {
		*walk = store.DecidersWalk{Began: now}
	}
	list, err := s.Flows.List(ctx)
	if err != nil {
		return err
	}
	inForce := map[string]string{}
	for _, f := range list {
		inForce[strings.ToLower(f.Name)] = f.Version
	}
	most := l.Asked + max(s.AtOnce/2, 1)
	for range reviewPages {
		page, err := s.Runs.List(ctx, store.Query{By: store.ByStatus, Value: string(flow.Requested), Limit: 200, Cursor: walk.Cursor})
		if err != nil {
			return err
		}
		for _, hit := range page.Runs {
			left, known := s.anyLeft(ctx, hit, walk, l, most)
			if !known {
				return nil // the next look goes on with this page
			}
			if left {
				continue
			}
			_, err := s.Runs.Change(ctx, hit.ID, s.Now, func(r flow.Run) (flow.Input, error) {
				if r.Status != flow.Requested {
					return nil, flow.ErrUnchanged
				}
				return flow.Receive{Action: flow.ActionRecheck, Actor: flow.System, Channel: flow.ChannelInternal, Version: inForce[strings.ToLower(r.Flow)]}, nil
			})
			if err != nil {
				return err
			}
			l.Rechecked++
		}
		if walk.Cursor = page.Cursor; walk.Cursor == "" {
			walk.Done, walk.There, walk.Gone = true, nil, nil
			return nil
		}
	}
	return nil
}

// anyLeft tells whether enough of those are there who may approve a request.
// False for known: the directory can't be asked for that in this look.
func (s Standing) anyLeft(ctx context.Context, r flow.Run, walk *store.DecidersWalk, l *Looked, most int) (left, known bool) {
	if r.Deciders.Members {
		return true, true
	}
	there := 0
	for _, who := range able(r.Deciders, r) {
		id := who.SlackID
		switch {
		case id == "" || slices.Contains(walk.There, id):
		case slices.Contains(walk.Gone, id):
			continue
		case l.Asked >= most:
			return false, false
		default:
			gone, err := s.gone(ctx, id, l)
			if err != nil { // no verdict; a later look asks again
				s.Log.WarnContext(ctx, "the directory did not say whether somebody is still there who may approve a request", "run", r.ID, "slack_id", id, "error", err)
				return false, false
			}
			if gone {
				walk.Gone = append(walk.Gone, id)
				continue
			}
			walk.There = append(walk.There, id)
		}
		if there++; there >= r.Deciders.Required {
			return true, true
		}
	}
	return false, true
}
