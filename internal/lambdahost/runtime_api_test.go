package lambdahost

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What other programs on this machine send to a worker's port changes nothing.
func TestRuntimeAPIRefuses(t *testing.T) {
	t.Parallel()
	const address, secret = "127.0.0.1:9001", "THESECRETOFTHISFUNCTION"
	w := &worker{function: &function{}}
	for _, test := range []struct {
		name, method, path string
		host, origin       string
		status             int
		errorType          string
	}{
		{"NameThatResolvesHere", "GET", "/THESECRETOFTHISFUNCTION/2018-06-01/runtime/invocation/next", "rebound.example.com:9001", "", 403, "Forbidden"},
		{"WebPage", "POST", "/THESECRETOFTHISFUNCTION/2018-06-01/runtime/init/error", address, "https://example.com", 403, "Forbidden"},
		{"UnknownInvocation", "POST", "/THESECRETOFTHISFUNCTION/2018-06-01/runtime/invocation/1/response", address, "", 400, "InvalidRequestID"},
		{"UnknownInvocationsError", "POST", "/THESECRETOFTHISFUNCTION/2018-06-01/runtime/invocation/1/error", address, "", 400, "InvalidRequestID"},
		{"NoSecret", "GET", "/2018-06-01/runtime/invocation/next", address, "", 403, "Forbidden"},
		{"AnswerWithoutSecret", "POST", "/2018-06-01/runtime/invocation/1/response", address, "", 403, "Forbidden"},
		{"OtherFunctionsSecret", "GET", "/THESECRETOFANOTHERFUNC/2018-06-01/runtime/invocation/next", address, "", 403, "Forbidden"},
		{"BeginningOfSecret", "GET", "/THESECRETOFTHISFUNCTIO/2018-06-01/runtime/invocation/next", address, "", 403, "Forbidden"},
		{"EmptySecret", "GET", "//2018-06-01/runtime/invocation/next", address, "", 403, "Forbidden"},
		{"OtherVersion", "GET", "/THESECRETOFTHISFUNCTION/2015-03-31/runtime/invocation/next", address, "", 404, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(test.method, test.path, strings.NewReader("{}"))
			r.Host = test.host
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
			}
			rw := httptest.NewRecorder()
			w.runtimeAPI(address, secret).ServeHTTP(rw, r)
			if rw.Code != test.status || !strings.Contains(rw.Body.String(), test.errorType) {
				t.Errorf("got %d %s, want %d %s", rw.Code, rw.Body, test.status, test.errorType)
			}
		})
	}
}

// The steps of the protocol, as a runtime takes them.
func TestRuntimeAPI(t *testing.T) {
	t.Parallel()
	w := &worker{function: &function{arn: goARN}, next: make(chan *invocation)}
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler = w.runtimeAPI(server.Listener.Addr().String(), "secret")
	server.Start()
	defer server.Close()
	const base = "/secret/2018-06-01/runtime/invocation/"
	call := func(method, path, body string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(text)
	}
	inv := &invocation{id: "id-1", trace: newTrace(now), deadline: now, payload: []byte(`{"a":1}`), done: make(chan outcome, 1)}
	go func() { w.next <- inv }()
	resp, body := call("GET", base+"next", "")
	if resp.StatusCode != 200 || body != `{"a":1}` {
		t.Errorf("next: got %d %s", resp.StatusCode, body)
	}
	for name, want := range map[string]string{
		"Lambda-Runtime-Aws-Request-Id": "id-1", "Lambda-Runtime-Deadline-Ms": "1772366400000",
		"Lambda-Runtime-Invoked-Function-Arn": goARN, "Lambda-Runtime-Trace-Id": inv.trace,
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(inv.trace, "Root=1-69a42a40-") || len(inv.trace) != len("Root=1-69a42a40-aaaaaaaaaaaaaaaaaaaaaaaa;Sampled=0") {
		t.Errorf("the trace is %q", inv.trace)
	}
	if resp, _ := call("POST", base+"id-2/response", `"no"`); resp.StatusCode != 400 {
		t.Errorf("another invocation's answer: got status %d, want 400", resp.StatusCode)
	}
	if resp, _ := call("POST", base+"id-1/response", `"yes"`); resp.StatusCode != 202 {
		t.Errorf("the answer: got status %d, want 202", resp.StatusCode)
	}
	if resp, _ := call("POST", base+"id-1/error", `{}`); resp.StatusCode != 400 {
		t.Errorf("a second answer: got status %d, want 400", resp.StatusCode)
	}
	if out := <-inv.done; string(out.answer) != `"yes"` || out.err != nil {
		t.Errorf("the outcome is %s, %v", out.answer, out.err)
	}
}

// Each process has an address of its own, by which no other can speak for
// another function, and which can't be guessed from its port.
func TestAddressIsOneFunctions(t *testing.T) {
	t.Parallel()
	b := open(t, map[string]Function{goARN: goFunction("function"), otherARN: goFunction("function")})
	addresses := map[string]string{}
	for _, arn := range []string{goARN, otherARN} {
		answer, err := b.Invoke(t.Context(), arn, []byte(`{"Do":"environment"}`))
		if err != nil {
			t.Fatal(err)
		}
		for variable := range strings.SplitSeq(string(answer), `"`) {
			if address, ok := strings.CutPrefix(variable, "AWS_LAMBDA_RUNTIME_API="); ok {
				addresses[arn] = address
			}
		}
	}
	here, secret, _ := strings.Cut(addresses[goARN], "/")
	_, other, _ := strings.Cut(addresses[otherARN], "/")
	if len(secret) < 26 || len(other) < 26 || secret == other {
		t.Fatalf("the addresses are %v, want paths of 128 bits that differ", addresses)
	}
	for _, path := range []string{"", "/" + other} {
		resp, err := http.Post("http://"+here+path+"/2018-06-01/runtime/init/error", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 403 {
			t.Errorf("%s: got %s, want 403", path, resp.Status)
		}
	}
	b.mustOrder(t, order{})
}
