package googlefake

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

var (
	cloudReads  = []string{cloudScope, cloudScope + ".read-only"}
	cloudWrites = []string{cloudScope}
)

var resourceManagerRoutes = []route{
	{method: "GET", path: at("/v3/projects:search"), scopes: cloudReads, params: []string{"query", "pageSize", "pageToken"}, do: searchProjects},
	{method: "GET", path: at("/v3/projects/([^/:]+)"), scopes: cloudReads, do: getProject},
	{method: "POST", path: at("/v3/projects/([^/:]+):getIamPolicy"), scopes: cloudReads, do: getPolicy},
	{method: "POST", path: at("/v3/projects/([^/:]+):setIamPolicy"), scopes: cloudWrites, do: setPolicy, change: changesPolicy},
}

// project is one, with its policy.
type project struct {
	id, label, state string
	generation       int
	bindings         []Binding
	audit            json.RawMessage // auditConfigs
}

// Binding is a role of some, in a policy.
type Binding struct {
	Role      string     `json:"role"`
	Members   []string   `json:"members"`
	Condition *Condition `json:"condition,omitempty"`
}

// Condition is when a binding holds.
type Condition struct {
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Expression  string `json:"expression"`
	Location    string `json:"location,omitempty"`
}

// policy is a project's, as the API has it.
type policy struct {
	Version  int             `json:"version,omitempty"`
	Etag     string          `json:"etag,omitempty"`
	Bindings []Binding       `json:"bindings,omitempty"`
	Audit    json.RawMessage `json:"auditConfigs,omitempty"`
}

// AddProject makes a project.
func (f *Fake) AddProject(id, label string, bindings ...Binding) {
	f.set(func() {
		f.state.projects[id] = &project{
			id: id, label: label, state: "ACTIVE", bindings: bindings,
			audit: json.RawMessage(`[{"service":"allServices","auditLogConfigs":[{"logType":"DATA_READ","exemptedMembers":["user:auditor@example.com"]}]}]`),
		}
	})
}

// Bind adds a binding, as somebody else does.
func (f *Fake) Bind(id string, b Binding) {
	f.set(func() {
		p := f.state.projects[id]
		p.bindings = append(slices.Clone(p.bindings), b)
		p.generation++
	})
}

// Policy gives the bindings of a project.
func (f *Fake) Policy(id string) []Binding {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.state.projects[id].bindings)
}

// Audit gives the auditConfigs of a project.
func (f *Fake) Audit(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.state.projects[id].audit)
}

// DeleteProject has a project be deleted: it is not gone for thirty days.
func (f *Fake) DeleteProject(id string) {
	f.set(func() { f.state.projects[id].state = "DELETE_REQUESTED" })
}

// forget marks an account as deleted, as policies do.
func (p *project) forget(address string) {
	var changed []Binding
	for _, b := range p.bindings {
		b.Members = slices.Clone(b.Members)
		for i, m := range b.Members {
			if strings.EqualFold(m, "user:"+address) {
				b.Members[i] = "deleted:" + m + "?uid=1234567890"
			}
		}
		changed = append(changed, b)
	}
	p.bindings = changed
}

func (p *project) etag() string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", p.id, p.generation))
}

func notForUs() error {
	return &fault{403, "PERMISSION_DENIED", "The caller does not have permission", ""}
}

func searchProjects(f *Fake, c *call) (any, error) {
	var all []map[string]string
	for _, p := range sorted(f.shown().projects) {
		if c.query.Get("query") != "state:ACTIVE" || p.state == "ACTIVE" {
			all = append(all, p.resource())
		}
	}
	part, next := page(all, c.query.Get("pageToken"))
	return withNext(map[string]any{"projects": part}, next), nil
}

func (p *project) resource() map[string]string {
	return map[string]string{"name": "projects/415104041262", "projectId": p.id, "displayName": p.label, "state": p.state}
}

func getProject(f *Fake, c *call) (any, error) {
	if p := f.shown().projects[c.parts[0]]; p != nil {
		return p.resource(), nil
	}
	return nil, notForUs()
}

func getPolicy(f *Fake, c *call) (any, error) {
	var in struct {
		Options struct {
			Version int `json:"requestedPolicyVersion"`
		} `json:"options"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	p := f.shown().projects[c.parts[0]]
	if p == nil || p.state != "ACTIVE" {
		return nil, notForUs()
	}
	return p.policy(in.Options.Version), nil
}

// policy is what is read: without its conditions, and roles under other names, where
// less than version 3 is asked for.
func (p *project) policy(version int) policy {
	out := policy{Version: 1, Etag: p.etag(), Audit: p.audit}
	for i, b := range p.bindings {
		if b.Condition != nil && version < 3 {
			b = Binding{Role: fmt.Sprintf("%s_withcond_%d", b.Role, i), Members: b.Members}
		} else if b.Condition != nil {
			out.Version = 3
		}
		out.Bindings = append(out.Bindings, b)
	}
	return out
}

// asked reads the policy that is to be set.
func (c *call) asked() (policy, error) {
	var in struct {
		Policy policy `json:"policy"`
		Mask   string `json:"updateMask"`
	}
	err := c.decode(&in)
	return in.Policy, err
}

// changesPolicy finds who is to get or to lose something.
func changesPolicy(f *Fake, c *call) strategytest.Change {
	in, err := c.asked()
	p := f.state.projects[c.parts[0]]
	if err != nil || p == nil {
		return strategytest.Change{}
	}
	who := func(all []Binding, than []Binding) string {
		for _, b := range all {
			same := func(o Binding) bool { return o.Role == b.Role && slices.Equal(o.Members, b.Members) }
			if !slices.ContainsFunc(than, same) {
				return strings.TrimPrefix(b.Members[0], "user:")
			}
		}
		return ""
	}
	if given := who(in.Bindings, p.bindings); given != "" {
		return strategytest.Change{Event: "escalate", Identity: given}
	}
	if taken := who(p.bindings, in.Bindings); taken != "" {
		return strategytest.Change{Event: "deescalate", Identity: taken}
	}
	return strategytest.Change{Event: "escalate"} // of an end
}

var userMember = regexp.MustCompile(`^user:(\S+@\S+)$`)

func setPolicy(f *Fake, c *call) (any, error) {
	in, err := c.asked()
	if err != nil {
		return nil, err
	}
	p := f.state.projects[c.parts[0]]
	if p == nil || p.state != "ACTIVE" {
		return nil, notForUs()
	}
	if in.Etag != "" && in.Etag != p.etag() {
		return nil, &fault{409, "ABORTED", "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff. The request's ETag did not match the current policy's ETag.", ""}
	}
	named, ids := 0, map[string]bool{}
	for _, b := range in.Bindings {
		if b.Condition != nil && in.Version != 3 {
			return nil, invalid("Policies with conditions must have version 3.")
		}
		if b.Condition != nil && slices.Contains([]string{"roles/owner", "roles/editor", "roles/viewer"}, b.Role) {
			return nil, invalid("Conditions can't be set on primitive roles")
		}
		key, err := json.Marshal([]any{b.Role, b.Condition})
		if err != nil || len(b.Members) == 0 || ids[string(key)] {
			return nil, invalid("bindings are empty, or twice there")
		}
		ids[string(key)] = true
		for _, m := range b.Members {
			named++
			if who := userMember.FindStringSubmatch(m); who != nil && !f.state.known(who[1]) {
				return nil, invalid("User %s does not exist.", who[1])
			}
		}
	}
	if named > 1500 {
		return nil, invalid("The number of members in the policy (%d) is larger than the maximum allowed size 1,500.", named)
	}
	// Without an etag it is overwritten, and as version 1 all conditions are lost.
	p.bindings = in.Bindings
	p.generation++
	return p.policy(3), nil
}

// Projects is the system of strategies of type gcp_iam.
type Projects struct{ *Fake }

func projectOf(t flow.Target) string { return t.Settings["project"] }

var ends = regexp.MustCompile(`^request\.time < timestamp\('([^']+)'\)$`)

// bound finds the bindings that give somebody a target's role now, without others'
// conditions, and until when; zero: for good.
func (p Projects) bound(target flow.Target, identity string) (has bool, until time.Time) {
	for _, b := range p.Policy(projectOf(target)) {
		if b.Role != target.Settings["role"] || !slices.ContainsFunc(b.Members, func(m string) bool { return strings.EqualFold(m, "user:"+identity) }) {
			continue
		}
		if b.Condition == nil {
			return true, time.Time{}
		}
		m := ends.FindStringSubmatch(b.Condition.Expression)
		if m == nil {
			continue
		}
		end, err := time.Parse(time.RFC3339, m[1])
		if err != nil || !end.After(p.Now()) {
			continue
		}
		if has, until = true, end; end.Year() == 9999 {
			until = time.Time{}
		}
	}
	return has, until
}

// Has implements strategytest.System.
func (p Projects) Has(target flow.Target, identity string) bool {
	p.mu.Lock()
	state := p.state.projects[projectOf(target)].state
	p.mu.Unlock()
	has, _ := p.bound(target, identity)
	return has && state == "ACTIVE"
}

// Until implements strategytest.Expirer.
func (p Projects) Until(target flow.Target, identity string) time.Time {
	_, until := p.bound(target, identity)
	return until
}

// Give implements strategytest.Outsider: it gives back what Take took, as who puts an
// older policy back; or else, for good.
func (p Projects) Give(target flow.Target, identity string) {
	key := projectOf(target) + " " + target.Settings["role"] + " " + identity
	p.mu.Lock()
	was := p.taken[key]
	delete(p.taken, key)
	p.mu.Unlock()
	for _, b := range was {
		p.Bind(projectOf(target), b)
	}
	if len(was) > 0 {
		return
	}
	p.Bind(projectOf(target), Binding{Role: target.Settings["role"], Members: []string{"user:" + identity}})
}

// Take implements strategytest.Outsider.
func (p Projects) Take(target flow.Target, identity string) {
	p.set(func() {
		of := p.state.projects[projectOf(target)]
		key := projectOf(target) + " " + target.Settings["role"] + " " + identity
		of.bindings = slices.DeleteFunc(slices.Clone(of.bindings), func(b Binding) bool {
			is := b.Role == target.Settings["role"] && slices.Contains(b.Members, "user:"+identity)
			if is {
				p.taken[key] = append(p.taken[key], b)
			}
			return is
		})
		of.generation++
	})
}

// DeleteTarget implements strategytest.Deleter.
func (p Projects) DeleteTarget(target flow.Target) { p.DeleteProject(projectOf(target)) }

// DeletePerson implements strategytest.Deleter.
func (p Projects) DeletePerson(identity string) { p.DeleteUser(identity) }

// GiveByway implements strategytest.Byway: with a condition of somebody else's.
func (p Projects) GiveByway(target flow.Target, identity string) {
	p.Bind(projectOf(target), Binding{Role: target.Settings["role"], Members: []string{"user:" + identity}, Condition: &Condition{
		Title: "Only at work", Expression: "request.time.getHours('Europe/Berlin') < 18",
	}})
}
