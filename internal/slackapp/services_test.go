package slackapp

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

func newServices(t *testing.T) (Services, *fakeSlack) {
	d, s, _ := newDirectory(t)
	return Services{API: d.API, Directory: d}, s
}

func TestServices_Send(t *testing.T) {
	t.Parallel()
	thread := &flow.MessageRef{Channel: "C0ACCESS", TS: "1700.1"}
	for _, tc := range []struct {
		name   string
		to     workflow.Address
		thread *flow.MessageRef
		want   map[string]any // of chat.postMessage
	}{
		{"Channel", workflow.Address{Channel: "#ops"}, nil, map[string]any{"channel": "#ops", "text": "hello <@U0BOB>"}},
		{"Person", workflow.Address{Users: []flow.Actor{{SlackID: alice}}}, nil, map[string]any{"channel": "D0" + alice, "text": "hello <@U0BOB>"}},
		{"Group", workflow.Address{Users: []flow.Actor{{SlackID: alice}, {SlackID: bob}}}, nil, map[string]any{"channel": "D0" + alice + bob, "text": "hello <@U0BOB>"}},
		{"Thread", workflow.Address{}, thread, map[string]any{"channel": "C0ACCESS", "thread_ts": "1700.1", "text": "hello <@U0BOB>"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a, s := newServices(t)
			if err := a.Send(t.Context(), tc.to, "hello <@U0BOB>", tc.thread); err != nil {
				t.Fatal(err)
			}
			sent := s.calls[len(s.calls)-1]
			delete(sent.Args, "token")
			if sent.Method != "chat.postMessage" || !reflect.DeepEqual(sent.Args, tc.want) {
				t.Errorf("%s %v, want %v", sent.Method, sent.Args, tc.want)
			}
		})
	}
	a, s := newServices(t)
	s.fail["chat.postMessage"] = "channel_not_found"
	if err := a.Send(t.Context(), workflow.Address{Channel: "#gone"}, "x", nil); flow.CodeOf(err) != flow.CodeUndeliverable || !strings.Contains(err.Error(), "#gone") {
		t.Errorf("got %v", err)
	}
	s.fail["chat.postMessage"] = "429"
	if err := a.Send(t.Context(), workflow.Address{Channel: "#ops"}, "x", nil); err == nil {
		t.Error("throttled, and no error")
	} else if _, ok := errors.AsType[*flow.RateLimited](err); !ok {
		t.Errorf("got %v", err)
	}
}

func TestServices_People(t *testing.T) {
	t.Parallel()
	a, s := newServices(t)
	s.groups = []map[string]any{{"id": "S0PLATFORM", "handle": "platform"}}
	info, err := a.UserInfo(t.Context(), alice)
	var u struct {
		ID      string `json:"id"`
		Profile struct {
			Email string `json:"email"`
		} `json:"profile"`
	}
	if err != nil || json.Unmarshal(info, &u) != nil || u.ID != alice || u.Profile.Email != "alice@example.com" {
		t.Errorf("info %s, %v", info, err)
	}
	if _, err := a.UserInfo(t.Context(), "U0NOBODY"); flow.CodeOf(err) != flow.CodeUnknownUser {
		t.Errorf("nobody: %v", err)
	}
	for activeOnly, want := range map[bool]int{true: 5, false: 6} { // no bot; dora has left
		if list, err := a.Users(t.Context(), activeOnly); err != nil || len(list) != want {
			t.Errorf("active only %t: %d people, %v", activeOnly, len(list), err)
		}
	}
	for _, channel := range []string{"#ops", "ops", "C0OPSROOM"} {
		members, err := a.ChannelMembers(t.Context(), channel)
		if err != nil || len(members) != 2 || members[0].SlackID != alice || members[1].SlackID != gus {
			t.Errorf("%s: %v, %v", channel, members, err)
		}
	}
	if _, err := a.ChannelMembers(t.Context(), "#nowhere"); flow.CodeOf(err) != flow.CodeUndeliverable {
		t.Errorf("no such channel: %v", err)
	}
	if members, err := a.GroupMembers(t.Context(), "S0PLATFORM"); err != nil || len(members) != 2 {
		t.Errorf("group: %v, %v", members, err)
	}
	s.fail["conversations.members"] = "not_in_channel"
	if _, err := a.ChannelMembers(t.Context(), "C0OPSROOM"); flow.CodeOf(err) != flow.CodeUndeliverable {
		t.Errorf("not in the channel: %v", err)
	}
	s.fail["users.list"] = "internal_error"
	if _, err := a.Users(t.Context(), true); flow.CodeOf(err) != flow.CodeLookup {
		t.Errorf("Slack fails: %v", err)
	}
}
