package app

import (
	"cmp"
	"strings"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slacksim"
)

// actLines say what administrators did; {who} and {what} stand for the actor and for
// what it was done to.
var actLines = map[flow.ActName]string{
	flow.ActTokenCreate:    "{who} made a token of bot {what}",
	flow.ActTokenSetOwner:  "{who} gave a token of bot {what} another owner",
	flow.ActTokenRevoke:    "{who} revoked a token of {what}",
	flow.ActIdentitySet:    "{who} said who {what} is in another system",
	flow.ActIdentityDelete: "{who} deleted who {what} is in another system",
	flow.ActAccountConfirm: "{who} confirmed that {what} has another Slack account",
	flow.ActMoveConfirm:    "{who} confirmed that people have accounts in another workspace",
	flow.ActEndConfirm:     "{who} confirmed that the access of many ends",
	flow.ActPublish:        "{who} published {what}",
	flow.ActWithdraw:       "{who} withdrew {what}",
	flow.ActConfigure:      "{who} changed the settings",
	flow.ActEntityCreate:   "{who} configured {what}",
	flow.ActEntityUpdate:   "{who} changed the configuration of {what}",
	flow.ActEntityDelete:   "{who} deleted the configuration of {what}",
	flow.ActEntityPropose:  "{who} proposed a change of the configuration of {what}",
	flow.ActEntityDrop:     "A change of the configuration of {what} by {who} is not made",
	flow.ActProposalsAsk:   "{who} asks for approval of changes of the configuration",
	flow.ActEntityOffer:    "{who} offered {what} to another owner",
	flow.ActEntityHandOver: "{who} took the configuration of {what} over",
	flow.ActErase:          "{who} had a person replaced by a pseudonym: {what}",
	flow.ActRedrive:        "{who} handed what had failed to functions again",
	flow.ActRecover:        "{who} recovered {what}",
	flow.ActRefuse:         "{who} may not decide {what}, and was refused",
}

// toldOfAct says what an administrator did, in words.
func toldOfAct(r events.AdminRecord) slacksim.Record {
	what := cmp.Or(r.About.Name, r.About.ID, strings.ReplaceAll(r.About.Kind, "_", " "))
	line := cmp.Or(actLines[flow.ActName(r.Event.Type)], "{who}: "+r.Event.Type+" {what}")
	who := r.Actor.Name
	if who != "" {
		who = strings.ToUpper(who[:1]) + who[1:]
	}
	out := slacksim.Record{
		ID: r.ID, At: r.Event.Timestamp, Mood: slacksim.MoodPlain, People: []string{},
		Line: strings.NewReplacer("{who}", who, "{what}", what).Replace(line), Note: written(r.Fields["version"]),
	}
	switch r.About.Kind {
	case "flow":
		out.Flow = r.About.Name
	case "person":
		out.People = append(out.People, r.About.Name)
	case "run":
		out.Run, out.Said = r.About.ID, flow.ShortID(r.About.ID)
	}
	if r.State.Status == events.StatusRefused || r.State.Status == events.StatusFailed {
		out.Mood = slacksim.MoodBad
	}
	return out
}
