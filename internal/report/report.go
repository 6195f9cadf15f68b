package report

import (
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Version counts the shapes of the JSON text.
const Version = 1

// How many of each list are told, at most. What there is beyond is counted.
const (
	maxRanked = 15  // of what is ranked: the longest, the most frequent, the latest
	maxListed = 100 // of what each has to be looked at
)

// Report is what is told of a month. Times are UTC.
type Report struct {
	Version int       `json:"version"`
	Org     string    `json:"org"`
	Month   string    `json:"month"` // 2026-11
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`   // its end, which is the next one's beginning
	Made    time.Time `json:"made"` // when the report was made
	// Over says that the month was over by then.
	Over bool `json:"over"`

	Requests    Requests      `json:"requests"`
	Decisions   Times         `json:"decisions"` // from request to decision by people
	Took        []Bucket      `json:"decisions_by_time"`
	Days        []Day         `json:"days"`
	Flows       []FlowFigures `json:"flows"`
	Approvers   []Approver    `json:"approvers"`
	Access      Access        `json:"access"`
	Longest     []Stretch     `json:"longest_access"`
	Frequent    []Frequent    `json:"most_frequent_access"`
	Removals    Removals      `json:"removals"`
	Self        SelfApproval  `json:"self_approval"`
	Emergencies Emergencies   `json:"emergencies"`
	Drift       Drift         `json:"drift"`
	Rules       []Rule        `json:"who_may_approve"`
	// Fetch is the command that brings the records to where the controls' commands look
	// for them; "" where they are there.
	Fetch    string    `json:"fetch_records,omitempty"`
	Controls []Control `json:"controls"`
}

// Bucket counts what took as long as this, and longer than the bucket before has it.
type Bucket struct {
	UpTo  int64 `json:"up_to_seconds,omitempty"` // 0: however long
	Count int   `json:"count"`
}

// Outcomes count requests by how they came out.
type Outcomes map[flow.RequestOutcome]int

// Requests are those made in the month.
type Requests struct {
	Total    int      `json:"total"`
	Outcomes Outcomes `json:"outcomes"`
	// ByRule were decided by a rule of the flow, ByProgram asked for by a program, and
	// ForOthers by a colleague.
	ByRule    int `json:"decided_by_rule"`
	ByProgram int `json:"asked_by_program"`
	ForOthers int `json:"asked_for_others"`
	People    int `json:"people"` // who asked
}

// Day is what was asked for on a day.
type Day struct {
	Date      string   `json:"date"`
	Outcomes  Outcomes `json:"outcomes"`
	Decisions Times    `json:"decisions"`
}

// FlowFigures are those of a flow's requests.
type FlowFigures struct {
	Flow        string   `json:"flow"`
	Title       string   `json:"title"`
	Total       int      `json:"total"`
	Outcomes    Outcomes `json:"outcomes"`
	Decisions   Times    `json:"decisions"`
	Emergencies int      `json:"emergencies"`
}

// Approver is somebody who decided requests of the month.
type Approver struct {
	Who       string `json:"who"`
	Approved  int    `json:"approved"`
	Denied    int    `json:"denied"`
	Decisions Times  `json:"decisions"`
}

// Access is what was given in the month.
type Access struct {
	Given int `json:"given"`
	// Emergencies were given without approval as flows allow it, and Unapproved though
	// the record has none: there should never be one.
	Emergencies int   `json:"emergencies"`
	Unapproved  int   `json:"unapproved"`
	People      int   `json:"people"`
	Targets     int   `json:"targets"`
	Seconds     int64 `json:"seconds"`  // that it lasted altogether, up to when the report was made
	Extended    int   `json:"extended"` // was extended
	// LiveAtEnd counts access that was live when the month ended, or now, before that.
	// Of access from before the month what is still live, or ended in it, is known.
	LiveAtEnd int   `json:"live_at_end"`
	Lasted    Times `json:"lasted"` // what is over
}

// Stretch is one access.
type Stretch struct {
	Run        string     `json:"run"`
	Who        string     `json:"who"`
	Flow       string     `json:"flow"`
	Target     string     `json:"target"`
	Reason     string     `json:"reason,omitempty"`
	ApprovedBy []string   `json:"approved_by"`
	ByRule     bool       `json:"approved_by_rule,omitempty"`
	Emergency  bool       `json:"emergency,omitempty"`
	From       time.Time  `json:"from"`
	Until      *time.Time `json:"until,omitempty"` // nil: it is live
	Seconds    int64      `json:"seconds"`
	// LateSeconds is how long after its end it was removed; of removals.
	LateSeconds int64 `json:"late_seconds,omitempty"`
}

// Frequent is what somebody had again and again.
type Frequent struct {
	Who     string `json:"who"`
	Target  string `json:"target"`
	Times   int    `json:"times"`
	Seconds int64  `json:"seconds"`
}

// Removals are those that were observed in the month.
type Removals struct {
	Total     int `json:"total"`
	Scheduled int `json:"scheduled"`
	Manual    int `json:"manual"`
	// Stays counts those after which something stayed: others need it, or it was there
	// before.
	Stays int `json:"stays"`
	// Late tells how long after the end scheduled ones were observed. InTime of them
	// were within Promise seconds.
	Late    Times     `json:"late"`
	ByLate  []Bucket  `json:"by_time"`
	InTime  int       `json:"in_time"`
	Promise int64     `json:"promise_seconds"`
	Latest  []Stretch `json:"latest"`
	// Failing are those that are due, and do not succeed.
	Failing []Failing `json:"failing"`
	More    int       `json:"more_failing,omitempty"`
}

// Failing is a removal that does not succeed.
type Failing struct {
	Run    string    `json:"run"`
	Who    string    `json:"who"`
	Target string    `json:"target"`
	End    time.Time `json:"end"`
	Code   string    `json:"code"`
}

// SelfApproval is about people who decided their own requests.
type SelfApproval struct {
	Allowed []string `json:"allowed"` // titles of flows in force that allow it
	Count   int      `json:"count"`
	List    []Own    `json:"list"`
}

// Own is a request that was approved by whoever made it.
type Own struct {
	Run    string    `json:"run"`
	Who    string    `json:"who"`
	Flow   string    `json:"flow"`
	Target string    `json:"target,omitempty"`
	At     time.Time `json:"at"`
	Alone  bool      `json:"alone"` // nobody else approved it
}

// Emergencies are requests that were given without approval.
type Emergencies struct {
	Count      int         `json:"count"`
	Unreviewed int         `json:"unreviewed"`
	List       []Emergency `json:"list"`
}

// Emergency is one of them.
type Emergency struct {
	Run      string    `json:"run"`
	Who      string    `json:"who"`
	Flow     string    `json:"flow"`
	Target   string    `json:"target"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
	Skipped  int       `json:"approvals_skipped"`
	Reviewer string    `json:"reviewer,omitempty"` // "": nobody yet
}

// Drift is where targets showed something else than was recorded.
type Drift struct {
	// Missing and Lingering count access of the month's that was found gone, or there
	// after its removal.
	Missing   int `json:"missing"`
	Lingering int `json:"lingering"`
	// Compared is when the last comparison of everything was over; nil: there was none.
	Compared *time.Time             `json:"compared,omitempty"`
	Grants   int                    `json:"grants"`
	Targets  int                    `json:"targets"`
	Found    map[flow.DriftKind]int `json:"found"`
	List     []flow.Drift           `json:"list"`
	More     int                    `json:"more,omitempty"`
	Unseen   map[string]string      `json:"unseen,omitempty"` // targets that could not be looked at, and why
}

// Rule is who may approve the requests of a flow, as it is in force.
type Rule struct {
	Flow        string   `json:"flow"`
	Title       string   `json:"title"`
	Version     string   `json:"version"`
	Environment string   `json:"environment"`
	Targets     []string `json:"targets"`
	More        int      `json:"more_targets,omitempty"`
	// Approvers are "group:…" and "user:…"; Members says that every member of the
	// workspace may. ByHandler: a handler of the flow may name others.
	Approvers []string `json:"approvers"`
	Members   bool     `json:"members"`
	ByHandler bool     `json:"by_handler"`
	Admins    []string `json:"admins"` // may always
	Required  int      `json:"required"`
	Self      bool     `json:"self_approval"`
	Longest   int64    `json:"longest_seconds,omitempty"` // of access; 0: unbounded
	// Emergency are those who may have access without approval.
	Emergency []string `json:"break_glass"`
}

// Control is a control of a standard, and what shows that it is kept.
type Control struct {
	Standard string   `json:"standard"`
	Control  string   `json:"control"`
	Title    string   `json:"title"`
	Shows    string   `json:"shows"`
	Commands []string `json:"commands"`
}
