package googlefake

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/google"
	"github.com/symflows/symflows/internal/strategy"
	projects "github.com/symflows/symflows/internal/strategy/gcpiam/client"
	"github.com/symflows/symflows/internal/strategy/googlegroup"
	groups "github.com/symflows/symflows/internal/strategy/googlegroup/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// schemas are what Google's descriptions (*-api.json in google.golang.org/api v0.312.0)
// have of what is sent and answered here: members, each with the schema of what is in
// it, if that is one, by the name of a schema.
var schemas = map[string]string{
	// cloudidentity/v1
	"Lookup":        "name",
	"Groups":        "groups:Group nextPageToken",
	"Group":         "additionalGroupKeys createTime description displayName dynamicGroupMetadata externalIds groupKey:Key labels name parent updateTime",
	"Key":           "id namespace",
	"Memberships":   "memberships:Membership nextPageToken",
	"Membership":    "createTime deliverySetting name preferredMemberKey:Key roles:Role type updateTime",
	"Role":          "expiryDetail:Expiry name restrictionEvaluations",
	"Expiry":        "expireTime",
	"Transitive":    "hasMembership",
	"Operation":     "done error metadata name response",
	"ModifyRoles":   "addRoles:Role removeRoles updateRolesParams:UpdateRole",
	"UpdateRole":    "fieldMask membershipRole:Role",
	"RolesModified": "membership:Membership",
	// admin/directory/v1
	"AdminGroups":  "etag groups:AdminGroup kind nextPageToken",
	"AdminGroup":   "adminCreated aliases description directMembersCount email etag externalIds id kind name nonEditableAliases",
	"AdminMembers": "etag kind members:AdminMember nextPageToken",
	"AdminMember":  "delivery_settings email etag id kind role status type",
	"HasMember":    "isMember",
	"AdminUser":    "aliases archived customerId id kind primaryEmail suspended suspensionReason", // and others
	// cloudresourcemanager/v3
	"Projects":  "nextPageToken projects:Project",
	"Project":   "configuredCapabilities createTime deleteTime displayName etag isManagementProject labels managementType name parent projectId state tags updateTime",
	"GetPolicy": "options:Options",
	"Options":   "requestedPolicyVersion",
	"SetPolicy": "policy:Policy updateMask",
	"Policy":    "auditConfigs bindings:Binding etag version",
	"Binding":   "condition:Expr members role",
	"Expr":      "description expression location title",
	// sts/v1, as a form as OAuth has it; iamcredentials/v1
	"Token":         "access_token expires_in issued_token_type token_type",
	"GenerateToken": "delegates lifetime scope",
	"AccessToken":   "accessToken expireTime",
	"SignJWT":       "delegates payload",
	"SignedJWT":     "keyId signedJwt",
	// https://google.aip.dev/193, and the older form of it
	"Failed": "error:Status",
	"Status": "code details errors message status",
	"OAuth":  "error error_description",
}

// operations are the methods, with the parameters of their queries, and the schemas
// of what they take and answer.
var operations = []struct{ method, path, parameters, takes, answers string }{
	{"GET", `/v1/groups:lookup`, "groupKey.id groupKey.namespace", "", "Lookup"},
	{"GET", `/v1/groups:search`, "pageSize pageToken query view", "", "Groups"},
	{"GET", `/v1/groups/[^/:]+/memberships:lookup`, "memberKey.id memberKey.namespace", "", "Lookup"},
	{"GET", `/v1/groups/[^/:]+/memberships:checkTransitiveMembership`, "query", "", "Transitive"},
	{"GET", `/v1/groups/[^/:]+/memberships`, "pageSize pageToken view", "", "Memberships"},
	{"GET", `/v1/groups/[^/:]+/memberships/[^/:]+`, "", "", "Membership"},
	{"POST", `/v1/groups/[^/:]+/memberships`, "", "Membership", "Operation"},
	{"POST", `/v1/groups/[^/:]+/memberships/[^/:]+:modifyMembershipRoles`, "", "ModifyRoles", "RolesModified"},
	{"DELETE", `/v1/groups/[^/:]+/memberships/[^/:]+`, "", "", "Operation"},
	{"GET", `/admin/directory/v1/groups`, "customer domain maxResults orderBy pageToken query sortOrder userKey", "", "AdminGroups"},
	{"GET", `/admin/directory/v1/groups/[^/]+`, "", "", "AdminGroup"},
	{"GET", `/admin/directory/v1/groups/[^/]+/members`, "includeDerivedMembership maxResults pageToken roles", "", "AdminMembers"},
	{"GET", `/admin/directory/v1/groups/[^/]+/members/[^/]+`, "", "", "AdminMember"},
	{"GET", `/admin/directory/v1/groups/[^/]+/hasMember/[^/]+`, "", "", "HasMember"},
	{"POST", `/admin/directory/v1/groups/[^/]+/members`, "", "AdminMember", "AdminMember"},
	{"PATCH", `/admin/directory/v1/groups/[^/]+/members/[^/]+`, "", "AdminMember", "AdminMember"},
	{"DELETE", `/admin/directory/v1/groups/[^/]+/members/[^/]+`, "", "", ""},
	{"GET", `/admin/directory/v1/users/[^/]+`, "customFieldMask projection viewType", "", "AdminUser"},
	{"GET", `/v3/projects:search`, "pageSize pageToken query", "", "Projects"},
	{"GET", `/v3/projects/[^/:]+`, "", "", "Project"},
	{"POST", `/v3/projects/[^/:]+:getIamPolicy`, "", "GetPolicy", "Policy"},
	{"POST", `/v3/projects/[^/:]+:setIamPolicy`, "", "SetPolicy", "Policy"},
	{"POST", `/v1/token`, "", "form", "Token"},
	{"POST", `/token`, "", "form", "Token"},
	{"POST", `/v1/projects/-/serviceAccounts/[^/:]+:generateAccessToken`, "", "GenerateToken", "AccessToken"},
	{"POST", `/v1/projects/-/serviceAccounts/[^/:]+:signJwt`, "", "SignJWT", "SignedJWT"},
}

// recorder keeps the calls of clients, and what was answered.
type recorder struct {
	mu   sync.Mutex
	seen []recording
}

type recording struct {
	method       string
	url          *url.URL
	sent, answer []byte
	status       int
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	x := recording{method: req.Method, url: req.URL}
	if req.Body != nil {
		x.sent, _ = io.ReadAll(req.Body)
		req.Body = io.NopCloser(strings.NewReader(string(x.sent)))
	}
	got, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return got, err
	}
	x.answer, err = io.ReadAll(got.Body)
	got.Body.Close()
	got.Body = io.NopCloser(strings.NewReader(string(x.answer)))
	x.status = got.StatusCode
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, x)
	return got, err
}

// fits finds what a value has that its schema has not.
func fits(value any, schema string) error {
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			if err := fits(one, schema); err != nil {
				return err
			}
		}
	case map[string]any:
		members := map[string]string{}
		for m := range strings.FieldsSeq(schemas[schema]) {
			name, of, _ := strings.Cut(m, ":")
			members[name] = of
		}
		for name, inner := range v {
			of, known := members[name]
			if !known {
				return fmt.Errorf("%s has no %s", schema, name)
			}
			if of == "" {
				continue
			}
			if err := fits(inner, of); err != nil {
				return err
			}
		}
	}
	return nil
}

func fitting(text []byte, schema string) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	return fits(value, schema)
}

// TestShapes: what is called and answered when the strategies do all that they do, and
// what they are refused, is what Google's descriptions have; and all of it is called.
func TestShapes(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	run := func(s strategytest.Subject, f *Fake, open func(*Fake) strategy.Opener) {
		o, err := open(f)(s.Frozen())
		if err != nil {
			t.Fatal(err)
		}
		everything := func(role string, until time.Time) {
			c := strategy.Call{RunID: "run", Target: s.Strategy.Targets[0], Identity: s.Identities[0], Value: role, Until: until}
			// What is refused is looked at, too.
			o.Grant(t.Context(), c)
			o.(strategy.Observer).Observe(t.Context(), c)
			o.(strategy.Lister).Holders(t.Context(), c.Target)
			o.(strategy.Identifier).Identity(t.Context(), flow.Actor{Email: "alice@example.com"})
			o.(strategy.Discoverer).Discover(t.Context())
		}
		if byway, ok := s.System.(strategytest.Byway); ok {
			byway.GiveByway(s.Strategy.Targets[0], s.Identities[0])
		}
		everything("MEMBER", f.Now().Add(time.Hour))
		everything("MEMBER", f.Now().Add(2*time.Hour))
		everything("OWNER", time.Time{})
		for _, m := range []strategytest.Mood{strategytest.Refusing, strategytest.Throttled, strategytest.Stale, strategytest.Willing} {
			s.System.SetMood(m)
			everything("MANAGER", time.Time{})
		}
		o.Revoke(t.Context(), strategy.Call{Target: s.Strategy.Targets[0], Identity: s.Identities[0]})
		s.System.(strategytest.Deleter).DeletePerson(s.Identities[0])
		everything("MEMBER", time.Time{})
		s.System.(strategytest.Deleter).DeleteTarget(s.Strategy.Targets[0])
		everything("MEMBER", time.Time{})
	}
	recorded := func(f *Fake) *google.APIs {
		apis := f.APIs()
		apis.HTTP = &http.Client{Transport: r}
		return apis
	}
	for _, api := range []string{googlegroup.CloudIdentity, googlegroup.Directory} {
		s := GroupSubject(t, api)
		f := s.System.(Groups).Fake
		s.Strategy.Integration.Settings["subject"] = "admin@" + Domain
		run(s, f, func(f *Fake) strategy.Opener { return groups.Open(recorded(f)) })
	}
	s := ProjectSubject(t)
	run(s, s.System.(Projects).Fake, func(f *Fake) strategy.Opener { return projects.Open(recorded(f)) })

	called := map[string]bool{}
	for _, x := range r.seen {
		i := slices.IndexFunc(operations, func(o struct{ method, path, parameters, takes, answers string }) bool {
			return o.method == x.method && regexp.MustCompile("^"+o.path+"$").MatchString(x.url.Path)
		})
		if i < 0 {
			t.Errorf("%s %s is no method of Google's", x.method, x.url.Path)
			continue
		}
		o := operations[i]
		called[o.method+" "+o.path] = true
		for name := range x.url.Query() {
			if !slices.Contains(strings.Fields(o.parameters), name) {
				t.Errorf("%s %s has no parameter %s", o.method, o.path, name)
			}
		}
		if len(x.sent) > 0 && o.takes != "form" {
			if err := fitting(x.sent, o.takes); err != nil {
				t.Errorf("%s %s was sent what it does not take: %v", o.method, o.path, err)
			}
		}
		schema := o.answers
		if x.status >= 300 {
			if schema = "Failed"; strings.HasSuffix(o.path, "/token") && x.status == 400 {
				schema = "OAuth"
			}
		}
		if len(x.answer) == 0 && schema == "" {
			continue
		}
		if err := fitting(x.answer, schema); err != nil {
			t.Errorf("%s %s answered what Google does not: %v", o.method, o.path, err)
		}
	}
	for _, o := range operations {
		if !called[o.method+" "+o.path] {
			t.Errorf("%s %s was not called: see why it is here", o.method, o.path)
		}
	}
	if len(called) < 20 {
		t.Errorf("only %q were called", slices.Collect(maps.Keys(called)))
	}
}
