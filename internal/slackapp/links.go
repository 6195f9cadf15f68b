package slackapp

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// pathOpen is where links to runs lead: the id of the run follows.
const pathOpen = "/open/"

// addressOf is the link to a run, which people can hand on: it says nothing of the run.
// It is "" where we don't know at which address we are reached.
func (a *App) addressOf(id string) string {
	if a.URL == "" {
		return ""
	}
	return strings.TrimSuffix(a.URL, "/") + pathOpen + id
}

// runOfLink is the id of the run that an address of ours leads to; "" for others.
func (a *App) runOfLink(address string) string {
	ours, err := url.Parse(a.URL)
	if err != nil || a.URL == "" {
		return ""
	}
	u, err := url.Parse(address)
	if err != nil || !strings.EqualFold(u.Host, ours.Host) {
		return ""
	}
	id, found := strings.CutPrefix(u.Path, strings.TrimSuffix(ours.Path, "/")+pathOpen)
	if run, err := flow.RunOf(id); !found || err != nil || run != id {
		return ""
	}
	return id
}

// openLink leads from the link of a run on to Slack, which asks who one is: to the
// message by which those who decide were asked in a channel, or to our Home tab. What
// it answers tells nothing of the run, nor that there is one: whoever has only the
// link learns of a place in Slack at most.
func (a *App) openLink(w http.ResponseWriter, r *http.Request) {
	to := ""
	if id := r.PathValue("id"); id != "" {
		run, err := flow.RunOf(id)
		if err == nil && run == id { // no short ids here, which could be tried one after another
			found, err := a.Submit.Runs.Get(r.Context(), id)
			if err != nil && flow.CodeOf(err) != flow.CodeUnknownRun {
				a.Log.ErrorContext(r.Context(), "a link to a run can't be followed", "run", id, "error", err)
				http.Error(w, "this can't be opened now: try again in a minute", http.StatusServiceUnavailable)
				return
			}
			if err == nil {
				to = a.linkToOne(r.Context(), found, asksChannel)
			}
		}
	}
	if to == "" {
		to = a.homeAddress(r.Context())
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, to, http.StatusFound)
}

// ourApp is the app's own id, once Slack has said it.
type ourApp struct {
	mu sync.Mutex
	id string
}

// homeAddress is where a browser finds the app in Slack, or Slack alone while Slack does
// not say which app we are.
// https://docs.slack.dev/interactivity/deep-linking
func (a *App) homeAddress(ctx context.Context) string {
	a.app.mu.Lock()
	defer a.app.mu.Unlock()
	if a.app.id == "" {
		who, err := a.API.AuthTestContext(ctx)
		var bot *slack.Bot
		if err == nil {
			bot, err = a.API.GetBotInfoContext(ctx, slack.GetBotInfoParameters{Bot: who.BotID, TeamID: who.TeamID})
		}
		if err != nil || !appPattern.MatchString(bot.AppID) {
			a.Log.WarnContext(ctx, "Slack does not say which app this is; a link leads to Slack only", "error", err)
			return "https://slack.com/app_redirect"
		}
		a.app.id = bot.AppID
	}
	to := url.Values{"app": {a.app.id}}
	if team := a.Directory.Team; teamPattern.MatchString(team) {
		to.Set("team", team)
	}
	return "https://slack.com/app_redirect?" + to.Encode()
}

// linkShared shows a run as a Work Object where its link was posted. Everybody in the
// conversation sees that, so it has the run's short id and nothing else; who opens it
// is shown what they may see (detailsAsked).
// https://docs.slack.dev/messaging/work-objects-implementation
func (a *App) linkShared(ctx context.Context, e event) error {
	var shared struct {
		Channel string `json:"channel"`
		TS      string `json:"message_ts"`
		Source  string `json:"source"`
		Links   []struct {
			URL string `json:"url"`
		} `json:"links"`
	}
	if json.Unmarshal(e.Inner, &shared) != nil || shared.Source == "composer" || !channelIDPattern.MatchString(shared.Channel) {
		return nil // while somebody is writing it, there is nothing to show it in
	}
	who, err := a.viewer(ctx, e.User)
	if who == nil || err != nil {
		return err
	}
	var entities []slack.WorkObjectEntity
	for _, l := range shared.Links {
		id := a.runOfLink(l.URL)
		r, may, err := a.seen(ctx, *who, id)
		if err != nil {
			return err
		}
		if !may { // who posts it has to know the run: others learn from us that there is one
			continue
		}
		entities = append(entities, slack.WorkObjectEntity{
			AppUnfurlURL: l.URL, URL: a.addressOf(id), ExternalRef: slack.WorkObjectExternalRef{ID: id},
			EntityType: slack.EntityTypeItem, EntityPayload: map[string]any{"attributes": attributesOf(r)},
		})
	}
	if len(entities) == 0 {
		return nil
	}
	_, _, _, err = a.API.UnfurlMessageWorkObjectContext(ctx, shared.Channel, shared.TS, nil, slack.WorkObjectMetadata{Entities: entities})
	if _, refused := err.(slack.SlackErrorResponse); refused { // repeating it would be refused again
		a.Log.WarnContext(ctx, "Slack took no preview of a link", "error", err)
		return nil
	}
	return err
}

// detailsAsked shows a run beside the conversation in which somebody opened its Work
// Object: to those who may see it. Others are told the same as of a run that is not.
func (a *App) detailsAsked(ctx context.Context, e event) error {
	var asked struct {
		Trigger string `json:"trigger_id"`
		Ref     struct {
			ID string `json:"id"`
		} `json:"external_ref"`
	}
	if json.Unmarshal(e.Inner, &asked) != nil || asked.Trigger == "" {
		return nil
	}
	answer := slack.EntityPresentDetailsParameters{TriggerID: asked.Trigger, Error: &slack.EntityDetailsError{Status: "restricted"}}
	who, err := a.viewer(ctx, e.User)
	if err != nil {
		return err
	}
	if who != nil {
		r, may, err := a.seen(ctx, *who, asked.Ref.ID)
		if err != nil {
			return err
		}
		if may {
			answer.Error = nil
			answer.Metadata = &slack.EntityDetailsMetadata{
				EntityType: slack.EntityTypeItem, URL: a.addressOf(r.ID), ExternalRef: slack.WorkObjectExternalRef{ID: r.ID}, EntityPayload: detailsOf(r),
			}
		}
	}
	if err := a.API.EntityPresentDetailsContext(ctx, answer); err != nil { // its trigger is good once, and for seconds
		a.Log.WarnContext(ctx, "Slack took no details of a run", "error", err)
	}
	return nil
}

// viewer is somebody who is here and may see runs; nil for others.
func (a *App) viewer(ctx context.Context, slackID string) (*store.User, error) {
	who, err := a.Directory.Known(ctx, slackID)
	if flow.CodeOf(err) == flow.CodeUnknownUser || who.Role == store.RoleBot || who.Role == store.RoleDeactivated {
		return nil, nil
	}
	return &who, err
}

// seen reads a run, if a person may see it.
func (a *App) seen(ctx context.Context, who store.User, id string) (flow.Run, bool, error) {
	if id == "" {
		return flow.Run{}, false, nil
	}
	r, err := a.Submit.Runs.Get(ctx, id)
	if flow.CodeOf(err) == flow.CodeUnknownRun {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	may, err := a.maySee(ctx, who, r)
	return r, may, err
}

// attributesOf says which run it is, and nothing of it.
func attributesOf(r flow.Run) map[string]any {
	return map[string]any{"title": map[string]any{"text": "Request " + shortID(r)}, "display_id": shortID(r), "display_type": "Request"}
}

// detailsOf shows a run to somebody who may see it.
func detailsOf(r flow.Run) map[string]any {
	c := card{Run: r}
	var fields []map[string]any
	add := func(key, label, kind string, value any) {
		f := map[string]any{"key": key, "label": label, "type": kind, "value": value}
		if kind == "slack#/types/user" {
			delete(f, "value")
			f["user"] = map[string]any{"user_id": value}
		}
		fields = append(fields, f)
	}
	text := func(key, label, value string) { add(key, label, "string", plain(value, maxValue).Text) }
	if slackIDPattern.MatchString(r.Requester.SlackID) {
		add("requester", "Requester", "slack#/types/user", r.Requester.SlackID)
	} else {
		text("requester", "Requester", r.Requester.Display())
	}
	if r.ByAgent() {
		text("agent", "Asked by agent", r.Asker.Display())
	}
	text("status", "State", strings.TrimSuffix(sentence(c.word()), "."))
	text("flow", "Flow", r.FlowTitle)
	if given := r.GivenTarget(); given != nil {
		text("target", "Target", given.Title())
	}
	if reason := r.Reason(); reason != "" {
		text("reason", "Why", reason)
	}
	if r.ByAgent() && r.Agent.Purpose != "" {
		text("purpose", "Purpose, as the agent says", r.Agent.Purpose)
	}
	add("asked", "Asked", "slack#/types/timestamp", askedAt(r).Unix())
	if end := endOf(r); !end.IsZero() {
		add("ends", "Ends", "slack#/types/timestamp", end.Unix())
	}
	return map[string]any{"attributes": attributesOf(r), "custom_fields": fields}
}
