package slacksim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/slack-go/slack"
)

func TestSignature(t *testing.T) {
	t.Parallel()
	verified := false
	app := func(w http.ResponseWriter, r *http.Request) {
		verifier, err := slack.NewSecretsVerifier(r.Header, testSecret)
		if err != nil {
			t.Error(err)
		}
		verifier.Write([]byte(readAll(t, r.Body)))
		if err := verifier.Ensure(); err != nil {
			t.Error(err)
		}
		verified = true
	}
	// slack-go compares the time stamp with the time of day.
	a := newApp(t, func(c *Config) {
		c.Clock = clockwork.NewRealClock()
		c.Client = InProcess(http.HandlerFunc(app))
	})
	if err := a.sim.As("alice").Command("/sym"); err != nil || !verified {
		t.Errorf("verified = %v, %v", verified, err)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.onCommand = func(slack.SlashCommand) (int, string) { return 200, `{"text":"Hello *you*"}` }
	alice := a.sim.As("alice").In("#deploys")
	if err := alice.Command("/sym  req  prod access "); err != nil {
		t.Fatal(err)
	}
	c := a.commands[0]
	if c.Command != "/sym" || c.Text != "req  prod access" || c.UserID != "U0ALICE" || c.UserName != "alice" ||
		c.ChannelID != "C0DEPLOYS" || c.ChannelName != "deploys" || c.TeamID != teamID || c.APIAppID != appID ||
		!strings.HasPrefix(c.ResponseURL, "http://127.0.0.1/response/") || c.TriggerID == "" {
		t.Errorf("command = %+v", c)
	}
	if got := alice.Channel("#deploys"); got != "Sym (only you): Hello *you*\n" {
		t.Errorf("alice sees\n%s", got)
	}
	if got := a.sim.As("bob").Channel("#deploys"); got != "" {
		t.Errorf("bob sees\n%s", got)
	}
	d := a.sim.Deliveries()[0]
	if d.Path != pathCommands || d.Status != 200 || d.Header.Get("X-Slack-Request-Timestamp") != fmt.Sprint(testStart.Unix()) {
		t.Errorf("delivery = %+v", d)
	}
}

func TestCommandAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status             int
		answer, sees, fail string
	}{
		"Empty":       {200, "", "", ""},
		"Plain":       {200, "just text", "Sym (only you): just text\n", ""},
		"InChannel":   {200, `{"response_type":"in_channel","text":"all"}`, "Sym: all\n", ""},
		"Blocks":      {200, `{"blocks":[{"type":"header","text":{"type":"plain_text","text":"Hi"}}]}`, "Sym (only you):\n  # Hi\n", ""},
		"BadBlocks":   {200, `{"blocks":[{"type":"poem"}]}`, "Slackbot (only you): /sym failed", "invalid_blocks"},
		"ServerError": {500, "", "Slackbot (only you): /sym failed with the error \"dispatch_failed (HTTP 500)\"\n", "dispatch_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			a.onCommand = func(slack.SlashCommand) (int, string) { return c.status, c.answer }
			err := a.sim.As("alice").Command("/sym")
			if c.fail == "" && err != nil {
				t.Fatal(err)
			}
			if c.fail != "" {
				mustFail(t, err, c.fail)
			}
			mustContain(t, a.sim.As("alice").Channel("#general"), c.sees)
		})
	}
}

func TestWhoHasCommands(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	mustFail(t, a.sim.As("guest").Command("/sym"), "no slash commands")
	mustFail(t, a.sim.As("guest").Shortcut("x"), "no shortcuts")
	mustFail(t, a.sim.As("guest").MessageShortcut("1.0", "x"), "no shortcuts")
	mustFail(t, a.sim.As("alice").MessageShortcut("1.0", "x"), "not there any more")
	mustFail(t, a.sim.As("alice").Command("/other"), "/other is not a valid command")
	mustFail(t, a.sim.As("bob").In("#private-ops").Command("/sym"), "sees no conversation")
	if len(a.commands) != 0 {
		t.Errorf("the app was asked: %v", a.commands)
	}
}

func TestThreeSeconds(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	a.onCommand = func(slack.SlashCommand) (int, string) { <-release; return 200, "too late" }
	failed := make(chan error)
	go func() { failed <- a.sim.As("alice").Command("/sym") }()
	if err := a.clock.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	a.clock.Advance(ackSeconds * time.Second)
	mustFail(t, <-failed, "operation_timeout")
	mustContain(t, a.sim.As("alice").Channel("#general"), `Slackbot (only you): /sym failed with the error "operation_timeout"`)
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	if err := a.sim.As("alice").Command("/sym"); err != nil {
		t.Fatal(err)
	}
	open := func(view string) object {
		return a.call("views.open", `{"trigger_id":"`+a.commands[len(a.commands)-1].TriggerID+`","view":`+view+`}`)
	}
	want(t, open(`{"type":"modal"}`), "invalid_arguments")
	a.clock.Advance(ackSeconds * time.Second)
	want(t, open(modal("", "")), "")
	want(t, open(modal("", "")), "exchanged_trigger_id")
	if err := a.sim.As("alice").Command("/sym"); err != nil {
		t.Fatal(err)
	}
	a.clock.Advance(ackSeconds*time.Second + time.Millisecond)
	want(t, open(modal("", "")), "expired_trigger_id")
	if a.commands[0].TriggerID == a.commands[1].TriggerID {
		t.Error("two commands have the same trigger")
	}
}

func TestFillAndSubmitEveryElement(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.onOptions = func(c slack.InteractionCallback) (int, string) {
		if c.BlockID != "table" || c.ActionID != "v" || c.View.CallbackID != "ask" || c.User.ID != "U0ALICE" {
			t.Errorf("suggestion = %+v", c)
		}
		return 200, `{"options":[{"text":{"type":"plain_text","text":"table ` + c.Value + `"},"value":"` + c.Value + `"}]}`
	}
	external := `{"type":"external_select","action_id":"v","min_query_length":0}`
	a.open(modal(strings.Join([]string{
		input("why", typeHere, ""),
		input("count", `{"type":"number_input","action_id":"v","is_decimal_allowed":false}`, ""),
		input("target", menuOf("static_select", "", "Orders", "Billing"), ""),
		input("table", external, ""),
		input("regions", menuOf("multi_static_select", "", "EU", "US", "AP"), ""),
		input("boss", `{"type":"users_select","action_id":"v"}`, ""),
		input("with", `{"type":"multi_users_select","action_id":"v"}`, ""),
		input("options", menuOf("checkboxes", "", "Loud", "Fast"), ""),
		input("length", menuOf("radio_buttons", "", "1h", "8h"), ""),
		input("note", typeHere, `,"optional":true`),
	}, ","), ""))
	alice := a.sim.As("alice")
	err := alice.Fill(map[string]string{
		"Why": "because", "count": "3", "Target": "Orders", "Table": "t7", "Regions": "eu, AP", "Boss": "lead",
		"With": "@bob,carol@example.com", "Options": "Fast", "Length": "8h",
	})
	if err != nil {
		t.Fatal(err)
	}
	wantForm := `== Ask ==
Why: because
Count: 3
Target: Orders
  one of: Orders, Billing
Table: table t7
Regions: EU, AP
  one of: EU, US, AP
Boss: @Lead
With: @Bob, @Carol
Options: Fast
  one of: Loud, Fast
Length: 8h
  one of: 1h, 8h
Note (optional): …
[Send]
`
	if got := alice.Modal(); got != wantForm {
		t.Errorf("form =\n%s", got)
	}
	if err := alice.Submit(); err != nil {
		t.Fatal(err)
	}
	if got := alice.Modal(); got != "" {
		t.Errorf("still open:\n%s", got)
	}
	s := a.interactions[0]
	if s.Type != slack.InteractionTypeViewSubmission || s.View.CallbackID != "ask" || s.TriggerID == "" || s.View.Hash == "" {
		t.Errorf("submission = %+v", s)
	}
	raw, err := json.Marshal(payloadOf(t, a.sim.Deliveries()[len(a.sim.Deliveries())-1])["view"].(object)["state"])
	if err != nil {
		t.Fatal(err)
	}
	var got object
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	values := child(got, "values")
	for block, want := range map[string]string{
		"why":     `{"type":"plain_text_input","value":"because"}`,
		"count":   `{"type":"number_input","value":"3"}`,
		"target":  `{"selected_option":{"text":{"text":"Orders","type":"plain_text"},"value":"orders"},"type":"static_select"}`,
		"table":   `{"selected_option":{"text":{"text":"table t7","type":"plain_text"},"value":"t7"},"type":"external_select"}`,
		"boss":    `{"selected_user":"U0LEAD","type":"users_select"}`,
		"with":    `{"selected_users":["U0BOB","U0CAROL"],"type":"multi_users_select"}`,
		"options": `{"selected_options":[{"text":{"text":"Fast","type":"plain_text"},"value":"fast"}],"type":"checkboxes"}`,
		"length":  `{"selected_option":{"text":{"text":"8h","type":"plain_text"},"value":"8h"},"type":"radio_buttons"}`,
		"note":    `{"type":"plain_text_input","value":null}`,
	} {
		if raw, err := json.Marshal(child(values, block)["v"]); err != nil || string(raw) != want {
			t.Errorf("%s = %s, want %s", block, raw, want)
		}
	}
}

func payloadOf(t *testing.T, d Delivery) object {
	t.Helper()
	form, err := url.ParseQuery(d.Body)
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := json.Unmarshal([]byte(form.Get("payload")), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestClientChecksInputs(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.open(modal(strings.Join([]string{
		input("why", `{"type":"plain_text_input","action_id":"v","min_length":3,"max_length":5}`, ""),
		input("count", `{"type":"number_input","action_id":"v","is_decimal_allowed":false,"min_value":"1","max_value":"9"}`, ""),
		input("regions", menuOf("multi_static_select", `,"max_selected_items":1`, "EU", "US"), ""),
	}, ","), ""))
	alice := a.sim.As("alice")
	mustFail(t, alice.Submit(), "Why: Please complete this required field.\nCount: Please complete this required field.\nRegions: Please complete")
	for entered, complaint := range map[[2]string]string{
		{"Why", "x"}:         "Why: Please enter at least 3 characters.",
		{"Why", "xxxxxx"}:    "Why: Please enter no more than 5 characters.",
		{"Count", "x"}:       "Count: Please enter a number.",
		{"Count", "1.5"}:     "Count: Please enter a whole number.",
		{"Count", "0"}:       "at least 1",
		{"Count", "10"}:      "at most 9",
		{"Regions", "EU,US"}: "Regions: Please choose no more than 1.",
	} {
		if err := alice.Fill(map[string]string{entered[0]: entered[1]}); err != nil {
			t.Fatal(err)
		}
		mustFail(t, alice.Submit(), complaint)
		mustContain(t, alice.Modal(), "  ! ")
	}
	if len(a.interactions) != 0 {
		t.Errorf("the app was asked: %v", a.interactions)
	}
	mustFail(t, alice.Fill(map[string]string{"Regions": "Mars"}), `there is no option "Mars"; there are ["EU" "US"]`)
	mustFail(t, alice.Fill(map[string]string{"Planet": "Mars"}), `there is no field ["Planet"]; there are ["Why" "Count" "Regions"]`)
}

func TestResponseActions(t *testing.T) {
	t.Parallel()
	form := modal(input("why", typeHere, ""), `,"notify_on_close":true`)
	for name, c := range map[string]struct {
		status               int
		answer               string
		sees, fail           string
		stillOpen            bool
		closedPayloads, deep int
	}{
		"Close":        {200, "", "", "", false, 0, 0},
		"EmptyObject":  {200, "{}", "", "", false, 0, 0},
		"Clear":        {200, `{"response_action":"clear"}`, "", "", false, 0, 0},
		"Errors":       {200, `{"response_action":"errors","errors":{"why":"Say more."}}`, "Why: x\n  ! Say more.\n", "Why: Say more.", true, 0, 1},
		"ErrorsNoSuch": {200, `{"response_action":"errors","errors":{"other":"x"}}`, "! " + trouble, "no input block", true, 0, 1},
		"Update":       {200, `{"response_action":"update","view":` + strings.Replace(form, `"Ask"`, `"Next"`, 1) + `}`, "== Next ==\nWhy: x\n", "", true, 0, 1},
		"Push":         {200, `{"response_action":"push","view":` + strings.Replace(form, `"Ask"`, `"Above"`, 1) + `}`, "== Above ==\nWhy: …\n", "", true, 0, 2},
		"BadView":      {200, `{"response_action":"update","view":{"type":"modal"}}`, "! " + trouble, "missing required field: title", true, 0, 1},
		"Unknown":      {200, `{"response_action":"dance"}`, "! " + trouble, "dance", true, 0, 1},
		"NoJSON":       {200, `<html>`, "! " + trouble, "no JSON", true, 0, 1},
		"ServerError":  {500, ``, "! " + trouble, "HTTP 500", true, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			a.open(form)
			a.onInteraction = func(slack.InteractionCallback) (int, string) { return c.status, c.answer }
			alice := a.sim.As("alice")
			if err := alice.Fill(map[string]string{"Why": "x"}); err != nil {
				t.Fatal(err)
			}
			err := alice.Submit()
			if c.fail == "" && err != nil {
				t.Fatal(err)
			}
			if c.fail != "" {
				mustFail(t, err, c.fail)
			}
			if got := alice.Modal(); (got != "") != c.stillOpen || !strings.Contains(got, c.sees) {
				t.Errorf("form =\n%s", got)
			}
			if n := len(a.sim.modals["U0ALICE"]); n != c.deep {
				t.Errorf("%d views are open, want %d", n, c.deep)
			}
		})
	}
}

func TestViewStack(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	form := modal(input("why", typeHere, `,"optional":true`), `,"notify_on_close":true`)
	a.open(form)
	a.onInteraction = func(c slack.InteractionCallback) (int, string) {
		if c.Type == slack.InteractionTypeViewClosed {
			return 200, ""
		}
		return 200, `{"response_action":"push","view":` + form + `}`
	}
	alice := a.sim.As("alice")
	if err := alice.Submit(); err != nil {
		t.Fatal(err)
	}
	if err := alice.Submit(); err != nil {
		t.Fatal(err)
	}
	mustFail(t, alice.Submit(), "push_limit_reached")
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	closed := a.interactions[len(a.interactions)-1]
	if closed.Type != slack.InteractionTypeViewClosed || closed.IsCleared || closed.View.PreviousViewID == "" {
		t.Errorf("closed = %+v", closed)
	}
	a.onInteraction = func(slack.InteractionCallback) (int, string) { return 200, `{"response_action":"clear"}` }
	if err := alice.Submit(); err != nil {
		t.Fatal(err)
	}
	last := a.interactions[len(a.interactions)-1]
	if last.Type != slack.InteractionTypeViewClosed || !last.IsCleared || alice.Modal() != "" {
		t.Errorf("cleared = %+v", last)
	}
}

func TestUpdateViewKeepsWhatWasEntered(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.open(modal(input("why", typeHere, "")+","+input("kind", menuOf("static_select", "", "A"), ""), `,"external_id":"form-1"`))
	alice := a.sim.As("alice")
	if err := alice.Fill(map[string]string{"Why": "because", "Kind": "A"}); err != nil {
		t.Fatal(err)
	}
	first := a.sim.As("alice").top()
	hash := first.hash
	next := modal(input("why", typeHere, "")+","+input("kind", typeHere, ""), "")
	want(t, a.call("views.update", `{"external_id":"form-1","hash":"0.0","view":`+next+`}`), "hash_conflict")
	want(t, a.call("views.update", `{"external_id":"form-1","hash":"`+hash+`","view":`+next+`}`), "")
	mustContain(t, alice.Modal(), "Why: because\nKind: …\n")
	want(t, a.call("views.update", `{"external_id":"form-1","view":`+next+`}`), "not_found")
}

func TestDispatchActions(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.open(modal(input("kind", menuOf("static_select", "", "A", "B"), `,"dispatch_action":true`)+","+input("why", typeHere, ""), ""))
	a.onInteraction = func(c slack.InteractionCallback) (int, string) {
		action := c.ActionCallback.BlockActions[0]
		if c.Container.ViewID != c.View.ID || action.BlockID != "kind" || action.SelectedOption.Value != "b" ||
			c.View.State.Values["kind"]["v"].SelectedOption.Value != "b" {
			t.Errorf("action = %+v in %+v", action, c.View.State)
		}
		next := modal(input("kind", menuOf("static_select", "", "A", "B"), `,"dispatch_action":true`)+","+input("extra", typeHere, ""), "")
		want(t, a.call("views.update", `{"view_id":"`+c.View.ID+`","hash":"`+c.View.Hash+`","view":`+next+`}`), "")
		return 200, ""
	}
	alice := a.sim.As("alice")
	if err := alice.Fill(map[string]string{"Kind": "B", "Extra": "more"}); err != nil {
		t.Fatal(err)
	}
	mustContain(t, alice.Modal(), "Kind: B\n", "Extra: more\n")
	if len(a.interactions) != 1 {
		t.Errorf("%d actions were sent", len(a.interactions))
	}
}

// TestDispatchOfTexts: the app hears of a text when Enter is pressed, or of each
// character if it asks for that.
func TestDispatchOfTexts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		config  string
		pressed bool
		heard   int
	}{
		{"", false, 0},
		{"", true, 1},
		{`,"dispatch_action_config":{"trigger_actions_on":["on_enter_pressed"]}`, false, 0},
		{`,"dispatch_action_config":{"trigger_actions_on":["on_character_entered"]}`, false, 1},
	} {
		a := newApp(t)
		a.open(modal(input("why", strings.TrimSuffix(typeHere, "}")+tc.config+"}", `,"dispatch_action":true`), ""))
		alice := a.sim.As("alice")
		at, err := alice.form()
		if err != nil {
			t.Fatal(err)
		}
		if err := alice.enter(at, "why", "v", []string{"because"}, tc.pressed); err != nil {
			t.Fatal(err)
		}
		mustContain(t, alice.Modal(), "Why: because\n")
		if len(a.interactions) != tc.heard {
			t.Errorf("%s, pressed %t: %d actions were sent", tc.config, tc.pressed, len(a.interactions))
		}
	}
}

func TestClick(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	blocks := `[` + input("note", typeHere, `,"optional":true`) + `,{"type":"actions","block_id":"decide","elements":[` + button("approve", "Approve", `,"value":"run-1","style":"primary"`) + `]}]`
	answer := a.call("chat.postMessage", `{"channel":"#access-prod","text":"asks","blocks":`+blocks+`}`)
	ts := text(answer, "ts")
	guest := a.sim.As("guest")
	if err := guest.FillMessage(ts, map[string]string{"Note": "fine"}); err != nil {
		t.Fatal(err)
	}
	if err := guest.Click("", "Approve"); err != nil {
		t.Fatal(err)
	}
	c := a.interactions[0]
	action := c.ActionCallback.BlockActions[0]
	if c.Type != slack.InteractionTypeBlockActions || c.User.ID != "U0GUEST" || c.Channel.ID != "C0ACCESSPROD" ||
		c.Container.MessageTs != ts || c.Message.Timestamp != ts || c.ResponseURL == "" || c.TriggerID == "" ||
		action.ActionID != "approve" || action.BlockID != "decide" || action.Value != "run-1" ||
		c.BlockActionState.Values["note"]["v"].Value != "fine" {
		t.Errorf("click = %+v", c)
	}
	if got := guest.Channel("#access-prod"); got != "Sym:\n  Note (optional): fine\n  [Approve]\n" {
		t.Errorf("guest sees\n%s", got)
	}
	if got := a.sim.As("bob").Channel("#access-prod"); !strings.Contains(got, "Note (optional): …") {
		t.Errorf("bob sees what the guest typed:\n%s", got)
	}
	mustFail(t, guest.Click("", "Deny"), "has such a button")
	a.onInteraction = func(slack.InteractionCallback) (int, string) { return 503, "" }
	mustFail(t, guest.Click(ts, "Approve"), "dispatch_failed (HTTP 503)")
	mustContain(t, guest.Channel("#access-prod"), "Slackbot (only you): The app failed")
}

func TestShortcut(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.onInteraction = func(c slack.InteractionCallback) (int, string) {
		want(t, a.call("views.open", `{"trigger_id":"`+c.TriggerID+`","view":`+modal(`{"type":"actions","elements":[`+button("go", "Go", "")+`]}`, "")+`}`), "")
		return 200, ""
	}
	if err := a.sim.As("bob").Shortcut("new_request"); err != nil {
		t.Fatal(err)
	}
	if c := a.interactions[0]; c.Type != slack.InteractionTypeShortcut || c.CallbackID != "new_request" || c.User.ID != "U0BOB" {
		t.Errorf("shortcut = %+v", c)
	}
	a.onInteraction = nil
	if err := a.sim.As("bob").Press("Go"); err != nil {
		t.Fatal(err)
	}
	if c := a.interactions[1]; c.ActionCallback.BlockActions[0].ActionID != "go" || c.View.ID == "" {
		t.Errorf("press = %+v", c)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	many := func(n int) string {
		return `{"options":[` + repeat(n, option) + `]}`
	}
	answer := many(100)
	a.onOptions = func(slack.InteractionCallback) (int, string) { return 200, answer }
	a.open(modal(input("table", `{"type":"external_select","action_id":"v"}`, ""), ""))
	alice := a.sim.As("alice")
	_, err := alice.Options("Table", "ab")
	mustFail(t, err, "at least 3 characters")
	options, err := alice.Options("Table", "abc")
	if err != nil || len(options) != 100 || options[1] != "o1" {
		t.Errorf("options = %v, %v", options, err)
	}
	answer = many(101)
	_, err = alice.Options("Table", "abc")
	mustFail(t, err, "no more than 100 items allowed")
	answer = "<html>"
	_, err = alice.Options("Table", "abc")
	mustFail(t, err, "no list of options")
}

func TestRedeliver(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	if err := a.sim.As("alice").Command("/sym req"); err != nil {
		t.Fatal(err)
	}
	first := a.sim.Deliveries()[0]
	a.clock.Advance(time.Hour)
	again := a.sim.Redeliver(first)
	if again.Status != 200 || again.Body != first.Body || again.Header.Get("X-Slack-Signature") != first.Header.Get("X-Slack-Signature") {
		t.Errorf("redelivered %+v", again)
	}
	if len(a.commands) != 2 || a.commands[0].TriggerID != a.commands[1].TriggerID {
		t.Errorf("commands = %+v", a.commands)
	}
	form := url.Values{"command": {"/sym"}, "user_id": {"U0GUEST"}}
	if d := a.sim.Deliver(pathCommands, form); d.Status != 200 || a.commands[2].UserID != "U0GUEST" {
		t.Errorf("delivered %+v", d)
	}
}

func TestResponseURL(t *testing.T) {
	t.Parallel()
	post := func(a *testApp, url, body string) (int, string) {
		t.Helper()
		resp, err := InProcess(a.sim).Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, readAll(t, resp.Body)
	}
	t.Run("FiveTimes", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		if err := a.sim.As("alice").Command("/sym"); err != nil {
			t.Fatal(err)
		}
		url := a.commands[0].ResponseURL
		if status, body := post(a, url, `{"blocks":[{"type":"poem"}]}`); status != 400 {
			t.Errorf("bad blocks: %d %s", status, body)
		}
		for range responseURLUses {
			if status, body := post(a, url, `{"text":"later"}`); status != 200 || body != "ok" {
				t.Errorf("%d %s", status, body)
			}
		}
		if status, body := post(a, url, `{"text":"later"}`); status != 404 || !strings.Contains(body, "used_url") {
			t.Errorf("sixth: %d %s", status, body)
		}
		if got := a.sim.As("alice").Channel("#general"); strings.Count(got, "(only you): later") != 5 {
			t.Errorf("alice sees\n%s", got)
		}
	})
	t.Run("ThirtyMinutes", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		if err := a.sim.As("alice").Command("/sym"); err != nil {
			t.Fatal(err)
		}
		a.clock.Advance(responseURLMinutes*time.Minute + time.Second)
		if status, body := post(a, a.commands[0].ResponseURL, `{"text":"x"}`); status != 404 || !strings.Contains(body, "expired_url") {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("ReplaceAndDelete", func(t *testing.T) {
		t.Parallel()
		a := newApp(t)
		blocks := `[{"type":"actions","elements":[` + button("go", "Go", "") + `]}]`
		want(t, a.call("chat.postEphemeral", `{"channel":"#general","user":"U0BOB","blocks":`+blocks+`}`), "")
		bob := a.sim.As("bob")
		if err := bob.Click("", "Go"); err != nil {
			t.Fatal(err)
		}
		if !a.interactions[0].Container.IsEphemeral {
			t.Error("not told that it is ephemeral")
		}
		url := a.interactions[0].ResponseURL
		post(a, url, `{"replace_original":true,"text":"done"}`)
		if got := bob.Channel("#general"); got != "Sym (only you): done\n" {
			t.Errorf("bob sees\n%s", got)
		}
		post(a, url, `{"delete_original":true}`)
		if got := bob.Channel("#general"); got != "" {
			t.Errorf("bob sees\n%s", got)
		}
	})
}

func TestAwait(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	done := make(chan error)
	go func() { done <- a.sim.As("bob").Await(t.Context(), "hello") }()
	want(t, a.call("chat.postMessage", `{"channel":"U0BOB","text":"hello"}`), "")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := a.sim.As("bob").Inbox(); got != "Sym: hello\n" {
		t.Errorf("inbox =\n%s", got)
	}
	want(t, a.call("conversations.open", `{"users":"U0ALICE,U0BOB"}`), "")
	want(t, a.call("chat.postMessage", `{"channel":"G0ALICE0BOB","text":"both"}`), "")
	if got := a.sim.As("bob").Inbox(); got != "Sym: hello\n== with Alice ==\nSym: both\n" {
		t.Errorf("inbox =\n%s", got)
	}
	if got := a.sim.As("alice").Screen(); got != "== with Bob ==\nSym: both\n" {
		t.Errorf("screen =\n%s", got)
	}
	var seen []string
	for _, m := range a.sim.As("bob").Visible() {
		seen = append(seen, m.Text)
	}
	if !slices.Equal(seen, []string{"hello", "both"}) {
		t.Errorf("visible = %v", seen)
	}
}

// TestPickers: dates and times are entered as Slack sends them, and what is no such
// thing is refused; inputs in a container are filled in as any other.
func TestPickers(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	picker := func(kind string) string { return `{"type":"` + kind + `","action_id":"v"}` }
	a.open(modal(`{"type":"container","title":`+plainJSON("When")+`,"child_blocks":[`+input("day", picker("datepicker"), "")+`,`+input("hour", picker("timepicker"), "")+`]},`+
		input("moment", picker("datetimepicker"), ""), ""))
	alice := a.sim.As("alice")
	for field, wrong := range map[string]string{"Day": "2026-02-30", "Hour": "25:00", "Moment": "tomorrow"} {
		if err := alice.Fill(map[string]string{field: wrong}); err == nil {
			t.Errorf("%s takes %q", field, wrong)
		}
	}
	if err := alice.Submit(); err == nil || strings.Count(err.Error(), "required") != 3 {
		t.Errorf("an empty form is sent: %v", err)
	}
	if err := alice.Fill(map[string]string{"Day": "2026-03-02", "Hour": "09:30", "Moment": "1772442000"}); err != nil {
		t.Fatal(err)
	}
	if got := alice.Modal(); !strings.Contains(got, "[ When ]\nDay: 2026-03-02\n") || !strings.Contains(got, "Moment: 2026-03-02T09:00:00Z") {
		t.Errorf("the form shows\n%s", got)
	}
	if err := alice.Submit(); err != nil {
		t.Fatal(err)
	}
	sent := a.interactions[len(a.interactions)-1].View.State.Values
	if sent["day"]["v"].SelectedDate != "2026-03-02" || sent["hour"]["v"].SelectedTime != "09:30" || sent["moment"]["v"].SelectedDateTime != 1772442000 {
		t.Errorf("submitted %+v", sent)
	}
}
