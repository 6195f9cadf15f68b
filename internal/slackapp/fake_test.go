package slackapp

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
	"github.com/symflows/symflows/internal/workflow"
)

// fakeSlack is Slack's Web API as far as this package needs it: the real
// forms and JSON, answers that can be made to fail, and a list of the calls.
type fakeSlack struct {
	*httptest.Server
	mu    sync.Mutex
	calls []call
	// unknown is how often views with an external id are not known yet.
	unknown int
	fail    map[string]string // by method: an error name, "429" or "500"
	first   map[string]string // likewise, of the next call alone
	people  map[string]map[string]any
	groups  []map[string]any
	// org are the workspaces of the organisation that the token is for; none: it
	// is for one workspace. Groups are then those of the first one.
	org []string
}

const enterprise = "E0ORG"

// wantsTeam are the methods that have to be told which workspace is meant
// where the token is for an organisation.
var wantsTeam = []string{"usergroups.list", "usergroups.users.list", "users.list", "conversations.list"}

// call is one call of a method, or a message to a response URL.
type call struct {
	Method string
	Args   map[string]any // texts, or JSON where a value is JSON
}

const (
	team    = "T0TEAM"
	alice   = "U0ALICE"   // asks
	bob     = "U0BOB"     // an approver
	carol   = "U0CAROL"   // a member, no approver
	gus     = "U0GUEST"   // a guest
	dora    = "U0DORA"    // deactivated
	stranga = "U0STRANGA" // of another workspace
)

func newFakeSlack(t testing.TB) *fakeSlack {
	s := &fakeSlack{fail: map[string]string{}, people: map[string]map[string]any{
		alice:   {"name": "alice", "team_id": team, "profile": map[string]any{"display_name": "Alice", "email": "alice@example.com"}},
		bob:     {"name": "bob", "team_id": team, "profile": map[string]any{"real_name": "Bob", "email": "Bob@example.com"}},
		carol:   {"name": "carol", "team_id": team, "profile": map[string]any{}},
		gus:     {"name": "gus", "team_id": team, "is_restricted": true, "profile": map[string]any{"email": "gus@example.com"}},
		dora:    {"name": "dora", "team_id": team, "deleted": true, "profile": map[string]any{"email": "dora@example.com"}},
		stranga: {"name": "stranga", "team_id": "T0OTHER", "profile": map[string]any{"email": "s@example.com"}},
		"UBOT":  {"name": "bot", "team_id": team, "is_bot": true, "profile": map[string]any{}},
		// Slack does not call Slackbot a bot.
		"USLACKBOT": {"name": "slackbot", "team_id": team, "is_bot": false, "profile": map[string]any{"real_name": "Slackbot"}},
	}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *fakeSlack) client() *slack.Client {
	return slack.New("xoxb-test", slack.OptionAPIURL(s.URL+"/"), slack.OptionAppLevelToken("xapp-test"))
}

func (s *fakeSlack) serve(w http.ResponseWriter, r *http.Request) {
	method := strings.TrimPrefix(r.URL.Path, "/")
	body, _ := io.ReadAll(r.Body)
	args := map[string]any{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		_ = json.Unmarshal(body, &args)
	} else {
		form, _ := url.ParseQuery(string(body))
		maps.Copy(form, r.URL.Query())
		for k := range form {
			args[k] = form.Get(k)
			var v any
			if k == "blocks" && json.Unmarshal([]byte(form.Get(k)), &v) == nil {
				args[k] = v
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call{method, args})
	w.Header().Set("Content-Type", "application/json")
	failure := s.fail[method]
	if once, ok := s.first[method]; ok {
		failure = once
		delete(s.first, method)
	}
	switch failure {
	case "":
	case "429":
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case "500":
		w.WriteHeader(http.StatusInternalServerError)
		return
	case "missing_scope":
		fmt.Fprint(w, `{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"commands,im:write"}`)
		return
	default:
		fmt.Fprintf(w, `{"ok":false,"error":%q}`, failure)
		return
	}
	if asked, _ := args["team_id"].(string); slices.Contains(wantsTeam, method) && len(s.org) > 0 && !slices.Contains(s.org, asked) {
		fmt.Fprint(w, `{"ok":false,"error":"missing_argument"}`)
		return
	}
	answer := map[string]any{"ok": true}
	switch method {
	case "auth.test":
		answer["team_id"], answer["bot_id"] = team, "B0SYM"
		if len(s.org) > 0 {
			answer["team_id"], answer["enterprise_id"], answer["is_enterprise_install"] = enterprise, enterprise, true
		}
	case "auth.teams.list": // one on each page
		i := slices.Index(s.org, fmt.Sprint(args["cursor"])) + 1
		answer["teams"] = []map[string]any{{"id": s.org[i], "name": "Workspace"}}
		if i+1 < len(s.org) {
			answer["response_metadata"] = map[string]any{"next_cursor": s.org[i]}
		}
	case "users.info", "users.lookupByEmail":
		id, _ := args["user"].(string)
		for candidate, p := range s.people {
			if email, _ := p["profile"].(map[string]any)["email"].(string); email != "" && strings.EqualFold(email, fmt.Sprint(args["email"])) {
				id = candidate
			}
		}
		p, ok := s.people[id]
		if !ok {
			fmt.Fprint(w, `{"ok":false,"error":"user_not_found"}`)
			return
		}
		p = maps.Clone(p)
		p["id"] = id
		answer["user"] = p
	case "users.list":
		var members []map[string]any
		for _, id := range slices.Sorted(maps.Keys(s.people)) {
			p := maps.Clone(s.people[id])
			p["id"] = id
			members = append(members, p)
		}
		answer["members"] = members
	case "conversations.list": // two pages
		answer["channels"] = []map[string]any{{"id": "C0GENERAL", "name": "general"}}
		answer["response_metadata"] = map[string]any{"next_cursor": "more"}
		if args["cursor"] == "more" {
			answer["channels"] = []map[string]any{{"id": "C0OPSROOM", "name": "ops"}}
			delete(answer, "response_metadata")
		}
	case "conversations.members":
		answer["members"] = []string{alice, "UBOT"}
		answer["response_metadata"] = map[string]any{"next_cursor": "more"}
		if args["cursor"] == "more" {
			answer["members"] = []string{gus, "U0GONE"}
			delete(answer, "response_metadata")
		}
	case "usergroups.list":
		answer["usergroups"] = slices.DeleteFunc(slices.Clone(s.groups), func(g map[string]any) bool {
			return len(s.org) > 0 && g["team_id"] != args["team_id"]
		})
	case "usergroups.users.list":
		answer["users"] = []string{bob, carol, "U0GONE"}
		for _, g := range s.groups {
			if users, ok := g["users"]; ok && g["id"] == args["usergroup"] {
				answer["users"] = users
			}
		}
	case "conversations.open":
		answer["channel"] = map[string]any{"id": "D0" + strings.ReplaceAll(fmt.Sprint(args["users"]), ",", "")}
	case "chat.postMessage":
		answer["channel"], answer["ts"] = "C0RESOLVED", "1700000000.000100"
		switch c := fmt.Sprint(args["channel"]); {
		case strings.HasPrefix(c, "D"):
			answer["channel"] = c
		case strings.HasPrefix(c, "U"):
			answer["channel"] = "D0" + c
		}
	case "chat.postEphemeral":
		answer["message_ts"] = "1700000000.000200"
	case "views.publish":
		answer["view"] = map[string]any{"id": "V0HOME", "hash": "1.home"}
	case "views.open":
		answer["view"] = map[string]any{"id": "V0OPENED"}
	case "views.update":
		id := args["view_id"]
		if args["external_id"] != nil {
			if s.unknown--; s.unknown >= 0 {
				fmt.Fprint(w, `{"ok":false,"error":"not_found"}`)
				return
			}
			id = "V0OPENED"
		}
		answer["view"] = map[string]any{"id": id}
	case "bots.info":
		answer["bot"] = map[string]any{"id": args["bot"], "app_id": "A0SYM"}
	case "chat.getPermalink":
		answer["permalink"] = fmt.Sprintf("https://sym.slack.com/archives/%s/p%s", args["channel"], strings.Replace(fmt.Sprint(args["message_ts"]), ".", "", 1))
	case "chat.update":
		answer["channel"], answer["ts"] = args["channel"], args["ts"]
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// of lists the calls of a method.
func (s *fakeSlack) of(method string) []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []call
	for _, c := range s.calls {
		if c.Method == method {
			out = append(out, c)
		}
	}
	return out
}

func (s *fakeSlack) failing(method, how string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[method] = how
}

// once has the next call of a method fail, and no other.
func (s *fakeSlack) once(method, how string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first = map[string]string{method: how}
}

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const secret = "shh-it-is-a-test"

// world is an App with everything around it.
type world struct {
	t     testing.TB
	slack *fakeSlack
	store store.Store
	runs  store.Runs
	app   *App
	now   time.Time
	log   *strings.Builder
	http  http.Handler
	n     int
}

func accessFlow() *flow.Flow {
	return &flow.Flow{
		Org: "sym", Name: "prod-access", Label: "Production access",
		Environment: flow.Environment{Name: "main", Admins: []string{"bob@example.com"}},
		Strategy: &flow.Strategy{Name: "databases", Type: "http", Targets: []flow.Target{
			{Name: "orders-db", Type: "http", Label: "Orders database"}, {Name: "users-db", Type: "http"},
		}},
		Params: flow.Params{
			AllowRevoke: true, ScheduleDeescalation: true, IncludeDecision: true,
			PromptFields: []flow.PromptField{
				{Name: "reason", Type: flow.FieldString, Label: "Why", Required: true, Visible: true},
				{Name: "duration", Type: flow.FieldDuration, Label: "How long", Required: true, Visible: true, AllowedValues: []string{"30s", "1h"}},
			},
			Approval: flow.Approval{Notify: []flow.Notify{{Channel: "#access-prod"}}, Required: 1},
		},
	}
}

func reportFlow() *flow.Flow {
	return &flow.Flow{
		Org: "sym", Name: "report", Environment: flow.Environment{Name: "main"},
		Params: flow.Params{
			PromptFields: []flow.PromptField{{Name: "table", Type: flow.FieldString, Label: "Table", Required: true, Visible: true}},
			Approval:     flow.Approval{Notify: []flow.Notify{{Channel: "#reports"}}, Required: 1},
		},
	}
}

func newWorld(t testing.TB, s store.Store, flows ...*flow.Flow) *world {
	w := &world{t: t, slack: newFakeSlack(t), store: s, runs: store.Runs{Store: s}, now: start, log: &strings.Builder{}}
	now := func() time.Time { return w.now }
	published := &store.Flows{Store: s}
	if len(flows) == 0 {
		flows = []*flow.Flow{accessFlow(), reportFlow()}
	}
	if _, err := published.Publish(t.Context(), flow.Author{}, flows); err != nil {
		t.Fatal(err)
	}
	directory := &Directory{API: w.slack.client(), Users: store.Users{Store: s}, Org: "sym", Team: team, Now: now}
	w.app = &App{
		Lingering: store.Lingering{Store: s}, Messages: store.Messages{Store: s}, Deliveries: store.Deliveries{Store: s, Now: now},
		Submit:   workflow.Submit{Org: "sym", Runs: w.runs, Flows: published, Directory: directory, Now: now},
		Accounts: workflow.Accounts{Users: store.Users{Store: s}, Flows: published, Now: now},
		Flows:    published, Directory: directory, API: w.slack.client(), APIURL: w.slack.URL + "/api/", Now: now, Wall: now, Patience: deadline.LastResort,
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	w.app.Explain = explainer(s, directory, code{})
	w.app.Home = Home{API: w.slack.client(), Runs: w.runs, Flows: published, Homes: store.Homes{Store: s}, Waits: store.Waits{Store: s, Now: now},
		Live: store.Live{Store: s, Now: now}, Stats: store.Stats{Store: s}, Now: now, Log: w.app.Log}
	w.http = w.app.Handler(FixedSecret(secret))
	return w
}

func memoryWorld(t testing.TB, flows ...*flow.Flow) *world {
	at := func() time.Time { return start }
	w := newWorld(t, &storetest.Memory{Now: func() time.Time { return at() }}, flows...)
	at = w.app.Now
	return w
}

// post sends a signed request.
func (w *world) post(path, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	stamp := strconv.FormatInt(w.now.Unix(), 10)
	req.Header.Set("X-Slack-Request-Timestamp", stamp)
	req.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(sign(secret, stamp, []byte(body))))
	rec := httptest.NewRecorder()
	w.http.ServeHTTP(rec, req)
	return rec
}

// command sends /sym, and returns the text of the answer.
func (w *world) command(user, text string) string {
	w.t.Helper()
	w.n++
	return w.ok(w.post("/slack/commands", commandBody(user, text, "trigger-"+strconv.Itoa(w.n))))
}

func commandBody(user, text, trigger string) string {
	return url.Values{
		"command": {"/sym"}, "text": {text}, "user_id": {user}, "team_id": {team}, "channel_id": {"C0HERE"}, "trigger_id": {trigger},
	}.Encode()
}

func (w *world) interact(payload map[string]any) string {
	w.t.Helper()
	return w.ok(w.post("/slack/interactions", interactionBody(payload)))
}

func interactionBody(payload map[string]any) string {
	b, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	return url.Values{"payload": {string(b)}}.Encode()
}

// suggestionBody is what Slack asks while alice types into a picker.
func suggestionBody(t testing.TB, view slack.ModalViewRequest, block, typed string) string {
	v := viewOf(t, view)
	return interactionBody(map[string]any{
		"type": "block_suggestion", "team": map[string]any{"id": team}, "user": map[string]any{"id": alice}, "block_id": block, "action_id": actionValue, "value": typed,
		"view": map[string]any{"callback_id": v.CallbackID, "private_metadata": v.PrivateMetadata},
	})
}

func (w *world) ok(rec *httptest.ResponseRecorder) string {
	w.t.Helper()
	if rec.Code != http.StatusOK {
		w.t.Fatalf("answer %d: %s", rec.Code, rec.Body)
	}
	return rec.Body.String()
}

// opened is the view that was opened last.
func (w *world) opened() slack.View {
	w.t.Helper()
	calls := w.slack.of("views.open")
	if len(calls) == 0 {
		w.t.Fatal("no view was opened")
	}
	return viewOf(w.t, calls[len(calls)-1].Args["view"])
}

// sentForm is the view that was opened last, as it was sent.
func (w *world) sentForm() json.RawMessage {
	w.t.Helper()
	w.opened()
	calls := w.slack.of("views.open")
	raw, err := json.Marshal(calls[len(calls)-1].Args["view"])
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// updated is what the open view was changed into last.
func (w *world) updated() slack.View {
	w.t.Helper()
	calls := w.slack.of("views.update")
	if len(calls) == 0 {
		w.t.Fatal("no view was updated")
	}
	last := calls[len(calls)-1].Args
	if last["view_id"] != "V0OPENED" {
		w.t.Errorf("updated view %v", last["view_id"])
	}
	return viewOf(w.t, last["view"])
}

func viewOf(t testing.TB, v any) slack.View {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var view slack.View
	if err := json.Unmarshal(b, &view); err != nil {
		t.Fatal(err)
	}
	return view
}

// received is a view as payloads have it.
func received(t testing.TB, v any) view {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var got view
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// submission is the payload of a form that is sent with values.
func submission(user string, v slack.View, values map[string]any) map[string]any {
	state := map[string]any{}
	for field, value := range values {
		state[field] = map[string]any{actionValue: value}
	}
	return map[string]any{
		"type": "view_submission", "team": map[string]any{"id": team}, "user": map[string]any{"id": user}, "trigger_id": "sent-" + v.CallbackID,
		"view": map[string]any{
			"id": "V1", "callback_id": v.CallbackID, "private_metadata": v.PrivateMetadata, "blocks": v.Blocks,
			"state": map[string]any{"values": state},
		},
	}
}

func typed(s string) map[string]any { return map[string]any{"type": "plain_text_input", "value": s} }
func chosen(s string) map[string]any {
	return map[string]any{"type": "static_select", "selected_option": map[string]any{"value": s}}
}

// form is a right one for accessFlow.
func form() map[string]any {
	return map[string]any{
		"target_id": chosen(flow.TargetID("sym", "orders-db")), "reason": typed("fix the orders"), "duration": chosen("1h"),
	}
}

// clickOn is the payload of a button in a message.
func (w *world) clickOn(user, action, value, message string) map[string]any {
	run, _, _ := strings.Cut(value, " ")
	return map[string]any{
		"message": map[string]any{"ts": "1700000000.000100", "blocks": []any{
			map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": "…"}},
			map[string]any{"type": "actions", "elements": []any{map[string]any{"type": "button", "action_id": action, "value": value, "text": map[string]any{"type": "plain_text", "text": "Press"}}}},
			map[string]any{"type": "context", "elements": []any{map[string]any{"type": "plain_text", "text": "Request " + flow.ShortID(run)}}},
		}},
		"type": "block_actions", "team": map[string]any{"id": team}, "user": map[string]any{"id": user},
		"response_url": w.slack.URL + "/response-url",
		"container":    map[string]any{"type": "message", "channel_id": "C0MSG", "message_ts": "1700000000.000100"},
		"actions":      []any{map[string]any{"type": "button", "block_id": "b1", "action_id": action, "value": value}},
		"state":        map[string]any{"values": map[string]any{blockDecision: map[string]any{actionValue: typed(message)}}},
	}
}

// shownForm is the form of prod-access, as it opens for alice.
func (w *world) shownForm() slack.View {
	w.t.Helper()
	if got := w.command(alice, "req prod-access"); got != "" {
		w.t.Fatalf("the form did not open: %s", got)
	}
	return w.opened()
}

// run makes a run of prod-access by alice and applies inputs to it.
func (w *world) run(inputs ...flow.Input) flow.Run {
	w.t.Helper()
	view := w.shownForm()
	if got := w.interact(submission(alice, view, form())); got != "" {
		w.t.Fatalf("the form was not taken: %s", got)
	}
	id := metadataOf(received(w.t, view)).Run
	for _, in := range inputs {
		w.apply(id, in)
	}
	r, err := w.runs.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) apply(id string, in flow.Input) flow.Run {
	w.t.Helper()
	r, err := w.runs.Change(w.t.Context(), id, w.app.Now, func(flow.Run) (flow.Input, error) { return in, nil })
	if err != nil {
		w.t.Fatalf("%T: %v", in, err)
	}
	return r
}

func person(id, name string) flow.Actor {
	email := strings.ToLower(name) + "@example.com"
	return flow.Actor{ID: flow.UserID("sym", email), Kind: flow.KindPerson, Email: email, Name: name, SlackID: id, SlackTeam: team}
}

// routed opens the request: bob may decide.
func (w *world) routed() flow.Run {
	w.t.Helper()
	r := w.run()
	return w.apply(r.ID, flow.Route{SignalID: r.Signals[0].ID, Tiers: []flow.Tier{{Channel: "#access-prod"}},
		Deciders: flow.Deciders{People: []flow.Actor{person(bob, "Bob")}, Required: 1}})
}

func value(r flow.Run) string { return buttonValue(r, workflow.Message{Kind: workflow.KindRequest}) }
