package store

import "strings"

// Kind is what the keys of one kind of items begin with: a word and "#". What
// there is one of only has its whole key as its kind.
//
// Stored items and the rights of functions (infra) go by these: to rename one
// is to lose what is stored under it.
type Kind string

// The kinds, and what is kept under each.
const (
	KindRun         Kind = "run#"                 // a run with its events, by id: flow.Run
	KindGrant       Kind = "grant#"               // an entitlement and who holds it, by the entitlement's key: flow.Grant
	KindSick        Kind = "sick#"                // a target that leaves calls unanswered, by its name: flow.Sickness
	KindGlass       Kind = "glass#"               // the last emergency of a person, by Slack's team and id
	KindMessages    Kind = "msg#"                 // the Slack messages that show a run, by its id: []Message
	KindForm        Kind = "form#"                // an open form that handlers have a say in, by its run's id: flow.OpenForm
	KindUser        Kind = "user#"                // a person, by our id
	KindIdentity    Kind = "identity#"            // who a person is elsewhere, by our id
	KindMoved       Kind = "users#moved"          // what is known of accounts that changed
	KindSlackUser   Kind = "slackuser#"           // a person, by Slack's team and id: User
	KindToken       Kind = "token#"               // a bot's or an agent's token of the API, by its hash: Token
	KindAgent       Kind = "agent#"               // what an agent has asked for lately, by our id
	KindCall        Kind = "call#"                // the token of a handler's call, by its hash: Call
	KindValue       Kind = "kv#"                  // what handlers remember for all flows, by a path of their choice
	KindFlowValue   Kind = "flowkv#"              // what handlers remember for their own flow, by its name and a path
	KindLinger      Kind = "linger#"              // for how long sessions at a flow's targets go on, by its name: flow.Lingering
	KindLimit       Kind = "limit#"               // the pace of one system, by what its limit is of: flow.Bookings
	KindHome        Kind = "home#"                // a person's Home tab, by Slack's team and id: Home
	KindLive        Kind = "live#"                // access that is live, by its run's id: LiveAccess
	KindWait        Kind = "wait#"                // whom a run waits for, by its id, and by its id and each of them
	KindListed      Kind = "listed#"              // a run in a listing of a target's, or of somebody's who decided it, by its id and the listing
	KindRelisted    Kind = "lists#old"            // how far runs of before there were such listings have been put into them: Relisted
	KindStat        Kind = "stat#"                // requests of one day, by environment, day and part, and runs that reached into a month, by month and part: counted ones
	KindLogHead     Kind = "log#head"             // how far the transparency log has come: LogHead
	KindLeaf        Kind = "leaf#"                // where a state of a record is in the transparency log, by the record's id and revision: LogPlace
	KindDestination Kind = "destinations#current" // the published log destinations: []flow.LogDestination
	KindCursor      Kind = "cursor#"              // how far a log destination has been sent the transparency log, by its id, or type and name: Cursor
	KindDelivery    Kind = "event#"               // an event of Slack's that was taken, by Slack's id of it
	KindNotice      Kind = "notice#"              // what administrators are told, by day and digest: Notice
	KindFlow        Kind = "flow#"                // the version of a flow that is in force, by name: inForce
	KindFlowVersion Kind = "flowversion#"         // each version of a flow, by name and version: flow.Flow
	KindFlowDigests Kind = "flowdigests#"         // the digests of all versions of a flow, by name
	KindFlowList    Kind = "flows#current"        // the published flows: []FlowSummary
	KindSettings    Kind = "flows#settings"       // the settings of the deployment: map[string]string
	KindFlowsFilter Kind = "flows#filter"         // the filter of the list of flows: flow.FlowsFilter
	KindStrategies  Kind = "flows#strategies"     // what the configuration has for granting and removing: []string
	KindRound       Kind = "standing#round"       // how far the look at who holds access has come: Round
	KindDrift       Kind = "drift#comparison"     // how far the comparison with targets has come, and what the last one found: Comparison
	KindRefusal     Kind = "refusal#"             // decisions of one person about one run that were refused, by its id and Slack's of theirs
	KindErasure     Kind = "erasure#"             // a person who is to be erased, by the act's id: Erasure
	KindAct         Kind = "act#"                 // an administrative act that changes no item, by its id: flow.Act
	KindEntity      Kind = "entity#"              // a piece of configuration of the API or of files, by its kind and id: entity.Entity
	KindEntityName  Kind = "entityname#"          // the entities that may have a name, by their kind and the name: []string
	KindProposed    Kind = "proposed#"            // a change of an entity that waits for approval, by the token that proposed it, kind and id: entity.Entity
	KindProposals   Kind = "proposals#"           // where the proposals of a token are on the way to approval, by the token's id: Proposals
	KindAsked       Kind = "asked#"               // a part of the proposals that one run lists, by the token's id, their digest and a number: []AskedChange
	KindDropped     Kind = "flows#dropped"        // what a publish that has not succeeded was about to drop of it: []string
	KindAssembled   Kind = "flows#assembled"      // how far flows were made of entities: Assembly
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{
		KindRun, KindGrant, KindSick, KindLimit, KindLinger, KindGlass, KindMessages, KindForm, KindUser, KindIdentity, KindMoved, KindSlackUser, KindToken, KindAgent, KindCall, KindValue, KindFlowValue, KindHome, KindLive, KindWait, KindListed, KindRelisted, KindStat, KindLogHead, KindLeaf, KindDestination, KindCursor, KindDelivery, KindNotice,
		KindFlow, KindFlowVersion, KindFlowDigests, KindFlowList, KindFlowsFilter, KindStrategies, KindDropped, KindAssembled, KindRound, KindDrift, KindSettings, KindAct, KindErasure, KindRefusal, KindEntity, KindEntityName,
		KindProposed, KindProposals, KindAsked,
	}
}

// OneWriter tells whether the item with this key is a run, or follows from one. Where
// one process serves, only that one writes these: the commands that people run beside it
// write other kinds.
func OneWriter(key string) bool {
	kind, _, _ := strings.Cut(key, "#")
	switch Kind(kind + "#") {
	case KindRun, KindGrant, KindSick, KindMessages, KindHome, KindLive, KindWait, KindStat, KindListed, KindLeaf:
		return true
	}
	return false
}

// ListedByKind tells whether the item with this key is in the listing by kind. Of what
// follows from runs, and is written with each of them, nobody lists all: an entry there
// would be paid for and never read. Nor does anybody list the names of entities; what is
// proposed is listed by token.
func ListedByKind(key string) bool {
	kind, _, _ := strings.Cut(key, "#")
	switch Kind(kind + "#") {
	case KindLeaf, KindListed, KindLive, KindWait, KindSlackUser, KindDelivery, KindCall, KindEntityName, KindProposed, KindAsked:
		return false
	}
	return true
}

// Followed tells whether anybody reads the changes of the item with this key: they are
// of runs, notices and Home tabs, and of what carries administrative acts.
func Followed(key string) bool {
	kind, _, _ := strings.Cut(key, "#")
	switch Kind(kind + "#") {
	case KindRun, KindNotice, KindHome:
		return true
	}
	return CarriesActs(key)
}

// Key gives the key of the item of this kind and name. The name is "" for a kind
// that has one item only. Ids and flows' names are the same in letters of either case; names of
// other kinds are taken as they are.
func (k Kind) Key(name string) string {
	switch k {
	case KindRun, KindMessages, KindForm, KindFlow, KindFlowDigests, KindCursor, KindEntity, KindEntityName, KindProposed, KindProposals, KindAsked:
		name = strings.ToLower(name)
	}
	return string(k) + name
}

// Name gives the name in a key of this kind; false for a key of another kind.
func (k Kind) Name(key string) (string, bool) {
	name, ok := strings.CutPrefix(key, string(k))
	return name, ok && k.Single() == (name == "")
}

// Single tells whether there is one item of this kind only.
func (k Kind) Single() bool { return !strings.HasSuffix(string(k), "#") }

// versionKey has a kind of its own, so that no name of a flow can stand for a
// version of another.
func versionKey(name, version string) string {
	return KindFlowVersion.Key(strings.ToLower(name) + "#" + version)
}

// flowValueKey keeps the values of flows apart: names of flows have no "#", so the
// first "#" ends the name, even if the path has others.
func flowValueKey(flow, path string) string {
	return KindFlowValue.Key(strings.ToLower(flow) + "#" + path)
}

func slackUserKey(team, id string) string { return KindSlackUser.Key(team + "#" + id) }
