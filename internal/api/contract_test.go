package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// document is openapi.json, and which of its answers were seen.
type document struct {
	compiler *jsonschema.Compiler
	mu       sync.Mutex
	schemas  map[string]*jsonschema.Schema
	seen     map[string]bool // "GET /api/v1/runs 200"
	paths    map[string]map[string]operation
}

type operation struct {
	OperationID string                     `json:"operationId"`
	Responses   map[string]json.RawMessage `json:"responses"`
}

func readDocument(t *testing.T) *document {
	t.Helper()
	d := &document{compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}, seen: map[string]bool{}}
	d.compiler.AssertFormat()
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.compiler.AddResource("openapi.json", tree); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]operation `json:"paths"`
	}
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	d.paths = doc.Paths
	return d
}

// pathOf finds the documented path that a request path is of; "" for none.
func (d *document) pathOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if _, ok := d.paths[path]; ok {
		return path
	}
	given := strings.Split(path, "/")
	for template := range d.paths {
		parts := strings.Split(template, "/")
		if len(parts) != len(given) {
			continue
		}
		fits := true
		for i, p := range parts {
			fits = fits && (p == given[i] || strings.HasPrefix(p, "{") && given[i] != "")
		}
		if fits {
			return template
		}
	}
	return ""
}

// check holds an answer to the document, and returns its body.
func (d *document) check(t *testing.T, method, path string, resp *http.Response) []byte {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Content-Length": fmt.Sprint(len(body)),
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	if err := uuid.Validate(resp.Header.Get(HeaderRequestID)); err != nil {
		t.Errorf("header %s: %v", HeaderRequestID, err)
	}
	pointer := d.answer(t, method, path, resp.StatusCode)
	if pointer == "" {
		return body
	}
	d.validate(t, pointer, body)
	return body
}

// answer finds the schema of an answer, and notes that it was seen.
func (d *document) answer(t *testing.T, method, path string, status int) string {
	t.Helper()
	component := func(name string) string {
		return "/components/responses/" + name + "/content/application~1json/schema"
	}
	template := d.pathOf(path)
	op, known := d.paths[template][strings.ToLower(method)]
	switch {
	case status == 405 && !known:
		return component("WrongMethod")
	case status == 404 && template == "":
		return component("UnknownPath")
	case !known:
		t.Errorf("%s %s answered %d, and is not documented", method, path, status)
		return ""
	}
	response, ok := op.Responses[fmt.Sprint(status)]
	if !ok {
		t.Errorf("%s %s answered %d, which is not documented", method, template, status)
		return ""
	}
	d.mu.Lock()
	d.seen[fmt.Sprintf("%s %s %d", method, template, status)] = true
	d.mu.Unlock()
	var ref struct {
		Ref string `json:"$ref"`
	}
	if err := json.Unmarshal(response, &ref); err != nil {
		t.Fatal(err)
	}
	if ref.Ref != "" {
		return component(strings.TrimPrefix(ref.Ref, "#/components/responses/"))
	}
	return fmt.Sprintf("/paths/%s/%s/responses/%d/content/application~1json/schema", strings.ReplaceAll(template, "/", "~1"), strings.ToLower(method), status)
}

// input is the schema of what a path takes.
func (d *document) input(path string) string {
	return "/paths/" + strings.ReplaceAll(d.pathOf(path), "/", "~1") + "/post/requestBody/content/application~1json/schema"
}

func (d *document) validate(t *testing.T, pointer string, body []byte) {
	t.Helper()
	d.mu.Lock()
	schema, ok := d.schemas[pointer]
	if !ok {
		var err error
		if schema, err = d.compiler.Compile("openapi.json#" + pointer); err != nil {
			d.mu.Unlock()
			t.Fatal(err)
		}
		d.schemas[pointer] = schema
	}
	d.mu.Unlock()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%s\n%v", body, err)
	}
}

// expected lists every documented answer.
func (d *document) expected() []string {
	var out []string
	for path, methods := range d.paths {
		for method, op := range methods {
			for status := range op.Responses {
				out = append(out, strings.ToUpper(method)+" "+path+" "+status)
			}
		}
	}
	slices.Sort(out)
	return out
}

// out is a store that can't be reached: every read of a key with the prefix fails.
type out struct {
	store.Store
	prefix string
}

var errOut = errors.New("the table can't be reached at 10.1.2.3")

func (s out) Get(ctx context.Context, key string) (store.Item, error) {
	if strings.HasPrefix(key, s.prefix) {
		return store.Item{}, errOut
	}
	return s.Store.Get(ctx, key)
}

// The API does what its document says, and the document says all that it does:
// every route, every status, every body.
func TestContract(t *testing.T) {
	t.Parallel()
	doc := readDocument(t)
	t.Run("answers", func(t *testing.T) {
		for _, c := range refusals() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, doc)
			})
		}
		for _, c := range successes() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, doc)
			})
		}
		for _, c := range breakdowns() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, doc)
			})
		}
	})
	for _, answer := range doc.expected() {
		if !doc.seen[answer] {
			t.Errorf("%s is documented, but no test gets it", answer)
		}
	}
}

// Routes and documented paths are the same.
func TestRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	doc := readDocument(t)
	var served []string
	for _, rt := range (&API{}).routes() {
		served = append(served, strings.ToLower(rt.method)+" "+Base+rt.path)
	}
	served = append(served, "get "+Base+openAPIPath)
	var documented, ids []string
	for path, methods := range doc.paths {
		for method, op := range methods {
			documented = append(documented, method+" "+path)
			ids = append(ids, op.OperationID)
		}
	}
	slices.Sort(served)
	slices.Sort(documented)
	if !slices.Equal(served, documented) {
		t.Errorf("served:     %q\ndocumented: %q", served, documented)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(documented) {
		t.Errorf("operation ids are not unique: %q", ids)
	}
}

// Each code that the table knows and this API answers is in the document, and no other is.
func TestCodesAreDocumented(t *testing.T) {
	t.Parallel()
	var doc struct {
		Components struct {
			Responses map[string]struct {
				Content map[string]struct {
					Schema struct {
						Properties struct {
							Code struct {
								Enum []string `json:"enum"`
							} `json:"code"`
							StatusCode struct {
								Const int `json:"const"`
							} `json:"status_code"`
						} `json:"properties"`
					} `json:"schema"`
				} `json:"content"`
			} `json:"responses"`
		} `json:"components"`
	}
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	documented := map[string]int{}
	for _, response := range doc.Components.Responses {
		p := response.Content["application/json"].Schema.Properties
		for _, code := range p.Code.Enum {
			documented[code] = p.StatusCode.Const
		}
	}
	served := map[string]int{"Internal:ERROR": 500}
	for code, status := range statuses {
		served[string(code)] = status
	}
	delete(served, string(flow.CodeUnknownEntity)) // the configuration API's, whose document is the provider's
	if !maps.Equal(served, documented) {
		t.Errorf("served:     %v\ndocumented: %v", served, documented)
	}
}

// TestSchemasKnow: the schemas of the document have each key that the bodies have, and no
// other.
func TestSchemasKnow(t *testing.T) {
	t.Parallel()
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]json.RawMessage `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	for schema, body := range map[string]any{
		"RequestInput": events.RequestInput{}, "RequestOutput": events.RequestOutput{},
		"DeescalateInput": events.DeescalateInput{}, "DeescalateOutput": events.DeescalateOutput{},
		"ExtendInput": events.ExtendInput{}, "ExtendOutput": events.ExtendOutput{},
		"CancelOutput": events.CancelOutput{}, "AgainInput": events.AgainInput{}, "AgainOutput": events.AgainOutput{},
		"RetryInput": events.RetryInput{}, "RetryOutput": events.RetryOutput{},
		"EventStatus": events.EventStatus{}, "RunEvent": events.RunEvent{}, "RunEntitlement": events.RunEntitlement{},
		"RunStatus": events.RunStatus{}, "RunList": events.RunList{}, "Actor": events.AuditActor{},
		"FlowSummary": events.FlowSummary{}, "FlowDetail": events.FlowDetail{},
	} {
		var want []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(body)) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous {
				continue // its fields are seen, too
			}
			want = append(want, name)
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(doc.Components.Schemas[schema].Properties)); !slices.Equal(got, want) {
			t.Errorf("%s has %q, the bodies have %q", schema, got, want)
		}
	}
	run, listed := doc.Components.Schemas["RunStatus"].Properties, doc.Components.Schemas["RunSummary"].Properties
	delete(run, "events")
	if delete(run, "permalink"); !slices.Equal(slices.Sorted(maps.Keys(run)), slices.Sorted(maps.Keys(listed))) {
		t.Error("RunSummary is not RunStatus without its events and permalink")
	}
}

// breakdown is a fault of ours: the client gets no detail, the log gets all.
type breakdown struct {
	name         string
	method, path string
	body         string
	unread       store.Kind // the kind of items that can't be read
	logged       string
}

func breakdowns() []breakdown {
	const run = "0d6e5a3c-0000-4000-8000-000000000000"
	return []breakdown{
		{"request", "POST", "/events/request", reportBody, store.KindToken, errOut.Error()},
		{"request, later", "POST", "/events/request", reportBody, store.KindFlow, errOut.Error()},
		{"request, panic", "POST", "/events/request", access("alice@example.com", askToFall), "none#", "the directory fell over"},
		{"deescalate", "POST", "/events/deescalate", `{"run_id":"` + run + `"}`, store.KindRun, errOut.Error()},
		{"retry", "POST", "/events/retry", `{"run_id":"` + run + `"}`, store.KindRun, errOut.Error()},
		{"extend", "POST", "/runs/" + run + "/extend", `{"duration":1800}`, store.KindRun, errOut.Error()},
		{"cancel", "POST", "/runs/" + run + "/cancel", "", store.KindRun, errOut.Error()},
		{"again", "POST", "/runs/" + run + "/again", `{}`, store.KindRun, errOut.Error()},
		{"event", "GET", "/events/" + run, "", store.KindRun, errOut.Error()},
		{"run", "GET", "/runs/" + run, "", store.KindRun, errOut.Error()},
		{"receipt", "GET", "/runs/" + run + "/receipt", "", store.KindRun, errOut.Error()},
		{"runs", "GET", "/runs?flow=run-report", "", store.KindFlow, errOut.Error()},
		{"flows", "GET", "/flows", "", store.KindFlowList, errOut.Error()},
		{"flow", "GET", "/flows/run-report", "", store.KindFlow, errOut.Error()},
		{"drift", "GET", "/drift", "", store.KindDrift, errOut.Error()},
	}
}

func (c breakdown) run(t *testing.T, doc *document) {
	f := newFixture(t)
	f.serve(out{Store: f.store, prefix: string(c.unread)})
	resp := f.send(c.method, Base+c.path, c.body, nil)
	answer := doc.check(t, c.method, Base+c.path, resp)
	if resp.StatusCode != 500 {
		t.Errorf("got %d: %s", resp.StatusCode, answer)
	}
	if strings.Contains(string(answer), c.logged) {
		t.Errorf("the client is told %s", answer)
	}
	if log := f.log.String(); !strings.Contains(log, c.logged) || !strings.Contains(log, resp.Header.Get(HeaderRequestID)) || !strings.Contains(log, "level=ERROR") {
		t.Errorf("the log has %s", log)
	}
}

// TestEnumerations holds the events and the statuses of the document to those
// that there are.
func TestEnumerations(t *testing.T) {
	t.Parallel()
	var doc struct {
		Components struct {
			Schemas struct {
				EventName struct{ Enum []flow.EventName }
				RunState  struct{ Enum []flow.Status }
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	if got := doc.Components.Schemas.EventName.Enum; !slices.Equal(got, flow.EventNames) {
		t.Errorf("documented events %v, want %v", got, flow.EventNames)
	}
	if got := doc.Components.Schemas.RunState.Enum; !slices.Equal(got, flow.Statuses) {
		t.Errorf("documented statuses %v, want %v", got, flow.Statuses)
	}
}
