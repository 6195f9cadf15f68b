package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// far is the API elsewhere: it answers by its list, and by the last of it for ever.
type far struct {
	mu       sync.Mutex
	answers  []http.HandlerFunc
	keys     []string // of the requests
	requests []string
}

func (f *far) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	answer := f.answers[0]
	if len(f.answers) > 1 {
		f.answers = f.answers[1:]
	}
	f.keys = append(f.keys, r.Header.Get("Idempotency-Key"))
	f.requests = append(f.requests, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization"))
	f.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body)
	answer(w, r)
}

// came gives the requests that came.
func (f *far) came() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// cameBy gives the keys that requests came by.
func (f *far) cameBy() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.keys)
}

func says(status int, body any, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		if text, ok := body.(string); ok {
			_, _ = io.WriteString(w, text)
			return
		}
		_ = json.NewEncoder(w).Encode(body)
	}
}

// cut ends the connection before there is an answer, or amid it.
func cut(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }

func cutAmid(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"run_id":`)
	panic(http.ErrAbortHandler)
}

// clientOf makes a client of a server, whose time passes as it sleeps.
func clientOf(t *testing.T, answers ...http.HandlerFunc) (*Client, *far, *[]time.Duration) {
	t.Helper()
	f := &far{answers: answers}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	now, pauses := start, []time.Duration{}
	return &Client{
		URL: server.URL + base, Token: "symflows_SECRET", HTTP: server.Client(), Now: func() time.Time { return now },
		Sleep: func(ctx context.Context, d time.Duration) error {
			now = now.Add(d)
			pauses = append(pauses, d)
			return ctx.Err()
		},
	}, f, &pauses
}

var accepted = says(200, events.RequestOutput{RunID: "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000"})

// A request survives limits, faults and lost answers, and asks for one run.
func TestRequest_SentAgain(t *testing.T) {
	t.Parallel()
	refused := says(503, events.APIError{Error: true, Message: "the person could not be looked up", Code: "Directory:LOOKUP_FAILED", StatusCode: 503, IsRetryable: true})
	c, f, pauses := clientOf(t, says(429, `{"message":"Too Many Requests"}`, "Retry-After", "7"), refused, cut, cutAmid, says(502, "<html>"), accepted)
	out, err := c.Request(t.Context(), events.RequestInput{FlowSRN: "sym:flow:gate:latest"}, "job-7")
	if err != nil || out.RunID != "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000" {
		t.Fatalf("%+v, %v", out, err)
	}
	if want := slices.Repeat([]string{"job-7"}, 6); !slices.Equal(f.cameBy(), want) {
		t.Errorf("sent with the keys %q", f.cameBy())
	}
	if (*pauses)[0] != 7*time.Second {
		t.Errorf("it waited %v, and was told to wait 7 s", (*pauses)[0])
	}
	for i, d := range (*pauses)[1:] {
		if usual := firstPause << (i + 1); d < usual/2 || d > usual {
			t.Errorf("pause %d is %v, not about %v", i+2, d, usual)
		}
	}
}

// What won't pass is not asked again, and what does not pass in a minute is said.
func TestCall_Refused(t *testing.T) {
	t.Parallel()
	body := events.APIError{Error: true, Message: "some fields are not right", Code: "Request:INVALID", StatusCode: 400, Errors: []events.APIFieldError{{Field: "flow_inputs.reason", Message: "is required"}}}
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		calls  int
		code   string
		text   string
	}{
		{"by the API", says(400, body), 1, "Request:INVALID", "some fields are not right; flow_inputs.reason is required (Request:INVALID)"},
		{"by what stands before it", says(403, `{"message":"Forbidden"}`), 1, "", "the deployment answered 403 Forbidden Forbidden"},
		{"a page of something else", says(200, "<html>"), 1, "", "is not the API"},
		{"led elsewhere", says(302, "", "Location", "http://127.0.0.1:1/steal"), 1, "", "the deployment answered 302 Found"},
		{"out of order", says(500, `{}`), attempts, "", "the deployment answered 500"},
		{"limited, for a day", says(429, `{}`, "Retry-After", "86400"), attempts, "", "429"},
		{"limited, until a time in the past", says(429, `{}`, "Retry-After", "Mon, 02 Mar 2026 08:00:00 GMT"), attempts, "", "429"},
		{"no answer", cut, attempts, "", "EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, f, pauses := clientOf(t, tc.answer)
			_, err := c.Flows(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.text) || CodeOf(err) != tc.code {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), c.Token) {
				t.Error("the error tells the token")
			}
			if len(f.came()) != tc.calls {
				t.Errorf("%d calls, want %d", len(f.came()), tc.calls)
			}
			for _, d := range *pauses {
				if d <= 0 || d > maxPause {
					t.Errorf("it waited %v", d)
				}
			}
		})
	}
}

// Ids and names are one part of a path, whatever they are.
func TestPaths(t *testing.T) {
	t.Parallel()
	c, f, _ := clientOf(t, says(404, events.APIError{Code: "Run:NOT_FOUND", StatusCode: 404, Message: "there is no such run"}))
	for _, id := range []string{"../events/request", "..", "", "a?b=c", "a/b#c"} {
		if _, err := c.Run(t.Context(), id); CodeOf(err) != "Run:NOT_FOUND" {
			t.Errorf("%q: %v", id, err)
		}
	}
	want := []string{"/runs/..%2Fevents%2Frequest", "/runs/-", "/runs/-", "/runs/a%3Fb=c", "/runs/a%2Fb%23c"}
	for i := range want {
		if want[i] = "GET " + base + want[i] + " Bearer symflows_SECRET"; f.came()[i] != want[i] {
			t.Errorf("sent %s, want %s", f.came()[i], want[i])
		}
	}
}

func run(status string, edit ...func(*events.RunStatus)) events.RunStatus {
	r := events.RunStatus{RunID: "5b1f2c9e-8a47-4d0b-9c3e-6f7d8e9a0000", Status: status, Fields: map[string]any{"target_id": "t"}}
	for _, e := range edit {
		e(&r)
	}
	return r
}

func failing(status ...string) func(*events.RunStatus) {
	return func(r *events.RunStatus) {
		r.Error = &events.AuditError{Code: "Strategy:FAILED", Message: "it is locked"}
		for _, s := range status {
			r.Events = append(r.Events, events.RunEvent{Name: "escalate", Status: s})
		}
	}
}

func TestOutcomeOf(t *testing.T) {
	t.Parallel()
	approvalOnly := func(r *events.RunStatus) { r.Fields = nil }
	startsAt := func(at time.Time) func(*events.RunStatus) {
		return func(r *events.RunStatus) { r.StartAt = &at }
	}
	for _, tc := range []struct {
		name string
		run  events.RunStatus
		want Outcome
	}{
		{"prompted", run("prompted"), Open},
		{"requested", run("requested"), Open},
		{"approved", run("approved"), Open},
		{"approved, nothing to grant", run("approved", approvalOnly), Approved},
		{"approved, starts tomorrow", run("approved", startsAt(start.Add(24*time.Hour))), Approved},
		{"approved, should have started", run("approved", startsAt(start)), Open},
		{"escalated", run("escalated"), Granted},
		{"denied", run("denied"), Denied},
		{"expired", run("expired"), Expired},
		{"cancelled", run("cancelled"), Cancelled},
		{"deescalated", run("deescalated"), Failed},
		{"fails, again later", run("approved", failing("error", "pending")), Open},
		{"waits for its target", run("approved", failing("pending")), Open},
		{"fails, for good", run("approved", failing("error")), Failed},
		{"live, its removal fails", run("escalated", failing("success", "error")), Granted},
	} {
		if got := OutcomeOf(tc.run, start); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// Waiting goes on whatever happens to the API meanwhile, says each change once, and asks
// less and less often.
func TestWait(t *testing.T) {
	t.Parallel()
	pending := says(200, run("requested"))
	c, _, pauses := clientOf(t, says(200, run("prompted")), pending, cut, says(500, "{}"), says(429, "{}", "Retry-After", "30"), pending, pending, pending, pending, pending, pending, pending, says(200, run("escalated")))
	var changes []string
	last, outcome, err := c.Wait(t.Context(), "5b1f2c9e", start.Add(time.Hour), func(r events.RunStatus) { changes = append(changes, r.Status) })
	if err != nil || outcome != Granted || last.Status != "escalated" {
		t.Fatalf("%s, %s, %v", last.Status, outcome, err)
	}
	if want := []string{"prompted", "requested", "escalated"}; !slices.Equal(changes, want) {
		t.Errorf("changes: %q", changes)
	}
	if !slices.Contains(*pauses, 30*time.Second) || (*pauses)[0] != firstPoll || (*pauses)[len(*pauses)-1] != maxPoll {
		t.Errorf("pauses %v", *pauses)
	}
}

// Waiting has an end: that of its time to the second, that of a context, or that of an
// error which stays.
func TestWait_Ends(t *testing.T) {
	t.Parallel()
	c, _, _ := clientOf(t, says(200, run("requested")))
	if last, outcome, err := c.Wait(t.Context(), "5b1f2c9e", start.Add(100*time.Second), func(events.RunStatus) {}); err != nil || outcome != TimedOut || last.Status != "requested" || !c.Now().Equal(start.Add(100*time.Second)) {
		t.Errorf("%s, %s, %v at %v", last.Status, outcome, err, c.Now())
	}
	ctx, cancel := context.WithCancel(t.Context())
	c, _, _ = clientOf(t, says(200, run("requested")))
	if last, _, err := c.Wait(ctx, "5b1f2c9e", start.Add(time.Hour), func(events.RunStatus) { cancel() }); !errors.Is(err, context.Canceled) || last.Status != "requested" {
		t.Errorf("%s, %v", last.Status, err)
	}
	c, f, _ := clientOf(t, says(404, events.APIError{Code: "Run:NOT_FOUND", StatusCode: 404}))
	if _, _, err := c.Wait(t.Context(), "5b1f2c9e", start.Add(time.Hour), nil); CodeOf(err) != "Run:NOT_FOUND" || len(f.came()) != 1 {
		t.Errorf("%v after %d calls", err, len(f.came()))
	}
	c, _, _ = clientOf(t, says(500, "{}"))
	if _, outcome, err := c.Wait(t.Context(), "5b1f2c9e", start.Add(time.Minute), nil); err == nil || outcome != Open {
		t.Errorf("%s, %v: it was never seen", outcome, err)
	}
}

// Ending takes what the run has become between looking and ending.
func TestEnd(t *testing.T) {
	t.Parallel()
	decided := says(409, events.APIError{Code: "Run:ALREADY_DECIDED", StatusCode: 409})
	invalid := says(400, events.APIError{Code: "DeescalateAPI:INVALID_RUN", StatusCode: 400})
	ok := says(200, "{}")
	approvalOnly := func(r *events.RunStatus) { r.Fields = nil }
	for _, tc := range []struct {
		name    string
		answers []http.HandlerFunc
		ended   bool
		last    string
	}{
		{"open", []http.HandlerFunc{says(200, run("requested")), ok}, true, "/cancel"},
		{"live", []http.HandlerFunc{says(200, run("escalated")), ok}, true, "/events/deescalate"},
		{"over", []http.HandlerFunc{says(200, run("denied"))}, false, "/runs/x"},
		{"approved just then", []http.HandlerFunc{says(200, run("requested")), decided, says(200, run("escalated")), ok}, true, "/events/deescalate"},
		{"denied just then", []http.HandlerFunc{says(200, run("requested")), decided, says(200, run("denied"))}, false, "/runs/x"},
		{"being granted", []http.HandlerFunc{says(200, run("approved")), decided, ok}, true, "/events/deescalate"},
		{"approved, and over just then", []http.HandlerFunc{says(200, run("escalated")), invalid, says(200, run("deescalated"))}, false, "/runs/x"},
		{"approved, nothing to end", []http.HandlerFunc{says(200, run("approved", approvalOnly)), decided}, false, "/cancel"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, f, _ := clientOf(t, tc.answers...)
			_, ended, err := c.End(t.Context(), "x")
			if err != nil || ended != tc.ended || !strings.Contains(f.came()[len(f.came())-1], tc.last+" ") {
				t.Errorf("ended %v, %v, by %q", ended, err, f.came())
			}
		})
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"https://abc.execute-api.us-east-1.amazonaws.com":         "https://abc.execute-api.us-east-1.amazonaws.com/api/v1",
		"https://abc.execute-api.us-east-1.amazonaws.com/api/v1/": "https://abc.execute-api.us-east-1.amazonaws.com/api/v1",
		"http://127.0.0.1:8080/":                                  "http://127.0.0.1:8080/api/v1",
		"http://localhost:8080":                                   "http://localhost:8080/api/v1",
		"http://[::1]:8080":                                       "http://[::1]:8080/api/v1",
		"http://sym.example.com":                                  "",
		"http://localhost.example.com":                            "",
		"https://user:secret@sym.example.com":                     "",
		"https://sym.example.com/?a=b":                            "",
		"sym.example.com":                                         "",
		"":                                                        "",
	} {
		if got, err := Address(given); got != want || (err == nil) != (want != "") || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
}
