package oktafake

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/okta/client"
	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// What Okta's OpenAPI description (okta/api/openapi.yaml of okta/okta-sdk-golang) has
// of what is answered here: members by the name of a schema, …
var schemas = map[string]string{
	"User":       "id status created activated statusChanged lastLogin lastUpdated passwordChanged type transitioningToStatus realmId profile credentials _embedded _links",
	"Group":      "id created lastUpdated lastMembershipUpdated objectClass type profile source _embedded _links",
	"GroupRule":  "id name status type created lastUpdated conditions actions",
	"Error":      "errorCode errorSummary errorLink errorId errorCauses",
	"Token":      "access_token token_type expires_in scope id_token refresh_token issued_token_type",
	"OAuthError": "error error_description",
}

// … and operations, with their parameters, the schema of what they answer, and their
// statuses. Those of the token endpoint, and 401 and 405, are Okta's guides'.
var operations = []struct {
	method, path, parameters, schema string
	statuses                         []int
}{
	{"POST", `/oauth2/v1/token`, "", "Token", []int{200, 400, 401, 429}},
	{"GET", `/api/v1/users`, "q search filter limit after sortBy sortOrder", "User", []int{200, 403, 429}},
	{"GET", `/api/v1/users/[^/]+`, "expand", "User", []int{200, 403, 404, 429}},
	{"GET", `/api/v1/users/[^/]+/groups`, "", "Group", []int{200, 403, 404, 429}},
	{"GET", `/api/v1/groups`, "q search filter limit after expand sortBy sortOrder", "Group", []int{200, 403, 429}},
	{"GET", `/api/v1/groups/[^/]+`, "", "Group", []int{200, 403, 404, 429}},
	{"GET", `/api/v1/groups/[^/]+/users`, "limit after expand", "User", []int{200, 403, 404, 429}},
	{"GET", `/api/v1/groups/[^/]+/users/[^/]+/group-rules`, "", "GroupRule", []int{200, 403, 404, 429}},
	{"PUT", `/api/v1/groups/[^/]+/users/[^/]+`, "", "", []int{204, 403, 404, 429}},
	{"DELETE", `/api/v1/groups/[^/]+/users/[^/]+`, "", "", []int{204, 403, 404, 429}},
}

// recorder keeps the calls of a client, and what was answered.
type recorder struct {
	mu   sync.Mutex
	seen []exchange
}

type exchange struct {
	method string
	url    *url.URL
	status int
	body   []byte
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	answer.Body = io.NopCloser(strings.NewReader(string(body)))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, exchange{req.Method, req.URL, answer.StatusCode, body})
	return answer, err
}

// TestShapes: what is called and answered when the strategy does all that it does,
// and what it is refused, is what Okta's description has.
func TestShapes(t *testing.T) {
	t.Parallel()
	f, r := New(t), &recorder{}
	d := f.Deps()
	d.HTTP = &http.Client{Transport: r}
	s := Strategy(f.App())
	o, err := client.Open(d)(s)
	if err != nil {
		t.Fatal(err)
	}
	f.AddRule("0pr1", "All of dev", Dev, Bob)
	all := func(c strategy.Call) {
		// What is refused is looked at, too.
		o.Grant(t.Context(), c)
		o.(strategy.Observer).Observe(t.Context(), c)
		o.(strategy.Lister).Holders(t.Context(), c.Target)
		o.(strategy.Identifier).Identity(t.Context(), flow.Actor{Email: "alice@example.com"})
		o.(strategy.Discoverer).Discover(t.Context())
		o.Revoke(t.Context(), c)
	}
	call := strategy.Call{Target: s.Targets[0], Identity: Alice}
	all(call)
	all(strategy.Call{Target: s.Targets[1], Identity: Bob})
	for _, m := range []strategytest.Mood{strategytest.Refusing, strategytest.Throttled, strategytest.Willing} {
		f.SetMood(m)
		all(call)
	}
	f.DeletePerson(Alice)
	all(call)
	f.DeleteTarget(s.Targets[0])
	all(strategy.Call{Target: s.Targets[0], Identity: Bob})

	called := map[string]bool{}
	for _, x := range r.seen {
		i := slices.IndexFunc(operations, func(o struct {
			method, path, parameters, schema string
			statuses                         []int
		}) bool {
			return o.method == x.method && regexp.MustCompile("^"+o.path+"$").MatchString(x.url.Path)
		})
		if i < 0 {
			t.Errorf("Okta has no %s %s", x.method, x.url.Path)
			continue
		}
		op := operations[i]
		called[op.method+op.path] = true
		if !slices.Contains(op.statuses, x.status) {
			t.Errorf("%s %s does not answer %d", op.method, op.path, x.status)
		}
		for name := range x.url.Query() {
			if !slices.Contains(strings.Fields(op.parameters), name) && name != "after" { // which Link headers have
				t.Errorf("%s %s has no parameter %s", op.method, op.path, name)
			}
		}
		schema := op.schema
		if x.status >= 400 {
			schema = "Error"
		}
		members(t, op.method+" "+op.path, schema, x.body)
	}
	if len(called) != len(operations) {
		t.Errorf("only %q were called", slices.Sorted(maps.Keys(called)))
	}

	refused := httptest.NewRecorder()
	f.token(refused, httptest.NewRequest(http.MethodPost, "/oauth2/v1/token", nil))
	members(t, "POST /oauth2/v1/token", "OAuthError", refused.Body.Bytes())
}

// members holds a body to a schema: an object, or a list of them.
func members(t *testing.T, what, schema string, body []byte) {
	t.Helper()
	if len(body) == 0 {
		if schema != "" {
			t.Errorf("%s answers nothing, want a %s", what, schema)
		}
		return
	}
	list := []map[string]any{}
	if json.Unmarshal(body, &list) != nil {
		var one map[string]any
		if err := json.Unmarshal(body, &one); err != nil {
			t.Errorf("%s answers no JSON: %v", what, err)
		}
		list = append(list, one)
	}
	for _, object := range list {
		for name := range object {
			if !slices.Contains(strings.Fields(schemas[schema]), name) {
				t.Errorf("%s answers %s, which is no member of %s", what, name, schema)
			}
		}
	}
}
