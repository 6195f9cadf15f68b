package slackapp

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

func TestFormBecomesTheRequest(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	r := w.run()
	if r.Status != flow.Prompted || len(r.Signals) != 1 || r.Signals[0].Action != flow.ActionRequest {
		t.Fatalf("status %s, signals %v", r.Status, r.Signals)
	}
	want := map[string]any{"target_id": flow.TargetID("sym", "orders-db"), "reason": "fix the orders", "duration": float64(3600)}
	if diff := cmp.Diff(want, r.Fields); diff != "" {
		t.Error(diff)
	}
	if r.SourceChannel != "C0HERE" || r.Requester.Email != "alice@example.com" || r.Requester.SlackID != alice {
		t.Errorf("asked in %q by %+v", r.SourceChannel, r.Requester)
	}
	t.Run("Twice", func(t *testing.T) {
		if got := w.interact(submission(alice, w.opened(), form())); got != "" {
			t.Errorf("answer %q", got)
		}
		again, err := w.runs.Get(t.Context(), r.ID)
		if diff := cmp.Diff(r, again); err != nil || diff != "" {
			t.Errorf("submitting twice changed the run (%v):\n%s", err, diff)
		}
	})
}

func TestFormFaults(t *testing.T) {
	t.Parallel()
	with := func(field string, v any) map[string]any {
		f := form()
		f[field] = v
		return f
	}
	w := memoryWorld(t)
	w.command(alice, "req prod-access")
	view := w.opened()
	forged, other := view, view
	forged.PrivateMetadata = metadata{Run: flow.RunIDFrom("sym", "no such")}.String()
	other.PrivateMetadata = "not ours"
	for _, c := range []struct {
		name    string
		user    string
		view    slack.View
		values  map[string]any
		answers []string
	}{
		{"Missing", alice, view, with("reason", typed(" ")), []string{`"response_action":"errors"`, `"reason":"Is required."`}},
		{"NotAllowed", alice, view, with("duration", chosen("9h")), []string{"\"errors\":{\"duration\":\"`9h` is not allowed"}},
		{"NoSuchTarget", alice, view, with("target_id", chosen("x")), []string{"\"target_id\":\"`x` is not one of the flow's targets.\""}},
		{"TwoAtOnce", alice, view, map[string]any{"target_id": chosen("orders-db")}, []string{`"duration":"Is required."`, `"reason":"Is required."`}},
		{"UnknownField", alice, view, with("admin", typed("yes")), []string{`"target_id":"“admin” is not a field of flow \"prod-access\"."`}},
		{"TooLarge", alice, view, with("reason", typed(strings.Repeat("x", 40<<10))), []string{`"errors":{"target_id":"The fields are larger than 32 KB`}},
		{"SomebodyElsesForm", bob, view, form(), []string{`"errors":{"target_id":"This form was opened by somebody else."`}},
		{"ForgedRun", alice, forged, form(), []string{`"response_action":"update"`, "not known here"}},
		{"ForgedMetadata", alice, other, form(), []string{`"response_action":"update"`, "not known here"}},
	} {
		got := w.interact(submission(c.user, c.view, c.values))
		for _, want := range c.answers {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %s lacks %s", c.name, got, want)
			}
		}
	}
	w.app.Submit.Bound = func(flow.Strategy, flow.Target) error {
		return &flow.Error{Code: flow.CodeInvalid, Fields: []flow.FieldError{{Field: "reason", Message: "must be the 12 digits of an account"}}}
	}
	if got := w.interact(submission(alice, view, form())); !strings.Contains(got, `"errors":{"reason":"Must be the 12 digits of an account."}`) {
		t.Errorf("a value that the target can't have: %s", got)
	}
	w.app.Submit.Bound = nil
	r, err := w.runs.Get(t.Context(), metadataOf(received(t, view)).Run)
	if err != nil || len(r.Signals) > 0 {
		t.Errorf("a wrong form was taken: %v %v", r.Signals, err)
	}
	t.Run("OpenTooLong", func(t *testing.T) {
		w.now = start.Add(flow.PromptTimeout + time.Hour)
		r := w.apply(r.ID, flow.Receive{Action: flow.ActionTimeout, Actor: flow.System, Channel: flow.ChannelInternal})
		w.apply(r.ID, flow.Forward{SignalID: r.Signals[0].ID})
		if got := w.interact(submission(alice, view, form())); !strings.Contains(got, `"response_action":"update"`) || !strings.Contains(got, "open too long") {
			t.Errorf("answer %s", got)
		}
	})
}

func TestFlowPicker(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	w.interact(map[string]any{
		"type": "shortcut", "callback_id": "anything", "team": map[string]any{"id": team}, "user": map[string]any{"id": alice}, "trigger_id": "short",
	})
	picker := w.opened()
	if picker.CallbackID != viewFlow {
		t.Fatalf("view %q", picker.CallbackID)
	}
	if n := runsIn(t, w.runs); n != 0 {
		t.Fatalf("%d runs before a flow is chosen", n)
	}
	got := w.interact(submission(alice, picker, map[string]any{blockFlow: chosen("report")}))
	if !strings.Contains(got, `"response_action":"update"`) || !strings.Contains(got, `"callback_id":"request"`) {
		t.Fatalf("answer %s", got)
	}
	r, err := w.runs.Get(t.Context(), flow.RunIDFrom("sym", "slack", team, "sent-flow"))
	if err != nil || r.Flow != "report" || r.Status != flow.Prompted {
		t.Errorf("run %+v, %v", r, err)
	}
	if got := w.interact(submission(alice, picker, map[string]any{blockFlow: chosen("nope")})); !strings.Contains(got, `"errors":{"flow":"There is no flow`) {
		t.Errorf("answer %s", got)
	}
	if got := w.interact(submission(gus, picker, map[string]any{blockFlow: chosen("report")})); !strings.Contains(got, `"errors":{"flow":"Guests`) {
		t.Errorf("answer %s", got)
	}
	t.Run("ShortcutOfAGuest", func(t *testing.T) {
		w.interact(map[string]any{"type": "shortcut", "team": map[string]any{"id": team}, "user": map[string]any{"id": gus}, "trigger_id": "g"})
		said := w.slack.of("chat.postMessage")
		if len(said) != 1 || said[0].Args["channel"] != "D0"+gus || !strings.Contains(said[0].Args["text"].(string), "Guests") {
			t.Errorf("told %v", said)
		}
	})
}

func TestClick(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user, action, message string
		want                  flow.Action // the signal that it becomes
		told                  string      // the ephemeral answer
	}{
		"Approve":           {bob, "approve", "looks fine", flow.ActionApprove, ""},
		"Deny":              {bob, "deny", "", flow.ActionDeny, ""},
		"Cancel":            {alice, "cancel", "", flow.ActionCancel, ""},
		"CancelByAnother":   {bob, "cancel", "", "", "Only the requester can cancel a request."},
		"SelfApproval":      {alice, "approve", "", "", "You can't approve your own request."},
		"NotAnApprover":     {carol, "approve", "", "", "Only Bob can decide this request."},
		"DenyOfANonDecider": {carol, "deny", "", "", "Only Bob can decide this request."},
		"Guest":             {gus, "approve", "", "", "Guests of the workspace can't decide requests of this flow."},
		"Stranger":          {stranga, "deny", "", "", "Guests of the workspace can't decide requests of this flow."},
		"Deactivated":       {dora, "approve", "", "", "This user has been deactivated."},
		"Bot":               {"UBOT", "approve", "", "", "Bots of the workspace can't press buttons."},
		"Slackbot":          {"USLACKBOT", "deny", "", "", "Bots of the workspace can't press buttons."},
		"EndTooEarly":       {alice, "deescalate", "", "", "There is no access to end: the run is requested."},
		"TooMuchToSay":      {bob, "approve", strings.Repeat("ö", 3001), "", "The message is too long: at most 3000 characters."},
		"RetryOfNothing":    {bob, "retry", "", "", "Only the requester, the approver and admins can retry this."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t)
			r := w.routed()
			if got := w.interact(w.clickOn(c.user, c.action, value(r), c.message)); got != "" {
				t.Errorf("answer %q", got)
			}
			after, err := w.runs.Get(t.Context(), r.ID)
			if err != nil {
				t.Fatal(err)
			}
			told := ""
			if said := w.slack.of("response-url"); len(said) > 0 {
				told, _ = said[0].Args["text"].(string)
				if said[0].Args["response_type"] != "ephemeral" || said[0].Args["replace_original"] == true {
					t.Errorf("told as %v", said[0].Args)
				}
			}
			if told != c.told {
				t.Errorf("told %q, want %q", told, c.told)
			}
			if c.want == "" {
				if len(after.Signals) > 0 {
					t.Errorf("became %v", after.Signals)
				}
				return
			}
			if len(after.Signals) != 1 {
				t.Fatalf("signals %v", after.Signals)
			}
			s := after.Signals[0]
			via := &flow.MessageRef{Key: "request:0", Channel: "C0MSG", TS: "1700000000.000100"}
			if s.Action != c.want || s.Actor.SlackID != c.user || s.Message != c.message || s.Channel != flow.ChannelSlack || !cmp.Equal(s.Via, via) {
				t.Errorf("became %+v", s)
			}
			t.Run("Twice", func(t *testing.T) {
				w.interact(w.clickOn(c.user, c.action, value(r), c.message))
				again, err := w.runs.Get(t.Context(), r.ID)
				if diff := cmp.Diff(after, again); err != nil || diff != "" {
					t.Errorf("a double click changed the run (%v):\n%s", err, diff)
				}
				if said := w.slack.of("response-url"); len(said) > 0 {
					t.Errorf("a double click was told %v", said)
				}
			})
		})
	}
}

// A person who is too late is told who was first, and the message that still
// had the button is brought up to date.
func TestClickOnADecidedRun(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	r := w.routed()
	r = w.apply(r.ID, flow.Receive{Action: flow.ActionDeny, Actor: person(bob, "Bob"), Channel: flow.ChannelSlack})
	w.apply(r.ID, flow.Decide{SignalID: r.Signals[0].ID})
	r, err := w.runs.Get(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.interact(w.clickOn(bob, "approve", value(r), ""))
	said := w.slack.of("response-url")
	if len(said) != 1 || said[0].Args["text"] != "This request was already denied by Bob." {
		t.Fatalf("told %v", said)
	}
	edits := w.slack.of("chat.update")
	if len(edits) != 1 || edits[0].Args["channel"] != "C0MSG" || edits[0].Args["ts"] != "1700000000.000100" {
		t.Fatalf("edits %v", edits)
	}
	if text := edits[0].Args["text"].(string); !strings.Contains(text, "denied") {
		t.Errorf("edited to %q", text)
	}
	after, err := w.runs.Get(t.Context(), r.ID)
	if diff := cmp.Diff(r, after); err != nil || diff != "" {
		t.Errorf("the click changed the run (%v):\n%s", err, diff)
	}
}

func TestForgedButtons(t *testing.T) {
	t.Parallel()
	const unknown, astray = "not known here", "not one of the message that it is in"
	for name, c := range map[string]struct{ forged, told string }{
		"Nothing":        {"", astray},
		"NoRun":          {"hello request:0", unknown},
		"UnknownRun":     {flow.RunIDFrom("sym", "x") + " request:0", unknown},
		"Injection":      {"run#../grant request:0", unknown},
		"LongGarbage":    {strings.Repeat("9", 2000), astray},
		"OnlySpaces":     {"   ", astray},
		"RunIsAnEvent":   {flow.EventID(flow.RunIDFrom("sym", "x"), 3) + " request:0", unknown},
		"UnknownMessage": {flow.RunIDFrom("sym", "x") + " nonsense:7", astray},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t)
			w.interact(w.clickOn(bob, "approve", c.forged, ""))
			said := w.slack.of("response-url")
			if len(said) != 1 || !strings.Contains(said[0].Args["text"].(string), c.told) {
				t.Errorf("told %v", said)
			}
		})
	}
}

// A button counts for the run of its own message only, whoever wrote that.
func TestClick_AnotherMessage(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	var other = flow.RunIDFrom("sym", "other")
	actions := func(values ...string) object {
		var elements []any
		for _, v := range values {
			elements = append(elements, object{"type": "button", "value": v})
		}
		return object{"type": "actions", "elements": elements}
	}
	names := func(run string) object {
		return object{"type": "context", "elements": []any{object{"type": "image"}, object{"type": "plain_text", "text": "Request " + run}}}
	}
	shows := func(run string) object { return names(flow.ShortID(run)) }
	for name, c := range map[string]struct {
		message func(run, value string) any
		counts  bool
	}{
		"Earlier":     {func(run, value string) any { return object{"blocks": []any{actions(value), names(run)}} }, true}, // of a release that wrote whole ids
		"Own":         {func(run, value string) any { return object{"blocks": []any{actions(value, value), shows(run)}} }, true},
		"None":        {func(string, string) any { return nil }, false},
		"Unreadable":  {func(string, string) any { return object{"blocks": 7} }, false},
		"OfAnother":   {func(_, value string) any { return object{"blocks": []any{actions(value), shows(other)}} }, false},
		"OfTwo":       {func(run, value string) any { return object{"blocks": []any{actions(value), shows(run), shows(other)}} }, false},
		"OfNone":      {func(_, value string) any { return object{"blocks": []any{actions(value)}} }, false},
		"NotItsOwn":   {func(run, _ string) any { return object{"blocks": []any{actions(), shows(run)}} }, false},
		"OtherTier":   {func(run, _ string) any { return object{"blocks": []any{actions(run + " request:1"), shows(run)}} }, false},
		"OtherDigest": {func(run, _ string) any { return object{"blocks": []any{actions(run + " request:0 00"), shows(run)}} }, false},
		"BesideOther": {func(run, value string) any {
			return object{"blocks": []any{actions(value, other+" request:0"), shows(run)}}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t)
			r := w.routed()
			payload := w.clickOn(bob, "approve", value(r), "")
			payload["message"] = c.message(r.ID, value(r))
			w.interact(payload)
			after, err := w.runs.Get(t.Context(), r.ID)
			if err != nil || (len(after.Signals) == 1) != c.counts {
				t.Errorf("signals %+v, %v", after.Signals, err)
			}
			said := w.slack.of("response-url")
			if c.counts != (len(said) == 0) || !c.counts && !strings.Contains(said[0].Args["text"].(string), "does not count") {
				t.Errorf("told %v", said)
			}
		})
	}
}

// TestClick_Changed: a click on what has changed since is answered with the new
// text, and not counted. Messages of before there were digests have none.
func TestClick_Changed(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	r := w.routed()
	r, err := w.runs.Get(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	old := r
	old.DurationSeconds /= 2
	for i, action := range []string{"approve", "deny"} {
		w.interact(w.clickOn(bob, action, value(old), ""))
		said, edits := w.slack.of("response-url"), w.slack.of("chat.update")
		if len(said) != i+1 || !strings.Contains(said[i].Args["text"].(string), "has changed since its message was written") {
			t.Fatalf("told %v", said)
		}
		if len(edits) != i+1 || edits[i].Args["ts"] != "1700000000.000100" || !strings.Contains(fmt.Sprint(edits[i].Args["blocks"]), flow.Words(r.Duration())) {
			t.Fatalf("edits %v", edits)
		}
		after, err := w.runs.Get(t.Context(), r.ID)
		if diff := cmp.Diff(r, after); err != nil || diff != "" {
			t.Errorf("the click changed the run (%v):\n%s", err, diff)
		}
	}
	w.interact(w.clickOn(alice, "cancel", value(old), "")) // that is never about what it says
	if after, err := w.runs.Get(t.Context(), r.ID); err != nil || len(after.Signals) != 1 {
		t.Errorf("the withdrawal: %+v, %v", after.Signals, err)
	}
	w.interact(w.clickOn(bob, "approve", r.ID+" request:0", ""))
	if after, err := w.runs.Get(t.Context(), r.ID); err != nil || len(after.Signals) != 2 {
		t.Errorf("an old button: %+v, %v", after.Signals, err)
	}
}

// What comes from a workspace that we don't serve does nothing, by whichever
// way it comes, even where somebody there has the id of one of ours.
func TestOtherWorkspace(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	r := w.routed()
	w.command(alice, "req prod-access")
	view := w.opened()
	before := runsIn(t, w.runs)
	elsewhere := func(payload map[string]any) string {
		payload["team"] = map[string]any{"id": "T0ELSE"}
		return w.interact(payload)
	}
	if got := elsewhere(submission(alice, view, form())); !strings.Contains(got, "another Slack workspace") {
		t.Errorf("form: %s", got)
	}
	if got := elsewhere(submission(alice, slack.View{CallbackID: viewFlow}, map[string]any{blockFlow: chosen("report")})); !strings.Contains(got, "another Slack workspace") {
		t.Errorf("picker: %s", got)
	}
	elsewhere(w.clickOn(bob, "approve", value(r), ""))
	if said := w.slack.of("response-url"); len(said) != 1 || !strings.Contains(said[0].Args["text"].(string), "another Slack workspace") {
		t.Errorf("click: %v", said)
	}
	opened := len(w.slack.of("views.open"))
	elsewhere(map[string]any{"type": "shortcut", "user": map[string]any{"id": alice}, "trigger_id": "t2"})
	if n := len(w.slack.of("views.open")); n != opened {
		t.Error("the shortcut opened a form")
	}
	if got := elsewhere(map[string]any{
		"type": "block_suggestion", "user": map[string]any{"id": alice}, "block_id": blockFlow, "action_id": actionValue,
		"view": map[string]any{"callback_id": viewFlow},
	}); strings.TrimSpace(got) != `{"options":[]}` {
		t.Errorf("search: %s", got)
	}
	after, err := w.runs.Get(t.Context(), r.ID)
	if err != nil || after.Rev != r.Rev || runsIn(t, w.runs) != before {
		t.Errorf("something was written: %+v, %v", after, err)
	}
	if prompted, err := w.runs.Get(t.Context(), metadataOf(received(t, view)).Run); err != nil || len(prompted.Signals) > 0 {
		t.Errorf("the form was taken: %+v, %v", prompted.Signals, err)
	}
}

// An answer that can't be given in place comes as a direct message.
func TestTellFallsBackToADirectMessage(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	r := w.routed()
	w.slack.failing("response-url", "500")
	w.interact(w.clickOn(carol, "approve", value(r), ""))
	said := w.slack.of("chat.postMessage")
	if len(said) != 1 || said[0].Args["channel"] != "D0"+carol || !strings.Contains(said[0].Args["text"].(string), "Only Bob can decide") {
		t.Errorf("told %v", said)
	}
}

// What is told to somebody goes to Slack's hosts only, whatever a payload says;
// else it comes as a direct message.
func TestAnswerable(t *testing.T) {
	t.Parallel()
	const simulation = "http://127.0.0.1:8080/api"
	for _, c := range []struct {
		apiURL, responseURL string
		want                bool
	}{
		{"", "https://hooks.slack.com/actions/T0/1/x", true},
		{"", "https://hooks.slack-gov.com/commands/T0/1/x", true},
		{"", "", false},
		{"", "http://hooks.slack.com/actions/T0/1/x", false},
		{"", "https://hooks.slack.com.example.com/actions", false},
		{"", "https://hooks.slack.com:8443/actions", false},
		{"", "https://hooks.slack.com@example.com/actions", false},
		{"", "https://x@hooks.slack.com/actions", false},
		{"", "https://example.com/?hooks.slack.com", false},
		{"", "https://slack.com/api/chat.postMessage", false},
		{"", "http://169.254.169.254/latest/meta-data", false},
		{"", "//hooks.slack.com/actions", false},
		{"", "https://hooks.slack.com/%zz", false},
		{simulation, "http://127.0.0.1:8080/response/x", true},
		{simulation, "http://127.0.0.1:8081/response/x", false},
		{simulation, "https://127.0.0.1:8080/response/x", false},
		{simulation, "https://hooks.slack.com/actions/T0/1/x", false},
	} {
		if got := (&App{APIURL: c.apiURL}).answerable(c.responseURL); got != c.want {
			t.Errorf("with Slack at %q, answers go to %q: %t", c.apiURL, c.responseURL, got)
		}
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("something was sent elsewhere") }))
	t.Cleanup(elsewhere.Close)
	w := memoryWorld(t)
	payload := w.clickOn(carol, "approve", value(w.routed()), "")
	payload["response_url"] = elsewhere.URL + "/response-url"
	w.interact(payload)
	if said := w.slack.of("chat.postMessage"); len(said) != 1 || said[0].Args["channel"] != "D0"+carol {
		t.Errorf("told %v", said)
	}
}

func TestEndAndRetry(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	r := w.routed()
	r = w.apply(r.ID, flow.Receive{Action: flow.ActionApprove, Actor: person(bob, "Bob"), Channel: flow.ChannelSlack})
	r = w.apply(r.ID, flow.Decide{SignalID: r.Signals[0].ID})
	r = w.apply(r.ID, flow.Fail{Step: flow.EventEscalate, Reason: flow.Failure{Code: flow.CodeStrategy, Message: "no"}})
	w.interact(w.clickOn(alice, string(flow.ButtonRetry), value(r), ""))
	r, err := w.runs.Get(t.Context(), r.ID)
	if err != nil || r.Error != nil {
		t.Fatalf("retry left %+v, %v", r.Error, err)
	}
	w.apply(r.ID, flow.Intend{
		Strategy: *accessFlow().Strategy, Target: accessFlow().Strategy.Targets[0], Identity: "alice@example.com",
		Entitlements: []flow.Entitlement{{Key: "k"}},
	})
	w.apply(r.ID, flow.Escalate{})
	w.interact(w.clickOn(carol, "deescalate", value(r), ""))
	if said := w.slack.of("response-url"); len(said) != 1 || !strings.Contains(said[0].Args["text"].(string), "Only the requester, the approver and admins") {
		t.Errorf("told %v", said)
	}
	w.interact(w.clickOn(alice, "deescalate", buttonValue(r, workflow.Message{Kind: workflow.KindStatus}), ""))
	r, err = w.runs.Get(t.Context(), r.ID)
	if asked, ok := r.EndAsked(); err != nil || !ok || asked.Actor.SlackID != alice {
		t.Errorf("ending: %+v, %v", r.Signals, err)
	}
}

func TestMessageOfIsTheInverseOfKey(t *testing.T) {
	t.Parallel()
	for _, m := range []workflow.Message{
		{Kind: workflow.KindRequest}, {Kind: workflow.KindRequest, Tier: 12}, {Kind: workflow.KindStatus},
		{Kind: workflow.KindRequest, Tier: 1, Copy: 2},
		{Kind: workflow.KindOutcome, EventID: "e1"}, {Kind: workflow.KindRefused, EventID: "e2"}, {Kind: workflow.KindError, EventID: "e3"},
	} {
		if got, ok := messageOf(m.Key()); !ok || got != m {
			t.Errorf("%q became %+v, %v", m.Key(), got, ok)
		}
	}
	for _, key := range []string{"", "x", "request", "request:", "request:-1x", "request:01", "request: 1"} {
		if m, ok := messageOf(key); ok {
			t.Errorf("%q became %+v", key, m)
		}
	}
}
