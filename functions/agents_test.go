package functions_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
)

// bearing sends requests with a token.
type bearing string

func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	bearer(string(b))(r, nil)
	return http.DefaultTransport.RoundTrip(r)
}

// TestAgentRun: an agent asks, waits and ends by the tools that api serves, each request in
// an invocation of its own, with the rights of that function; and its owner shuts it out.
func TestAgentRun(t *testing.T) {
	t.Parallel()
	open := maps.Clone(flows)
	open["prod-access.yaml"] = strings.Replace(open["prod-access.yaml"], "  strategy_id: databases\n", "  strategy_id: databases\n  agents: {max_duration: 1h}\n", 1)
	a, g := productOf(t, open)
	var made events.CreatedToken
	a.ask("POST", "/api/v1/tokens", events.CreateTokenInput{Bot: "helper", Agent: true, Owner: "bob@example.com", Expires: "1d"}, a.signed, http.StatusOK, &made)
	s, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &sdk.StreamableClientTransport{
		Endpoint: a.gateway.URL + "/mcp", HTTPClient: &http.Client{Transport: bearing(made.Value)}, DisableStandaloneSSE: true, MaxRetries: -1,
	}, nil)
	a.must(err)
	use := func(tool string, arguments map[string]any) (out map[string]any) {
		t.Helper()
		r, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: arguments})
		a.must(err)
		b, err := json.Marshal(r.StructuredContent)
		a.must(err)
		if r.IsError || json.Unmarshal(b, &out) != nil {
			t.Fatalf("%s: %+v", tool, r.Content[0])
		}
		return out
	}
	known, err := json.Marshal(use("list_flows", nil))
	a.must(err)
	if !strings.Contains(string(known), "prod-access") || strings.Contains(string(known), "run-report") {
		t.Errorf("it may ask for %s", known)
	}
	wish := map[string]any{
		"flow": "prod-access", "purpose": "find order 42", "key": "task-1",
		"inputs": map[string]any{"target_srn": "sym:access_target:aws_lambda_function:orders-db:latest", "duration": 3600, "reason": "order 42"},
	}
	run, _ := use("ask", wish)["run_id"].(string)
	if again := use("ask", wish)["run_id"]; again != run {
		t.Errorf("asked once more, it is %v instead of %s", again, run)
	}
	a.sees("bob", "Your agent *helper* asked")
	a.sees("lead", flow.ShortID(run))
	if open := use("wait", map[string]any{"run_id": run, "seconds": 1}); open["over"] != false {
		t.Errorf("while it is open: %v", open)
	}
	a.must(a.slack.As("lead").Click("", "Approve"))
	a.grants(g, run)
	outcome := map[string]any{}
	for outcome["over"] != true { // as often as is needed: each call is over within seconds
		outcome = use("wait", map[string]any{"run_id": run})
	}
	if live, _ := use("list_live", nil)["runs"].([]any); outcome["outcome"] != "granted" || len(live) != 1 {
		t.Errorf("once it is approved: %v, with %v live", outcome, live)
	}
	if ended := use("end", map[string]any{"run_id": run}); ended["ended"] != true {
		t.Errorf("ended: %v", ended)
	}
	a.ended(g, run)
	records := a.shippedFor(run, "request", "approve", "escalate", "deescalate")
	for _, i := range []int{0, 3} {
		if who := records[i].Actor; who.Kind != flow.KindAgent || who.Name != "helper" || who.Owner != "bob@example.com" || records[i].Run.Purpose != "find order 42" {
			t.Errorf("the record says %+v", records[i])
		}
	}
	a.must(a.slack.As("bob").Click("", "Shut out agent"))
	a.sees("bob", "is shut out")
	if _, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "list_live"}); err == nil {
		t.Error("the agent is let in after it was shut out")
	}
}
