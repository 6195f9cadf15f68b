package slacksim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
)

func TestAuthentication(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	form := "application/x-www-form-urlencoded"
	want(t, a.send("auth.test", form, "", testToken), "")
	want(t, a.send("auth.test", form, "token="+testToken, ""), "")
	want(t, a.send("auth.test", form, "", ""), "not_authed")
	want(t, a.send("auth.test", form, "", "xoxb-other"), "invalid_auth")
	want(t, a.send("chat.explode", form, "", testToken), "unknown_method")
	want(t, a.send("auth.test", "text/plain", "x", testToken), "invalid_post_type")
	want(t, a.send("chat.postMessage", "application/json", "{", testToken), "invalid_json")

	me, err := a.api.AuthTest()
	if err != nil || me.UserID != botUser || me.BotID != botID || me.TeamID != teamID {
		t.Errorf("auth.test = %+v, %v", me, err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxPostedText+1)
	channels := append(DefaultChannels(), Channel{Name: "outside"}, Channel{Name: "old", App: true, Archived: true})
	people := append(DefaultPeople(), Profile{Name: "Gone", Email: "gone@example.com", Deactivated: true})
	for name, c := range map[string]struct{ method, body, code string }{
		"NoSuchChannel":       {"chat.postMessage", `{"channel":"#nowhere","text":"x"}`, "channel_not_found"},
		"PrivateChannel":      {"chat.postMessage", `{"channel":"#private-ops","text":"x"}`, "channel_not_found"},
		"NotInChannel":        {"chat.postMessage", `{"channel":"#outside","text":"x"}`, "not_in_channel"},
		"Archived":            {"chat.postMessage", `{"channel":"#old","text":"x"}`, "is_archived"},
		"NoText":              {"chat.postMessage", `{"channel":"#general"}`, "no_text"},
		"TooLong":             {"chat.postMessage", `{"channel":"#general","text":"` + long + `"}`, "msg_too_long"},
		"BlocksNoList":        {"chat.postMessage", `{"channel":"#general","blocks":{}}`, "invalid_blocks_format"},
		"BlocksTooLong":       {"chat.postMessage", `{"channel":"#general","blocks":[` + strings.Repeat(`{"type":"section","text":{"type":"mrkdwn","text":"`+strings.Repeat("x", 3000)+`"}},`, 5) + `{"type":"divider"}]}`, "msg_blocks_too_long"},
		"BadBlocks":           {"chat.postMessage", `{"channel":"#general","blocks":[{"type":"poem"}]}`, "invalid_blocks"},
		"ByName":              {"chat.postMessage", `{"channel":"general","text":"x"}`, ""},
		"ToPerson":            {"chat.postMessage", `{"channel":"U0ALICE","text":"x"}`, ""},
		"ToNobody":            {"chat.postMessage", `{"channel":"U0NOBODY","text":"x"}`, "channel_not_found"},
		"EphemeralOutsider":   {"chat.postEphemeral", `{"channel":"#general","user":"U0GUEST","text":"x"}`, "user_not_in_channel"},
		"UpdateUnknown":       {"chat.update", `{"channel":"C0GENERAL","ts":"1.000001","text":"x"}`, "message_not_found"},
		"UpdateByName":        {"chat.update", `{"channel":"#general","ts":"1.000001","text":"x"}`, "channel_not_found"},
		"DeleteUnknown":       {"chat.delete", `{"channel":"C0GENERAL","ts":"1.000001"}`, "message_not_found"},
		"LinkUnknown":         {"chat.getPermalink", ``, "channel_not_found"},
		"TriggerUnknown":      {"views.open", `{"trigger_id":"1.2.3","view":{}}`, "invalid_trigger_id"},
		"ViewUnknown":         {"views.update", `{"view_id":"V1","view":{}}`, "not_found"},
		"ViewTwoIDs":          {"views.update", `{"view_id":"V1","external_id":"e","view":{}}`, "invalid_arguments"},
		"OpenNobody":          {"conversations.open", `{}`, "users_list_not_supplied"},
		"OpenUnknown":         {"conversations.open", `{"users":"U0ALICE,U0NOBODY"}`, "user_not_found"},
		"OpenDeactivated":     {"conversations.open", `{"users":"U0GONE"}`, "user_disabled"},
		"OpenTooMany":         {"conversations.open", `{"users":"U1,U2,U3,U4,U5,U6,U7,U8,U9"}`, "too_many_users"},
		"JoinDirect":          {"conversations.join", `{"channel":"C0PRIVATEOPS"}`, "channel_not_found"},
		"JoinArchived":        {"conversations.join", `{"channel":"C0OLD"}`, "is_archived"},
		"JSONIsIgnored":       {"users.info", `{"user":"U0ALICE"}`, "user_not_found"},
		"LookupJSONIsIgnored": {"users.lookupByEmail", `{"email":"alice@example.com"}`, "users_not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, func(c *Config) { c.Channels, c.People = channels, people })
			want(t, a.call(c.method, c.body), c.code)
		})
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	alice, err := a.api.GetUserByEmail("Alice@example.com")
	if err != nil || alice.ID != "U0ALICE" || alice.Profile.Email != "alice@example.com" || alice.IsRestricted {
		t.Errorf("lookup = %+v, %v", alice, err)
	}
	guest, err := a.api.GetUserInfo("U0GUEST")
	if err != nil || !guest.IsRestricted || !guest.IsUltraRestricted {
		t.Errorf("guest = %+v, %v", guest, err)
	}
	if _, err := a.api.GetUserInfo("U0NOBODY"); slackError(err) != "user_not_found" {
		t.Errorf("unknown user: %v", err)
	}
	if _, err := a.api.GetUserByEmail("nobody@example.com"); slackError(err) != "users_not_found" {
		t.Errorf("unknown address: %v", err)
	}
	if bot, err := a.api.GetUserInfo(botUser); err != nil || !bot.IsBot {
		t.Errorf("the app itself = %+v, %v", bot, err)
	}
	groups, err := a.api.GetUserGroups(slack.GetUserGroupsOptionIncludeUsers(true))
	if err != nil || len(groups) != 1 || groups[0].Handle != "platform" || !slices.Equal(groups[0].Users, []string{"U0BOB", "U0LEAD"}) {
		t.Errorf("groups = %+v, %v", groups, err)
	}
	members, err := a.api.GetUserGroupMembers("S0PLATFORM")
	if err != nil || !slices.Equal(members, []string{"U0BOB", "U0LEAD"}) {
		t.Errorf("group members = %v, %v", members, err)
	}
	if _, err := a.api.GetUserGroupMembers("S0OTHER"); slackError(err) != "no_such_subteam" {
		t.Errorf("unknown group: %v", err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	var seen []string
	cursor := ""
	for range 10 {
		answer := a.send("users.list", "application/x-www-form-urlencoded", "limit=2&cursor="+cursor, testToken)
		want(t, answer, "")
		for _, u := range objects(answer, "members") {
			seen = append(seen, text(u, "id"))
		}
		cursor = text(answer, "response_metadata", "next_cursor")
		if cursor == "" {
			break
		}
		cursor = strings.ReplaceAll(cursor, "=", "%3D")
	}
	if !slices.Equal(seen, []string{slackbot, botUser, "U0ALICE", "U0BOB", "U0CAROL", "U0LEAD", "U0GUEST"}) {
		t.Errorf("pages hold %v", seen)
	}
	want(t, a.send("users.list", "application/x-www-form-urlencoded", "cursor=zzz", testToken), "invalid_cursor")
	want(t, a.send("users.list", "application/x-www-form-urlencoded", "limit=5000", testToken), "invalid_limit")
}

func TestConversations(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *Config) { c.Channels = append(DefaultChannels(), Channel{Name: "outside"}) })
	list, _, err := a.api.GetConversations(&slack.GetConversationsParameters{Types: []string{"public_channel", "private_channel"}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	if !slices.Equal(names, []string{"general", "access-prod", "deploys", "sym-errors", "outside"}) {
		t.Errorf("the app knows of %v", names)
	}
	if _, _, err := a.api.PostMessage("#outside", slack.MsgOptionText("x", false)); slackError(err) != "not_in_channel" {
		t.Errorf("before joining: %v", err)
	}
	if c, _, _, err := a.api.JoinConversation("C0OUTSIDE"); err != nil || c.ID != "C0OUTSIDE" {
		t.Errorf("join = %+v, %v", c, err)
	}
	if _, _, err := a.api.PostMessage("#outside", slack.MsgOptionText("x", false)); err != nil {
		t.Errorf("after joining: %v", err)
	}
	members, _, err := a.api.GetUsersInConversation(&slack.GetUsersInConversationParameters{ChannelID: "C0ACCESSPROD"})
	if err != nil || !slices.Contains(members, "U0GUEST") || !slices.Contains(members, botUser) {
		t.Errorf("members = %v, %v", members, err)
	}
	group, _, existed, err := a.api.OpenConversation(&slack.OpenConversationParameters{Users: []string{"U0BOB", "U0ALICE", "U0BOB"}})
	if err != nil || existed || !strings.HasPrefix(group.ID, "G") {
		t.Errorf("open = %+v, %v, %v", group, existed, err)
	}
	again, _, existed, err := a.api.OpenConversation(&slack.OpenConversationParameters{Users: []string{"U0ALICE", "U0BOB"}})
	if err != nil || !existed || again.ID != group.ID {
		t.Errorf("open again = %+v, %v, %v", again, existed, err)
	}
	if err := a.sim.As("alice").In("#private-ops").Command("/invite @Sym"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.api.PostMessage("#private-ops", slack.MsgOptionText("x", false)); err != nil {
		t.Errorf("after being invited: %v", err)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	channel, ts, err := a.api.PostMessage("#general", slack.MsgOptionText("one", false))
	if err != nil || channel != "C0GENERAL" {
		t.Fatal(channel, err)
	}
	_, second, err := a.api.PostMessage("#general", slack.MsgOptionText("two", false), slack.MsgOptionTS(ts))
	if err != nil || second <= ts {
		t.Errorf("time stamps %q, %q, %v", ts, second, err)
	}
	if _, err := a.api.PostEphemeral("#general", "U0BOB", slack.MsgOptionText("hush", false)); err != nil {
		t.Fatal(err)
	}
	if got := a.sim.As("bob").Channel("#general"); got != "Sym: one\n  ↳ Sym: two\nSym (only you): hush\n" {
		t.Errorf("bob sees\n%s", got)
	}
	if got := a.sim.As("alice").Channel("#general"); strings.Contains(got, "hush") {
		t.Errorf("alice sees\n%s", got)
	}
	if got := a.sim.As("guest").Channel("#general"); got != "" {
		t.Errorf("the guest sees\n%s", got)
	}
	link, err := a.api.GetPermalink(&slack.PermalinkParameters{Channel: channel, Ts: ts})
	if err != nil || !strings.HasSuffix(link, "/archives/C0GENERAL/p"+strings.Replace(ts, ".", "", 1)) {
		t.Errorf("permalink = %q, %v", link, err)
	}

	block := slack.MsgOptionBlocks(slack.NewDividerBlock())
	update := func(options ...slack.MsgOption) Message {
		t.Helper()
		if _, _, _, err := a.api.UpdateMessage(channel, ts, options...); err != nil {
			t.Fatal(err)
		}
		return a.sim.Messages("#general")[0]
	}
	if m := update(block); len(m.Blocks) != 1 || !m.Edited {
		t.Errorf("with blocks: %+v", m)
	}
	if m := update(slack.MsgOptionText("again", false)); len(m.Blocks) != 0 || m.Text != "again" {
		t.Errorf("a text alone takes the place of blocks: %+v", m)
	}
	want(t, a.call("chat.update", `{"channel":"C0GENERAL","ts":"`+ts+`","text":"`+strings.Repeat("x", maxUpdatedText+1)+`"}`), "msg_too_long")

	ephemeral := a.sim.Messages("#general")[2]
	want(t, a.call("chat.update", `{"channel":"C0GENERAL","ts":"`+ephemeral.TS+`","text":"x"}`), "message_not_found")
	if err := a.sim.As("alice").Say("mine"); err != nil {
		t.Fatal(err)
	}
	mine := a.sim.Messages("#general")[3]
	want(t, a.call("chat.update", `{"channel":"C0GENERAL","ts":"`+mine.TS+`","text":"x"}`), "cant_update_message")
	want(t, a.call("chat.delete", `{"channel":"C0GENERAL","ts":"`+mine.TS+`"}`), "cant_delete_message")
	want(t, a.call("chat.delete", `{"channel":"C0GENERAL","ts":"`+second+`"}`), "")
	if n := len(a.sim.Messages("#general")); n != 3 {
		t.Errorf("%d messages are left", n)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	post := func() error {
		_, _, err := a.api.PostMessage("#general", slack.MsgOptionText("x", false))
		return err
	}
	posted := func() int { return len(a.sim.Messages("#general")) }

	a.sim.Inject("chat.postMessage", 2, Fault{Error: "fatal_error"})
	if _, err := a.api.AuthTest(); err != nil {
		t.Errorf("another method fails: %v", err)
	}
	for range 2 {
		if err := post(); slackError(err) != "fatal_error" || posted() != 0 {
			t.Errorf("%v, %d posted", err, posted())
		}
	}
	if err := post(); err != nil || posted() != 1 {
		t.Errorf("third call: %v", err)
	}

	a.sim.Inject("*", 1, Fault{RetryAfter: 7 * time.Second})
	if limited, ok := errors.AsType[*slack.RateLimitedError](post()); !ok || limited.RetryAfter != 7*time.Second {
		t.Errorf("rate limit = %v", limited)
	}
	a.sim.Inject("chat.postMessage", 1, Fault{Status: http.StatusBadGateway})
	if status, ok := errors.AsType[slack.StatusCodeError](post()); !ok || status.Code != http.StatusBadGateway {
		t.Errorf("status = %v", status)
	}
	a.sim.Inject("chat.postMessage", 1, Fault{DropAnswer: true})
	if err := post(); !errors.Is(err, io.ErrUnexpectedEOF) || posted() != 2 {
		t.Errorf("dropped answer: %v, %d posted", err, posted())
	}

	arrived, release := make(chan struct{}), make(chan struct{})
	a.sim.Inject("chat.postMessage", 1, Fault{Before: func(context.Context) { close(arrived); <-release }})
	done := make(chan error)
	go func() { done <- post() }()
	<-arrived
	if posted() != 2 {
		t.Error("posted before it was released")
	}
	close(release)
	if err := <-done; err != nil || posted() != 3 {
		t.Errorf("after release: %v", err)
	}
}

func TestNewRefusesBadConfig(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for name, change := range map[string]func(*Config){
		"SigningSecret": func(c *Config) { c.SigningSecret = "" },
		"nobody":        func(c *Config) { c.Groups = []Group{{Handle: "x", Members: []string{"nobody"}}} },
		"same id":       func(c *Config) { c.Channels = []Channel{{Name: "a-b"}, {Name: "ab"}} },
	} {
		c := a.sim.config
		change(&c)
		_, err := New(c)
		mustFail(t, err, name)
	}
}
