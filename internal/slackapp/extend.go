package slackapp

import (
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// aboutMore tells whether an event is about more time for access.
func aboutMore(name flow.EventName) bool {
	switch name {
	case flow.EventExtendRequest, flow.EventExtend, flow.EventExtendDeny, flow.EventExtendExpire:
		return true
	}
	return false
}

// moreTime says by how much an event is to have access end later, or has.
func moreTime(e flow.Event) string {
	var seconds int64
	switch n := e.Fields[flow.KeyExtendBy].(type) {
	case int64:
		seconds = n
	case float64: // as stored
		seconds = int64(n)
	}
	if seconds <= 0 {
		return "more time"
	}
	return flow.Words(time.Duration(seconds)*time.Second) + " more"
}

// byWhom says who has granted more time; nobody where the flow asks nobody.
func byWhom(e flow.Event) string {
	switch {
	case e.Channel == flow.ChannelSDK:
		return "by a rule of the flow"
	case e.Actor.Kind == flow.KindSystem:
		return "as the flow allows without asking"
	}
	return "by " + mention(e.Actor)
}

// endsNow says when access ends by an event that has extended it.
func endsNow(e flow.Event) string {
	at, err := time.Parse(time.RFC3339Nano, text(e.Fields[flow.KeyExpiresAt]))
	if err != nil {
		return ""
	}
	return ": you have it until " + moment(at)
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
