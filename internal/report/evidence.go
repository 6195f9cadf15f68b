package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Place says where whoever reads a report finds what proves it.
type Place struct {
	// State are the flags by which commands beside a deployment find it, such as
	// "-data .local".
	State string
	// Folder has the records: audit/ and admin/ are in it.
	Folder string
	// Bucket has them where the deployment is in AWS, and the report says how to bring a
	// month's into Folder; "" where they are there.
	Bucket string
	// Log is what the command audit verify is called with.
	Log string
}

// Here is the data folder of a deployment on one machine.
func Here(data string) Place {
	data = quoted(data)
	return Place{State: "-data " + data, Folder: data, Log: data}
}

// InAWS is a deployment in AWS, whose records are in the bucket audit and whose
// transparency log is in the bucket log. Commands beside it find it by the file outputs,
// which make deploy has written.
func InAWS(outputs, audit, log string) Place {
	return Place{State: "-outputs " + quoted(outputs), Folder: "records", Bucket: audit, Log: "s3://" + log + " -lines s3://" + audit}
}

// plain tells whether a character means itself to a shell, with quotes and without.
func plain(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_./:@%+=,-", c)
}

// quoted writes a path so that a shell takes it as one word, and not as a flag.
func quoted(path string) string {
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	if path != "" && !strings.ContainsFunc(path, func(c rune) bool { return !plain(c) }) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// fetch is the command that brings the records of the month to where the commands of the
// controls look for them; "" where they are there.
func (p Place) fetch(month time.Time) string {
	if p.Bucket == "" {
		return ""
	}
	hours := month.Format("year=2006/month=01/*")
	return fmt.Sprintf("aws s3 sync s3://%s %s --exclude '*' --include 'audit/%s' --include 'admin/%s'", p.Bucket, p.Folder, hours, hours)
}

const command = "go run ./functions/local "

// evidence tells which controls are shown to be kept by what of the report.
func (m *maker) evidence(p Place) []Control {
	partition := m.From.Format("/year=2006/month=01/day=*/hour=*/*.jsonl.gz")
	records := func(log, pattern string) string {
		return fmt.Sprintf("zcat %s/%s%s | grep -E %s", p.Folder, log, partition, "'"+pattern+"'")
	}
	span := fmt.Sprintf("-from %s -to %s", m.From.Format("2006-01-02"), m.To.Format("2006-01-02"))
	runs := func(filter string) string { return command + "runs " + p.State + " " + filter + " " + span }
	figures := command + "report " + p.State + " -month " + m.Month + " -json"
	verify := command + "audit verify " + p.Log
	event := func(name flow.EventName) string { return `"type":"` + string(name) + `"` }

	r, removals := m.Requests, m.Removals
	decided := fmt.Sprintf("%s: %d approved, %d denied, %d expired, %d withdrawn, %d open. %s given: %d in an emergency, %d without any approval on record. A rule of the flow decided %s.",
		countOf(r.Total, "request"), r.Outcomes[flow.OutcomeApproved], r.Outcomes[flow.OutcomeDenied], r.Outcomes[flow.OutcomeExpired], r.Outcomes[flow.OutcomeCancelled], r.Outcomes[flow.OutcomeOpen],
		countOf(m.Access.Given, "access", "accesses"), m.Access.Emergencies, m.Access.Unapproved, countOf(r.ByRule, "request"))
	removed := fmt.Sprintf("%s: %d at the end of the time and %d by hand; %d of %d at their end within %d seconds. %s due and not done.",
		countOf(removals.Total, "removal"), removals.Scheduled, removals.Manual, removals.InTime, removals.Late.Count, promise, countOf(len(removals.Failing)+removals.More, "removal"))
	rules := fmt.Sprintf("%s in force, each with who may ask to whom for what, how many must approve, and for how long access is given at most.", countOf(len(m.Rules), "flow"))
	self := fmt.Sprintf("%s allow people to approve their own requests; it happened %s.", countOf(len(m.Self.Allowed), "flow"), times(m.Self.Count))
	drift := "Targets were not compared with what was granted yet."
	if m.Drift.Compared != nil {
		drift = fmt.Sprintf("%s at %s were compared with what the targets show, last on %s: %s.", countOf(m.Drift.Grants, "grant"), countOf(m.Drift.Targets, "target"), m.Drift.Compared.Format("2006-01-02 15:04"), countOf(len(m.Drift.List)+m.Drift.More, "difference"))
	}
	const change = `"type":"(publish|withdraw|configure)"`
	const identities = `"type":"(identity_set|identity_delete|account_confirm|move_confirm)"`
	const tokens = `"type":"(token_create|token_set_owner|token_revoke)"`
	return []Control{
		{"SOC 2", "CC6.1", "Access to protected assets is restricted", rules + " A change of these rules is a record.", []string{figures, records("admin", change)}},
		{"SOC 2", "CC6.2", "Access is authorised before it is given, and removed when it is no longer needed", decided + " " + removed, []string{records("audit", event(flow.EventApprove)), records("audit", `"type":"(escalate|deescalate)"`)}},
		{"SOC 2", "CC6.3", "Access follows roles, least privilege and segregation of duties", self + " Access lasted " + lastedWords(m.Access.Lasted) + ".", []string{runs("-status deescalated"), figures}},
		{"ISO 27001", "A.5.15", "Access control", rules, []string{command + "check", records("admin", change)}},
		{"ISO 27001", "A.5.16", "Identity management", "Who is whom at each system, and who said so, is recorded.", []string{records("admin", identities), command + "user list " + p.State}},
		{"ISO 27001", "A.5.17", "Authentication information", "Tokens of programs are made, owned and revoked by named people, and stored as digests only; people sign in to Slack.", []string{records("admin", tokens), command + "token list " + p.State}},
		{"ISO 27001", "A.5.18", "Access rights are given, reviewed, changed and removed", decided + " " + removed + " " + drift, []string{runs("-status escalated"), command + "drift " + p.State}},
		{"PCI DSS 4.0", "7.2", "Access is defined and assigned by need, and approved by authorised personnel", decided + " " + self, []string{records("audit", event(flow.EventApprove)), figures}},
		{"PCI DSS 4.0", "7.2.4", "Accounts and privileges are reviewed", drift, []string{command + "drift " + p.State, runs("-status escalated")}},
		{"PCI DSS 4.0", "8.2", "Users are identified, and access of those who left is removed", "Each request, decision and access is of one named person. " + removed, []string{runs("-status deescalated"), records("admin", `"type":"end_confirm"`)}},
		{"PCI DSS 4.0", "8.6", "Accounts of programs are managed", fmt.Sprintf("%s were made by programs, each by a token with an owner.", countOf(r.ByProgram, "request")), []string{command + "token list " + p.State, records("admin", tokens)}},
		{"All of them", "Integrity", "The record is what it was", "Each record is an entry of a signed transparency log: what was changed or left out later does not fit it.", []string{verify}},
	}
}

// countOf says how many there are: "1 request", "2 requests". Words whose plural is
// none with an s have it after them.
func countOf(n int, what string, several ...string) string {
	switch {
	case n == 1:
		return "1 " + what
	case len(several) > 0:
		return fmt.Sprintf("%d %s", n, several[0])
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func lastedWords(t Times) string {
	if t.Count == 0 {
		return "nowhere to its end yet"
	}
	return fmt.Sprintf("%s in the middle, %s at most", short(t.Median), short(t.Longest))
}
