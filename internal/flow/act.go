package flow

import (
	"encoding/json"
	"time"
)

// ActName is what an administrator did.
type ActName string

// The administrative acts: what is done to a deployment, and not to a run.
const (
	ActTokenCreate    ActName = "token_create"
	ActTokenSetOwner  ActName = "token_set_owner"
	ActTokenRevoke    ActName = "token_revoke"
	ActIdentitySet    ActName = "identity_set"
	ActIdentityDelete ActName = "identity_delete"
	ActAccountConfirm ActName = "account_confirm"  // an address belongs to another account of Slack's now
	ActMoveConfirm    ActName = "move_confirm"     // the people of a workspace have accounts in another one now
	ActEndConfirm     ActName = "end_confirm"      // the access of many who were deactivated ends, as it should
	ActPublish        ActName = "publish"          // a version of a flow, or the filter of the list, is in force
	ActWithdraw       ActName = "withdraw"         // a flow can't be started any more
	ActConfigure      ActName = "configure"        // settings of the deployment changed
	ActEntityCreate   ActName = "entity_create"    // a piece of configuration is there
	ActEntityUpdate   ActName = "entity_update"    // it says something else
	ActEntityDelete   ActName = "entity_delete"    // it is gone
	ActEntityPropose  ActName = "entity_propose"   // a change of it waits for approval
	ActEntityDrop     ActName = "entity_drop"      // a change that was proposed is not made
	ActProposalsAsk   ActName = "proposals_ask"    // a run lists what a token has proposed, for approval
	ActEntityOffer    ActName = "entity_offer"     // it goes over to another owner, in the next publish
	ActEntityHandOver ActName = "entity_hand_over" // another owner has it now
	ActRedrive        ActName = "redrive"          // what functions gave up on was handed to them again
	ActReplay         ActName = "replay"           // a log destination is sent again what it had
	ActRecover        ActName = "recover"          // grants that the table lacks were made anew from the audit log
	ActErase          ActName = "erase"            // a person was replaced by a pseudonym in what is closed
	ActRefuse         ActName = "refuse"           // somebody clicked what they may not decide
)

// ActNames lists all acts.
var ActNames = []ActName{
	ActTokenCreate, ActTokenSetOwner, ActTokenRevoke, ActIdentitySet, ActIdentityDelete, ActAccountConfirm, ActMoveConfirm, ActEndConfirm,
	ActPublish, ActWithdraw, ActConfigure, ActEntityCreate, ActEntityUpdate, ActEntityDelete, ActEntityPropose, ActEntityDrop, ActProposalsAsk, ActEntityOffer, ActEntityHandOver, ActRedrive, ActReplay, ActRecover, ActErase, ActRefuse,
}

// PrincipalKind says what somebody is known by.
type PrincipalKind string

// The kinds of principals.
const (
	PrincipalPerson   PrincipalKind = "person"   // of Slack
	PrincipalAWS      PrincipalKind = "aws"      // by an ARN that AWS has authenticated
	PrincipalBot      PrincipalKind = "bot"      // of a token, by the token's id
	PrincipalOperator PrincipalKind = "operator" // of the machine on which it happens
	PrincipalDeploy   PrincipalKind = "deploy"   // a stack of CloudFormation's; CloudTrail knows who deployed it
	PrincipalHandlers PrincipalKind = "handlers" // of a flow
	PrincipalStrategy PrincipalKind = "strategy"
	PrincipalSystem   PrincipalKind = "system" // this software, by itself
)

// Principal is who does something to a deployment, as far as that is known.
type Principal struct {
	Kind PrincipalKind `json:"kind,omitempty"`
	Name string        `json:"name"`         // as people read it; of AWS the ARN
	ID   string        `json:"id,omitempty"` // of a person in Slack
}

// Operator is whoever runs commands on the machine of a deployment.
var Operator = Principal{Kind: PrincipalOperator, Name: "the operator of this machine"}

// Itself is this software, where nobody asked for what it does.
var Itself = Principal{Kind: PrincipalSystem, Name: System.Name}

// ByPerson is somebody in Slack.
func ByPerson(a Actor) Principal {
	return Principal{Kind: PrincipalPerson, Name: a.Display(), ID: a.SlackID}
}

// UnmarshalJSON reads a principal, or the name alone, which is all that earlier
// releases stored.
func (p *Principal) UnmarshalJSON(b []byte) error {
	var name string
	if json.Unmarshal(b, &name) == nil {
		*p = Principal{Name: name}
		return nil
	}
	type plain Principal
	return json.Unmarshal(b, (*plain)(p))
}

// Author is who does something, and when.
type Author struct {
	By Principal `json:"by"`
	At time.Time `json:"at,omitzero"`
}

// Subject is what an act is about.
type Subject struct {
	Kind string `json:"kind"` // "token", "person", "flow", "settings", "run", …
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"` // as people know it
}

// ActResult is how an act went.
type ActResult string

// The results.
const (
	ActDone    ActResult = "completed"
	ActBegun   ActResult = "in_progress" // what it did in the end is told under the same id, unless its process died
	ActFailed  ActResult = "failed"
	ActRefused ActResult = "refused"
)

// Act is one administrative act. It is stored with what it changes, in the same
// write. It never has a secret.
type Act struct {
	ID string `json:"id"`
	// Rev is the revision of its item that it was written with.
	Rev int64 `json:"rev"`
	Author
	Name   ActName        `json:"name"`
	About  Subject        `json:"about"`
	Result ActResult      `json:"result"`
	Fields map[string]any `json:"fields,omitempty"`
	// Count tells how often it happened up to Last, where that is more than once.
	Count int       `json:"count,omitempty"`
	Last  time.Time `json:"last,omitzero"`
}

// NewAct is an act that is done.
func NewAct(by Author, name ActName, about Subject, fields map[string]any) Act {
	if by.By == (Principal{}) {
		by.By = Itself
	}
	by.At = by.At.UTC()
	return Act{ID: NewRunID(), Author: by, Name: name, About: about, Result: ActDone, Fields: fields}
}

// Acts are those of one item, oldest first.
type Acts []Act

// maxActs is how many an item keeps. They are shipped from there within minutes, and
// the change feed remembers for a day at most.
const maxActs = 50

// With are these acts and one more, as of the write that makes the item's revision
// rev. The oldest are left out where there are many.
func (a Acts) With(act Act, rev int64) Acts {
	act.Rev = rev
	out := append(append(Acts{}, a...), act)
	return out[max(len(out)-maxActs, 0):]
}

// At are those that were written with a revision.
func (a Acts) At(revs ...int64) (out Acts) {
	for _, act := range a {
		for _, rev := range revs {
			if act.Rev == rev {
				out = append(out, act)
				break
			}
		}
	}
	return out
}
