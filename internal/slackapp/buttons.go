package slackapp

import (
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

// Buttons that are not of a run's message, by their action ids. Those of runs have
// the names of the domain ([flow.Button]).
const (
	buttonEnd       = "end"      // in a list of one's own access: opens a form
	buttonMore      = "more"     // likewise
	blockDecision   = "decision" // the input of the decision message
	separatorOfKeys = " "
)

// look is how a button of a run is shown. Each may depend on the side that its
// message is for.
type look struct {
	label string
	style slack.Style
	ask   string // what Slack asks before it counts; "" for nothing
}

// looks says how the domain's buttons are shown; their order is the domain's.
var looks = map[flow.Button]func(c *card, side flow.Side) look{
	flow.ButtonApprove: func(*card, flow.Side) look { return look{label: "Approve", style: slack.StylePrimary} },
	flow.ButtonChange:  func(*card, flow.Side) look { return look{label: "Approve with changes…"} },
	flow.ButtonDeny:    func(*card, flow.Side) look { return look{label: "Deny", style: slack.StyleDanger} },
	flow.ButtonCancel:  func(*card, flow.Side) look { return look{label: "Cancel request"} },
	flow.ButtonAgain:   func(*card, flow.Side) look { return look{label: "Ask again"} },
	flow.ButtonAgent: func(c *card, _ flow.Side) look {
		return look{"Shut out agent", slack.StyleDanger, "Its tokens end now, so that " + c.agent() + " can't ask for anything any more. Access that it has is not taken away by this."}
	},
	flow.ButtonReview: func(*card, flow.Side) look { return look{label: "Reviewed…", style: slack.StylePrimary} },
	flow.ButtonRetry: func(c *card, _ flow.Side) look {
		if c.Missing() {
			return look{"Grant again", slack.StylePrimary, "Somebody has taken this access away. Make sure that they do not mind."}
		}
		return look{label: "Retry", style: slack.StylePrimary}
	},
	flow.ButtonEnd: func(c *card, side flow.Side) look {
		if side == flow.SideRequester {
			return look{"End now", slack.StyleDanger, "This takes your access away now. To get it back you have to ask again."}
		}
		return look{"Revoke", slack.StyleDanger, "This takes the access of " + c.Requester.Display() + " away now."}
	},
	flow.ButtonMore:       func(*card, flow.Side) look { return look{label: "Extend…"} },
	flow.ButtonExtend:     func(*card, flow.Side) look { return look{label: "Approve more time", style: slack.StylePrimary} },
	flow.ButtonExtendDeny: func(*card, flow.Side) look { return look{label: "Deny more time", style: slack.StyleDanger} },
	flow.ButtonGiveUp: func(c *card, side flow.Side) look {
		if side == flow.SideRequester {
			return look{label: "Give up", ask: "Your access is not granted any more. To get it you have to ask again."}
		}
		return look{label: "Give up", ask: "The access of " + c.Requester.Display() + " is not granted any more. To get it they have to ask again."}
	},
}

// ofRuns tells whether an action id is that of a button of a run.
func ofRuns(action string) bool { return looks[flow.Button(action)] != nil }

// buttons appends what people of a side may do with the run, unless another message
// of the conversation has the buttons.
func (c *card) buttons(side flow.Side) {
	if c.message.Quiet {
		return
	}
	var elements []slack.BlockElement
	for _, b := range c.Buttons(side) {
		elements = append(elements, c.button(b, side))
	}
	c.page.buttons(elements...)
}

// button makes a button of the run, as people of a side see it.
func (c *card) button(b flow.Button, side flow.Side) slack.BlockElement {
	l := looks[b](c, side)
	value := buttonValue(c.Run, c.message)
	if b == flow.ButtonExtend || b == flow.ButtonExtendDeny { // what is decided is the extension
		value = strings.Join([]string{c.Run.ID, c.message.Key(), c.Run.Extension.EventID}, separatorOfKeys)
	}
	return button(string(b), value, l.label, l.style, l.ask)
}

// buttonValue is what a button carries: which run it acts on, which of the run's
// messages it is in, and a digest of what that says is asked for.
func buttonValue(r flow.Run, m workflow.Message) string {
	parts := []string{buttonOf(r.ID, m)}
	if seen, err := r.AskedFor(); err == nil {
		parts = append(parts, seen)
	}
	return strings.Join(parts, separatorOfKeys)
}

// buttonOf is what a button carries that acts on a run whatever is asked for.
func buttonOf(run string, m workflow.Message) string { return run + separatorOfKeys + m.Key() }

// pressedButton is what the value of a button says.
type pressedButton struct {
	run, key string
	seen     string // "" on messages of before there were digests
}

func readButton(value string) pressedButton {
	run, rest, _ := strings.Cut(value, separatorOfKeys)
	key, seen, _ := strings.Cut(rest, separatorOfKeys)
	return pressedButton{run, key, seen}
}

// endable tells whether a person may end the access of a run by hand, or give up
// what is not there yet.
func endable(r flow.Run, who flow.Actor) bool {
	return slices.ContainsFunc(r.ButtonsFor(who, false), func(b flow.Button) bool { return b == flow.ButtonEnd || b == flow.ButtonGiveUp })
}
