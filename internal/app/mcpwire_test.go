package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/terminal"
)

// What a client that is not the SDK's gets, byte for byte, by the revisions of the Model
// Context Protocol that are spoken here: the cases of its conformance suite that apply to a
// server of tools without sessions, and those of its text that the suite lacks.

// wire sends messages to /mcp as they are written.
type wire struct {
	t     *testing.T
	url   string
	token string
}

type wireAnswer struct {
	status int
	header http.Header
	body   []byte
}

// post sends a body with headers NAME, VALUE, …; an empty value leaves a header out.
func (w wire) send(method, body string, headers ...string) wireAnswer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + w.token, "Content-Type": "application/json", "Accept": "application/json, text/event-stream"} {
		r.Header.Set(name, value)
	}
	for i := 0; i < len(headers); i += 2 {
		switch name, value := headers[i], headers[i+1]; {
		case name == "Host":
			r.Host = value
		case value == "":
			r.Header.Del(name)
		default:
			r.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return wireAnswer{resp.StatusCode, resp.Header, b}
}

// reply is an answer of JSON-RPC.
type reply struct {
	JSONRPC string
	ID      any
	Result  map[string]any
	Error   *struct {
		Code    int
		Message string
		Data    map[string]any
	}
}

func (a wireAnswer) reply(t *testing.T) (r reply) {
	t.Helper()
	if kind := a.header.Get("Content-Type"); kind != "application/json" {
		t.Fatalf("it is answered with %s: %s", kind, a.body)
	}
	if err := json.Unmarshal(a.body, &r); err != nil || r.JSONRPC != "2.0" || !bytes.Contains(a.body, []byte(`"id"`)) || (r.Result == nil) == (r.Error == nil) {
		t.Fatalf("this is no answer of JSON-RPC: %s (%v)", a.body, err)
	}
	return r
}

const (
	lastWithSessions = "2025-11-25"
	firstWithout     = "2026-07-28"
)

// message is a request of a version, and stated the headers that go with it since there are
// no sessions.
func message(version, method, params string) (body string, headers []string) {
	if version < firstWithout {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":"q1","method":%q,"params":{%s}}`, method, params), []string{"MCP-Protocol-Version", version}
	}
	meta := fmt.Sprintf(`"_meta":{"io.modelcontextprotocol/protocolVersion":%q,"io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`, version)
	if params != "" {
		meta += "," + params
	}
	headers = []string{"MCP-Protocol-Version", version, "Mcp-Method", method}
	if name := regexp.MustCompile(`^"name":"(\w+)"`).FindStringSubmatch(params); name != nil {
		headers = append(headers, "Mcp-Name", name[1])
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":"q1","method":%q,"params":{%s}}`, method, meta), headers
}

// initialization of a version.
func initialization(version string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`, version)
}

// Each client is answered in a version that it may speak, and told what there is.
func TestMCPWire_Negotiation(t *testing.T) {
	t.Parallel()
	p, token := withAgents(t)
	w := wire{t, p.url + "/mcp", token}
	spoken := sdk.SupportedProtocolVersions()
	for _, asked := range append(spoken, "1999-01-01", "soon") {
		a := w.send(http.MethodPost, initialization(asked))
		r := a.reply(t)
		got, _ := r.Result["protocolVersion"].(string)
		if a.status != http.StatusOK || r.ID != 1.0 || !slices.Contains(spoken, got) {
			t.Errorf("%s: %d %s", asked, a.status, a.body)
		}
		if asked < firstWithout && slices.Contains(spoken, asked) && got != asked {
			t.Errorf("%s is spoken, and answered by %s", asked, got)
		}
		if info, _ := r.Result["serverInfo"].(map[string]any); info["name"] != "symflows" || info["version"] == "" {
			t.Errorf("%s: it says that it is %v", asked, info)
		}
		// What is told is what there is: tools, whose list never changes.
		if diff := cmp.Diff(map[string]any{"tools": map[string]any{}}, r.Result["capabilities"]); diff != "" {
			t.Errorf("%s: %s", asked, diff)
		}
		if a.header.Get("Mcp-Session-Id") != "" {
			t.Errorf("%s: there is a session", asked)
		}
	}
	body, headers := message(firstWithout, "server/discover", "")
	r := w.send(http.MethodPost, body, headers...).reply(t)
	versions, _ := r.Result["supportedVersions"].([]any)
	if len(versions) != len(spoken) || versions[0] != spoken[0] || !reflect.DeepEqual(r.Result["capabilities"], map[string]any{"tools": map[string]any{}}) {
		t.Errorf("it is discovered as %v", r.Result)
	}
}

// Messages, and how each is answered. A code of 0 is a result, and none at all no body.
func TestMCPWire_Messages(t *testing.T) {
	t.Parallel()
	p, token := withAgents(t)
	w := wire{t, p.url + "/mcp", token}
	const none = 1
	ping := `{"jsonrpc":"2.0","id":"q1","method":"ping"}`
	for name, c := range map[string]struct {
		body    string
		headers []string
		status  int
		code    int
		id      any
	}{
		"ping":                        {ping, nil, 200, 0, "q1"},
		"a number as id":              {`{"jsonrpc":"2.0","id":7,"method":"ping"}`, nil, 200, 0, 7.0},
		"a session that was not made": {ping, []string{"Mcp-Session-Id", "5f0c"}, 200, 0, "q1"},
		"types with parameters":       {ping, []string{"Content-Type", "application/json; charset=utf-8", "Accept", "text/event-stream;q=0.5, application/json"}, 200, 0, "q1"},
		"initialized":                 {`{"jsonrpc":"2.0","method":"notifications/initialized"}`, nil, 202, none, nil},
		"cancelled":                   {`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q0"}}`, nil, 202, none, nil},
		"a notification of others":    {`{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`, nil, 202, none, nil},
		"an unknown notification":     {`{"jsonrpc":"2.0","method":"notifications/rumour"}`, nil, 202, none, nil},
		"a request without an id":     {`{"jsonrpc":"2.0","method":"tools/list"}`, nil, 202, none, nil},
		"an answer":                   {`{"jsonrpc":"2.0","id":1,"result":{}}`, nil, 202, none, nil},
		"no JSON":                     {`{"jsonrpc":`, nil, 400, -32700, nil},
		"nothing":                     {"", nil, 400, -32700, nil},
		"two messages":                {ping + ping, nil, 400, -32700, nil},
		"a text":                      {`"ping"`, nil, 400, -32600, nil},
		"no version of JSON-RPC":      {`{"id":"q1","method":"ping"}`, nil, 400, -32600, nil},
		"another of it":               {`{"jsonrpc":"1.0","id":"q1","method":"ping"}`, nil, 400, -32600, nil},
		"no method":                   {`{"jsonrpc":"2.0","id":"q1"}`, nil, 400, -32600, nil},
		"a method that is no text":    {`{"jsonrpc":"2.0","id":"q1","method":1}`, nil, 400, -32600, nil},
		"no id":                       {`{"jsonrpc":"2.0","id":null,"method":"ping"}`, nil, 400, -32600, nil},
		"an id that is none":          {`{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}`, nil, 400, -32600, nil},
		"an unknown method":           {`{"jsonrpc":"2.0","id":"q1","method":"runs/approve","params":{}}`, nil, 200, -32601, "q1"},
		"tools/call without params":   {`{"jsonrpc":"2.0","id":"q1","method":"tools/call"}`, nil, 200, -32602, "q1"},
		"params that are a list":      {`{"jsonrpc":"2.0","id":"q1","method":"tools/call","params":["ask"]}`, nil, 200, -32602, "q1"},
		"an unknown tool":             {`{"jsonrpc":"2.0","id":"q1","method":"tools/call","params":{"name":"approve","arguments":{}}}`, nil, 200, -32602, "q1"},
		"a name that is none":         {`{"jsonrpc":"2.0","id":"q1","method":"tools/call","params":{"name":7}}`, nil, 200, -32602, "q1"},
		"a cursor that was not given": {`{"jsonrpc":"2.0","id":"q1","method":"tools/list","params":{"cursor":"x"}}`, nil, 200, -32602, "q1"},
		"a version that is over":      {ping, []string{"MCP-Protocol-Version", "2000-01-01"}, 400, -32022, nil},
		"a version that is none":      {ping, []string{"MCP-Protocol-Version", "latest"}, 400, 0, nil},
		"no JSON by its type":         {ping, []string{"Content-Type", "text/plain"}, 415, 0, nil},
		"no type":                     {ping, []string{"Content-Type", ""}, 415, 0, nil},
		"a batch where there is none": {"[" + ping + "]", []string{"MCP-Protocol-Version", "2025-06-18"}, 400, 0, nil},
		"an empty batch":              {"[]", nil, 400, 0, nil},
		"a stream that goes on":       {ping, []string{"Last-Event-ID", "1"}, 400, 0, nil},
		"too much":                    {`{"jsonrpc":"2.0","id":"q1","method":"ping","params":{"x":"` + strings.Repeat("x", 300<<10) + `"}}`, nil, 413, -32600, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := w
			w.t = t
			a := w.send(http.MethodPost, c.body, c.headers...)
			if a.status != c.status {
				t.Fatalf("%d, want %d: %s", a.status, c.status, a.body)
			}
			switch {
			case c.code == none:
				if len(a.body) > 0 {
					t.Errorf("there is nothing to be said, and said is %s", a.body)
				}
				return
			case c.code == 0 && c.status != http.StatusOK:
				return // what is wrong is the request of HTTP
			}
			r := a.reply(t)
			if r.ID != c.id {
				t.Errorf("the answer is to %v, want %v", r.ID, c.id)
			}
			if c.code != 0 && (r.Error == nil || r.Error.Code != c.code || r.Error.Message == "") || c.code == 0 && r.Error != nil {
				t.Errorf("it is answered %s, want the code %d", a.body, c.code)
			}
		})
	}
	// What other servers may have, and this one does not say that it has.
	for _, version := range []string{lastWithSessions, firstWithout} {
		for method, params := range map[string]string{
			"prompts/list": "", "prompts/get": `"name":"x"`, "resources/list": "", "resources/templates/list": "", "resources/read": `"uri":"file:///etc/passwd"`,
			"resources/subscribe": `"uri":"x"`, "resources/unsubscribe": `"uri":"x"`, "subscriptions/listen": `"notifications":{"toolsListChanged":true}`,
			"logging/setLevel": `"level":"debug"`, "completion/complete": `"ref":{"type":"ref/prompt","name":"x"},"argument":{"name":"a","value":"b"}`,
			"sampling/createMessage": "", "elicitation/create": "", "roots/list": "", "tasks/list": "", "rpc.discover": "",
		} {
			body, headers := message(version, method, params)
			a := w.send(http.MethodPost, body, headers...)
			want := map[string]int{lastWithSessions: 200, firstWithout: 404}[version]
			if r := a.reply(t); a.status != want || r.Error == nil || r.Error.Code != -32601 || r.ID != "q1" {
				t.Errorf("%s by %s: %d %s", method, version, a.status, a.body)
			}
		}
	}
	// A batch is answered whole by the version that has them.
	a := w.send(http.MethodPost, "["+ping+`,{"jsonrpc":"2.0","method":"notifications/initialized"},{"jsonrpc":"2.0","id":2,"method":"tools/list"}]`, "MCP-Protocol-Version", "2025-03-26")
	var batch []reply
	if err := json.Unmarshal(a.body, &batch); err != nil || len(batch) != 2 || a.status != http.StatusOK {
		t.Errorf("a batch is answered with %d %s", a.status, a.body)
	}
}

// Without sessions, each request says by itself what it is.
func TestMCPWire_Stateless(t *testing.T) {
	t.Parallel()
	p, token := withAgents(t)
	w := wire{t, p.url + "/mcp", token}
	with := func(headers []string, name, value string) []string {
		return append(slices.Clone(headers), name, value)
	}
	list, headers := message(firstWithout, "tools/list", "")
	call, calling := message(firstWithout, "tools/call", `"name":"list_live","arguments":{}`)
	bare := `{"jsonrpc":"2.0","id":"q1","method":"tools/list","params":{}}`
	ping, pinging := message(firstWithout, "ping", "")
	future, futures := message("2099-01-01", "tools/list", "")
	for name, c := range map[string]struct {
		body    string
		headers []string
		status  int
		code    int
	}{
		"all is said":               {list, headers, 200, 0},
		"a call":                    {call, calling, 200, 0},
		"a session all the same":    {list, with(headers, "Mcp-Session-Id", "5f0c"), 200, 0},
		"another version inside":    {strings.ReplaceAll(list, firstWithout, lastWithSessions), headers, 400, -32020},
		"a version inside alone":    {list, nil, 400, -32020},
		"a version outside alone":   {bare, headers, 400, -32602},
		"another method outside":    {list, with(headers, "Mcp-Method", "tools/call"), 400, -32020},
		"no method outside":         {list, with(headers, "Mcp-Method", ""), 400, -32020},
		"another tool outside":      {call, with(calling, "Mcp-Name", "wait"), 400, -32020},
		"no tool outside":           {call, with(calling, "Mcp-Name", ""), 400, -32020},
		"a version that is to come": {future, futures, 400, -32022},
		"what is there no more":     {ping, pinging, 404, -32601},
	} {
		t.Run(name, func(t *testing.T) {
			w := w
			w.t = t
			a := w.send(http.MethodPost, c.body, c.headers...)
			r := a.reply(t)
			if a.status != c.status || (r.Error == nil) != (c.code == 0) || r.Error != nil && r.Error.Code != c.code {
				t.Errorf("%d %s, want %d with the code %d", a.status, a.body, c.status, c.code)
			}
			if c.code == -32022 && len(r.Error.Data["supported"].([]any)) == 0 {
				t.Errorf("it is not said what is spoken: %s", a.body)
			}
			if c.code == 0 && r.Result["resultType"] != "complete" {
				t.Errorf("it does not say that it is complete: %s", a.body)
			}
		})
	}
}

// Who may come in is asked before anything is read, pages of browsers may not, and there
// is nothing but POST.
func TestMCPWire_Doors(t *testing.T) {
	t.Parallel()
	p, token := withAgents(t)
	w, nobody, bot := wire{t, p.url + "/mcp", token}, wire{t, p.url + "/mcp", "symflows_WRONG"}, wire{t, p.url + "/mcp", p.tokenOf(t, store.Token{Bot: "ci", Owner: "bob@example.com"})}
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut, http.MethodPatch, http.MethodOptions, http.MethodHead} {
		if a := w.send(method, "", "Mcp-Session-Id", "5f0c"); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != http.MethodPost {
			t.Errorf("%s: %d, allowed is %q", method, a.status, a.header.Get("Allow"))
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete, http.MethodOptions} {
		for _, body := range []string{initialization(lastWithSessions), "{", strings.Repeat("x", 300<<10)} {
			for name, a := range map[string]wireAnswer{"a wrong token": nobody.send(method, body), "no token": nobody.send(method, body, "Authorization", "")} {
				if a.status != http.StatusUnauthorized || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
					t.Errorf("%s with %s: %d", method, name, a.status)
				}
			}
			if a := bot.send(method, body); a.status != http.StatusForbidden {
				t.Errorf("%s with a bot's token: %d", method, a.status)
			}
		}
	}
	for _, origin := range []string{"https://evil.example.com", "http://localhost:3000", p.url, "null"} {
		for name, who := range map[string]wire{"an agent": w, "nobody": nobody} {
			for _, method := range []string{http.MethodPost, http.MethodOptions} {
				a := who.send(method, initialization(lastWithSessions), "Origin", origin)
				if a.status != http.StatusForbidden || a.header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s from a page of %s as %s: %d", method, origin, name, a.status)
				}
			}
		}
	}
	// A name of somebody else's that leads to this machine.
	if a := w.send(http.MethodPost, initialization(lastWithSessions), "Host", "evil.example.com"); a.status != http.StatusForbidden {
		t.Errorf("under another's name: %d", a.status)
	}
	for _, host := range []string{"localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080"} {
		if a := w.send(http.MethodPost, initialization(lastWithSessions), "Host", host); a.status != http.StatusOK {
			t.Errorf("as %s: %d", host, a.status)
		}
	}
	if a := w.send(http.MethodPost, initialization(lastWithSessions)); !strings.Contains(a.header.Get("Cache-Control"), "no-") || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("answers may be kept, or taken for what they are not: %v", a.header)
	}
	for _, accept := range []string{"application/json", "text/event-stream", "text/html"} {
		if a := w.send(http.MethodPost, initialization(lastWithSessions), "Accept", accept); a.status < 400 || a.status >= 500 {
			t.Errorf("to who takes %s alone: %d", accept, a.status)
		}
	}
}

// Tools are described by schemas that hold, results are what the schemas say, twice, and
// errors say that they are.
func TestMCPWire_Tools(t *testing.T) {
	t.Parallel()
	p, token := withAgents(t)
	w := wire{t, p.url + "/mcp", token}
	list := w.send(http.MethodPost, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`).reply(t).Result
	if _, more := list["nextCursor"]; more {
		t.Error("there are more tools than a page")
	}
	outputs := map[string]*jsonschema.Schema{}
	for _, one := range list["tools"].([]any) {
		tool := one.(map[string]any)
		name := tool["name"].(string)
		if !regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`).MatchString(name) {
			t.Errorf("%q is no name of a tool", name)
		}
		for _, which := range []string{"inputSchema", "outputSchema"} {
			schema, _ := tool[which].(map[string]any)
			if schema["type"] != "object" {
				t.Errorf("the %s of %s is of no object: %v", which, name, schema)
				continue
			}
			c := jsonschema.NewCompiler()
			c.DefaultDraft(jsonschema.Draft2020)
			if err := c.AddResource(which, schema); err != nil {
				t.Fatal(err)
			}
			compiled, err := c.Compile(which)
			if err != nil {
				t.Fatalf("the %s of %s: %v", which, name, err)
			}
			if which == "outputSchema" {
				outputs[name] = compiled
			} else if compiled.Validate(map[string]any{"approve": true}) == nil {
				t.Errorf("%s takes what there is not", name)
			}
		}
	}
	call := func(version, name string, arguments any, meta ...string) map[string]any {
		t.Helper()
		params := fmt.Sprintf(`"name":%q,"arguments":%s`, name, jsonOf(t, arguments))
		for _, m := range meta {
			params += "," + m
		}
		body, headers := message(version, "tools/call", params)
		r := w.send(http.MethodPost, body, headers...).reply(t)
		if r.Error != nil {
			t.Fatalf("%s: %+v", name, r.Error)
		}
		return r.Result
	}
	text := func(result map[string]any) string {
		t.Helper()
		content, _ := result["content"].([]any)
		if len(content) != 1 || content[0].(map[string]any)["type"] != "text" {
			t.Fatalf("the content is %v", result["content"])
		}
		return content[0].(map[string]any)["text"].(string)
	}
	used := map[string]bool{}
	for _, version := range []string{lastWithSessions, firstWithout} {
		asked := map[string]any{}
		maps.Copy(asked, right)
		asked["key"] = "by " + version
		var run any
		for _, step := range []struct {
			tool      string
			arguments func() any
		}{
			{"list_flows", func() any { return map[string]any{} }},
			{"ask", func() any { return asked }},
			{"wait", func() any { return map[string]any{"run_id": run, "seconds": 1} }},
			{"list_live", func() any { return map[string]any{} }},
			{"end", func() any { return map[string]any{"run_id": run} }},
		} {
			result := call(version, step.tool, step.arguments())
			used[step.tool] = true
			structured, _ := result["structuredContent"].(map[string]any)
			if result["isError"] == true || structured == nil {
				t.Fatalf("%s: %v", step.tool, result)
			}
			if err := outputs[step.tool].Validate(structured); err != nil {
				t.Errorf("%s gives what its schema does not say: %v", step.tool, err)
			}
			var same map[string]any
			if err := json.Unmarshal([]byte(text(result)), &same); err != nil || !reflect.DeepEqual(same, structured) {
				t.Errorf("%s says %s, and as text %s", step.tool, jsonOf(t, structured), text(result))
			}
			if step.tool == "ask" {
				run = structured["run_id"]
			}
		}
		for name, c := range map[string]struct {
			tool      string
			arguments any
			code      string
		}{
			"of the API":         {"wait", map[string]any{"run_id": "5f0c"}, "Run:NOT_FOUND"},
			"of arguments":       {"wait", map[string]any{"run_id": 7}, ""},
			"of what is not":     {"end", map[string]any{"run_id": run, "decision": "approve"}, ""},
			"of what is missing": {"ask", map[string]any{"flow": "prod-access"}, ""},
		} {
			result := call(version, c.tool, c.arguments)
			var failure struct{ Code, Message string }
			err := json.Unmarshal([]byte(text(result)), &failure)
			if result["isError"] != true || c.code != "" && (err != nil || failure.Code != c.code || failure.Message == "") {
				t.Errorf("by %s, an error %s is %v", version, name, result)
			}
		}
	}
	if len(used) != len(outputs) {
		t.Errorf("only %v of the tools are used", used)
	}
	// Who wants to hear of the progress of a call is answered as everybody is.
	if r := call(lastWithSessions, "list_live", map[string]any{}, `"_meta":{"progressToken":"p1"}`); r["isError"] == true {
		t.Errorf("with a token of progress: %v", r)
	}
}

// A line of standard input that is no message is answered, and does not end the
// connection; what is cancelled is not answered any more; and the end of the input is the
// end of the command.
func TestMCPWire_Stdio(t *testing.T) {
	t.Parallel()
	p, token := withAgents(t)
	s, err := byHTTP(t, p, token)
	if err != nil {
		t.Fatal(err)
	}
	asked, code := used(t, s, "ask", right)
	if code != "" {
		t.Fatal(code)
	}
	toServer, fromClient := io.Pipe()
	toClient, fromServer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := terminal.Command{
			Program: "symflows", In: toServer, Out: fromServer, Errors: io.Discard,
			Getenv: func(name string) string {
				return map[string]string{"SYM_API_URL": p.url, "SYM_JWT": token}[name]
			},
		}.Run(t.Context(), []string{"mcp"})
		fromServer.Close()
		ended <- err
	}()
	lines := bufio.NewScanner(toClient)
	say := func(line string) {
		t.Helper()
		if _, err := io.WriteString(fromClient, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	hear := func() (r reply) {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("the connection has ended")
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.JSONRPC != "2.0" {
			t.Fatalf("this is no message: %s", lines.Text())
		}
		return r
	}
	for _, c := range []struct {
		line string
		code int
		id   any
	}{
		{"{", -32700, nil},
		{"hello", -32700, nil},
		{`"ping"`, -32600, nil},
		{`{"jsonrpc":"2.0","id":3}`, -32600, nil},
		{`{"jsonrpc":"2.0","id":4,"method":"runs/approve"}`, -32601, 4.0},
		{`{"jsonrpc":"2.0","id":5,"method":"tools/call"}`, -32602, 5.0},
		{"", 0, nil}, // which is nothing at all
		{initialization(lastWithSessions), 0, 1.0},
		{`{"jsonrpc":"2.0","method":"notifications/initialized"}`, 0, nil},
		{`{"jsonrpc":"2.0","method":"notifications/rumour"}`, 0, nil},
		{`{"jsonrpc":"2.0","id":6,"method":"prompts/list"}`, -32601, 6.0},
		{`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"approve"}}`, -32602, 7.0},
		{`{"jsonrpc":"2.0","id":8,"method":"tools/list"}`, 0, 8.0},
	} {
		say(c.line)
		if c.code == 0 && c.id == nil {
			continue
		}
		r := hear()
		if r.ID != c.id || (r.Error == nil) != (c.code == 0) || r.Error != nil && r.Error.Code != c.code {
			t.Errorf("%s is answered %+v, want the code %d to %v", c.line, r, c.code, c.id)
		}
	}
	say(fmt.Sprintf(`{"jsonrpc":"2.0","id":"waits","method":"tools/call","params":{"name":"wait","arguments":{"run_id":%q}}}`, asked["run_id"]))
	say(`{"jsonrpc":"2.0","id":"meanwhile","method":"ping"}`)
	if r := hear(); r.ID != "meanwhile" {
		t.Errorf("while something waits, others do too: %+v", r)
	}
	say(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"waits","reason":"no need any more"}}`)
	say(`{"jsonrpc":"2.0","id":"after","method":"ping"}`)
	fromClient.Close()
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"result"`) && strings.Contains(lines.Text(), `"waits"`) {
			t.Errorf("what was cancelled is answered: %s", lines.Text())
		}
	}
	if err := <-ended; err != nil {
		t.Errorf("at the end of the input: %v", err)
	}
}
