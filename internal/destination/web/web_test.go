package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/destination"
	"github.com/symflows/symflows/internal/destination/web"
	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/workflow"
)

const secret = "secret-value-000"

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// secrets has one, and notes whether it is to be read anew.
type secrets struct {
	value     string
	err       error
	forgotten int
}

func (s *secrets) Value(context.Context, flow.SecretRef) (string, error) { return s.value, s.err }
func (s *secrets) Forget(flow.SecretRef)                                 { s.forgotten++ }

// vendor is a server, which sees what it is sent and answers as it is told.
type vendor struct {
	host    string
	request *http.Request
	body    []byte
	answer  http.HandlerFunc
}

// RoundTrip calls it, whatever address it has.
func (v *vendor) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	v.host, v.request, v.body = r.URL.Host, r, body
	w := httptest.NewRecorder()
	v.answer(w, r)
	return w.Result(), nil
}

func status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

// destinations are one of each type.
func destinations() map[string]flow.LogDestination {
	ref := flow.SecretRef{Name: "key", Path: "/sym/key"}
	return map[string]flow.LogDestination{
		destination.HTTP:    {Settings: map[string]string{"url": "https://logs.example.com/sym?key=url-secret-000"}, Secrets: map[string]flow.SecretRef{destination.SettingSigning: ref}},
		destination.Segment: {Integration: &flow.Integration{Type: "segment", Secrets: map[string]flow.SecretRef{destination.SettingWriteKey: ref}}},
		destination.Datadog: {Settings: map[string]string{"site": "datadoghq.eu"}, Secrets: map[string]flow.SecretRef{destination.SettingAPIKey: ref}},
		destination.Splunk:  {Settings: map[string]string{"url": "https://inputs.example.com", "index": "audit"}, Secrets: map[string]flow.SecretRef{destination.SettingToken: ref}},
	}
}

func open(t *testing.T, typ string, v *vendor, s *secrets) workflow.Destination {
	t.Helper()
	d := web.Deps{Egress: egress.Through(v), Secrets: s, Now: func() time.Time { return now }}
	to := destinations()[typ]
	to.Name, to.Type = "to", typ
	opened, err := map[string]workflow.OpenDestination{
		destination.HTTP: d.Server, destination.Segment: d.Segment, destination.Datadog: d.Datadog, destination.Splunk: d.Splunk,
	}[typ](to)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func outgoing(n int) (records []workflow.Outgoing) {
	for i := range n {
		records = append(records, workflow.Outgoing{
			Index: int64(i), ID: fmt.Sprintf("event-%d.1", i), Run: "run", Event: "approve", At: now.Add(-36 * time.Hour), Who: "bob@example.com",
			Body: fmt.Appendf(nil, `{"id":"event-%d","actor":{"username":"bob@example.com","user":"sym:user:normal:u:latest"},"event":{"timestamp":"2026-02-28T21:00:00Z"}}`, i),
		})
	}
	return records
}

// TestSend: each gets records as its documentation says, with what tells repeated ones.
func TestSend(t *testing.T) {
	t.Parallel()
	for typ, check := range map[string]func(*testing.T, *vendor) (ids []string){
		destination.HTTP: func(t *testing.T, v *vendor) []string {
			h := v.request.Header
			if err := events.VerifySignature(secret, h.Get(events.HeaderTimestamp), v.body, h.Get(events.HeaderSignature), now); err != nil {
				t.Error(err)
			}
			if v.host != "logs.example.com" || v.request.URL.RequestURI() != "/sym?key=url-secret-000" || !bytes.Equal(v.body, outgoing(1)[0].Body) {
				t.Errorf("%s %s: %s", v.host, v.request.URL, v.body)
			}
			return []string{h.Get("Idempotency-Key")}
		},
		destination.Segment: func(t *testing.T, v *vendor) (ids []string) {
			key, password, _ := v.request.BasicAuth()
			var body struct {
				SentAt time.Time
				Batch  []struct {
					Type, MessageID, UserID, Event string
					Timestamp                      time.Time
					Properties                     map[string]any
				}
			}
			if err := json.Unmarshal(v.body, &body); err != nil || key != secret || password != "" || v.host+v.request.URL.Path != "api.segment.io/v1/batch" || !body.SentAt.Equal(now) {
				t.Errorf("%s%s by %s: %s", v.host, v.request.URL.Path, key, v.body)
			}
			for i, c := range body.Batch {
				if c.Type != "track" || c.UserID != "bob@example.com" || c.Event != "sym.approve" || !c.Timestamp.Equal(now.Add(-36*time.Hour)) || c.Properties["id"] != fmt.Sprintf("event-%d", i) {
					t.Errorf("%+v", c)
				}
				ids = append(ids, c.MessageID)
			}
			return ids
		},
		destination.Datadog: func(t *testing.T, v *vendor) (ids []string) {
			var logs []struct {
				Source  string `json:"ddsource"`
				Service string `json:"service"`
				Tags    string `json:"ddtags"`
				ID      string `json:"id"`
				// What the pipeline of Sym's pack remaps.
				Actor struct{ User, Username string }
				Event struct{ Timestamp time.Time }
			}
			if err := json.Unmarshal(v.body, &logs); err != nil || v.request.Header.Get("DD-API-KEY") != secret || v.host+v.request.URL.Path != "http-intake.logs.datadoghq.eu/api/v2/logs" {
				t.Errorf("%s%s: %s, %v", v.host, v.request.URL.Path, v.body, err)
			}
			for _, l := range logs {
				if l.Source != "sym" || l.Service != "sym" || l.Actor.Username != "bob@example.com" || l.Actor.User == "" || l.Event.Timestamp.IsZero() || l.ID == "" {
					t.Errorf("%+v", l)
				}
				ids = append(ids, strings.TrimPrefix(l.Tags, "record:"))
			}
			return ids
		},
		destination.Splunk: func(t *testing.T, v *vendor) (ids []string) {
			if v.request.Header.Get("Authorization") != "Splunk "+secret || v.host+v.request.URL.Path != "inputs.example.com/services/collector/event" {
				t.Errorf("%s%s", v.host, v.request.URL.Path)
			}
			for d := json.NewDecoder(bytes.NewReader(v.body)); ; {
				var e struct {
					Time                      float64
					Source, SourceType, Index string
					Fields                    map[string]string
					Event                     map[string]any
				}
				if d.Decode(&e) != nil {
					return ids
				}
				if e.Time != float64(now.Add(-36*time.Hour).Unix()) || e.SourceType != "sym:audit" || e.Index != "audit" || e.Event["id"] == "" {
					t.Errorf("%+v", e)
				}
				ids = append(ids, e.Fields["record"])
			}
		},
	} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			v := &vendor{answer: status(http.StatusOK, "{}")}
			d := open(t, typ, v, &secrets{value: secret})
			n := min(3, d.Limits().Records)
			if err := d.Send(t.Context(), outgoing(n)); err != nil {
				t.Fatal(err)
			}
			want := []string{"event-0.1", "event-1.1", "event-2.1"}[:n]
			if got := check(t, v); !slices.Equal(got, want) {
				t.Errorf("told as %v, want %v", got, want)
			}
		})
	}
}

// TestSend_Fails: what each of them answers that is not a success means what its
// documentation says: try again, wait, repair, or that the record is not taken.
func TestSend_Fails(t *testing.T) {
	t.Parallel()
	all := slices.Collect(maps.Keys(destinations()))
	for name, test := range map[string]struct {
		types  []string
		answer http.HandlerFunc
		code   flow.Code
		after  time.Duration
		text   string
		forget bool
	}{
		"throttled":            {all, status(429, "", "Retry-After", "7"), flow.CodeUnavailable, 7 * time.Second, "asks for fewer calls", false},
		"throttled by date":    {all, status(429, "", "Retry-After", now.Add(time.Minute).Format(http.TimeFormat), "Date", now.Format(http.TimeFormat)), flow.CodeUnavailable, time.Minute, "", false},
		"a clock that is off":  {all, status(429, "", "Retry-After", now.Add(25*time.Hour).Format(http.TimeFormat), "Date", now.Add(24*time.Hour).Format(http.TimeFormat)), flow.CodeUnavailable, time.Hour, "", false},
		"busy":                 {all, status(503, `{"text":"Server is busy","code":9}`), flow.CodeUnavailable, 0, "", false},
		"timed out":            {all, status(408, ""), flow.CodeUnavailable, 0, "", false},
		"too large":            {all, status(413, ""), flow.CodeTooLarge, 0, "", false},
		"malformed":            {[]string{destination.HTTP, destination.Segment, destination.Datadog}, status(400, `{"error":"bad"}`), flow.CodeInvalid, 0, "", false},
		"unauthorized":         {all, status(401, `{"message":"no"}`), flow.CodeStrategy, 0, "", true},
		"forbidden":            {all, status(403, `{"text":"Invalid token","code":4}`), flow.CodeStrategy, 0, "", true},
		"no such address":      {all, status(404, ""), flow.CodeStrategy, 0, "", false},
		"a redirect":           {all, status(307, "", "Location", "https://elsewhere.example.com/?key=url-secret-000"), flow.CodeStrategy, 0, "redirect, which is not followed", false},
		"an index of none":     {[]string{destination.Splunk}, status(400, `{"text":"Incorrect index","code":7,"invalid-event-number":1}`), flow.CodeStrategy, 0, "Incorrect index", false},
		"an event that is bad": {[]string{destination.Splunk}, status(400, `{"text":"Invalid data format","code":6,"invalid-event-number":0}`), flow.CodeInvalid, 0, "Invalid data format", false},
		"a disabled token":     {[]string{destination.Splunk}, status(400, `{"text":"Token disabled","code":1}`), flow.CodeStrategy, 0, "Token disabled", false},
	} {
		for _, typ := range test.types {
			t.Run(name+" of "+typ, func(t *testing.T) {
				t.Parallel()
				kept := &secrets{value: secret}
				err := open(t, typ, &vendor{answer: test.answer}, kept).Send(t.Context(), outgoing(1))
				if flow.CodeOf(err) != test.code || !strings.Contains(flow.UserMessage(err), test.text) {
					t.Errorf("got %v of %s, want %s about %q", err, flow.CodeOf(err), test.code, test.text)
				}
				if after := min(flow.AskedToWait(err), flow.MaxRetryAfter); after != test.after {
					t.Errorf("asks to wait %s, want %s", after, test.after)
				}
				if (kept.forgotten > 0) != test.forget {
					t.Errorf("the secret is read anew %d times", kept.forgotten)
				}
				if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "url-secret-000") {
					t.Errorf("the error shows a secret: %v", err)
				}
			})
		}
	}
}

// TestSend_NotSent: without a secret nothing is sent, and what can't be read says so.
func TestSend_NotSent(t *testing.T) {
	t.Parallel()
	for typ := range destinations() {
		never := func(http.ResponseWriter, *http.Request) { t.Errorf("%s was called", typ) }
		if err := open(t, typ, &vendor{answer: never}, &secrets{}).Send(t.Context(), outgoing(1)); flow.CodeOf(err) != flow.CodeStrategy {
			t.Errorf("%s with an empty secret: %v", typ, err)
		}
		if err := open(t, typ, &vendor{answer: never}, &secrets{err: io.ErrUnexpectedEOF}).Send(t.Context(), outgoing(1)); flow.CodeOf(err) != flow.CodeUnavailable {
			t.Errorf("%s without its secret: %v", typ, err)
		}
	}
}

// TestSegment_Large: a call that Segment would drop without a word is not sent, and the
// others are.
func TestSegment_Large(t *testing.T) {
	t.Parallel()
	v := &vendor{answer: status(http.StatusOK, "{}")}
	records := outgoing(3)
	records[1].Body = fmt.Appendf(nil, `{"output":%q}`, strings.Repeat("x", 33<<10))
	err := open(t, destination.Segment, v, &secrets{value: secret}).Send(t.Context(), records)
	partly, ok := err.(*workflow.PartlySent)
	if !ok || len(partly.Errors) != 1 || flow.CodeOf(partly.Errors[1]) != flow.CodeTooLarge {
		t.Errorf("got %v", err)
	}
	if bytes.Contains(v.body, []byte("event-1")) || !bytes.Contains(v.body, []byte("event-2.1")) {
		t.Errorf("sent %s", v.body)
	}
}

// TestLimits: a call that is as large as the limits let it be is no larger than the vendor
// takes.
func TestLimits(t *testing.T) {
	t.Parallel()
	for typ, most := range map[string]int{destination.Segment: 500 << 10, destination.Datadog: 5 << 20, destination.Splunk: 1_048_576} {
		v := &vendor{answer: status(http.StatusOK, "{}")}
		d := open(t, typ, v, &secrets{value: secret})
		limits := d.Limits()
		var records []workflow.Outgoing
		for bytes, i := 0, 0; i < limits.Records; i++ {
			r := outgoing(1)[0]
			r.ID = "0d6e1a3c-0c5d-4b7e-9a68-c3f5d0e70001.1234"
			if bytes += len(r.Body) + limits.Overhead; bytes > limits.Bytes {
				break
			}
			records = append(records, r)
		}
		if err := d.Send(t.Context(), records); err != nil || len(v.body) > most {
			t.Errorf("%s: %d records are %d bytes, and it takes %d: %v", typ, len(records), len(v.body), most, err)
		}
	}
}

// TestEgress: what the configuration API owns is called the way of its owner, and a fault
// of where it leads is not tried again and again.
func TestEgress(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was called") }))
	defer server.Close()
	d := web.Deps{Egress: egress.New(egress.Machine, nil), Secrets: &secrets{}, Now: func() time.Time { return now }}
	to := flow.LogDestination{Name: "to", Type: destination.HTTP, Settings: map[string]string{"url": server.URL}, ByAPI: true}
	opened, err := d.Server(to)
	if err != nil {
		t.Fatal(err)
	}
	err = opened.Send(deadline.Context(t), outgoing(1))
	if _, refused := errors.AsType[*egress.Refused](err); !refused || flow.CodeOf(err) != flow.CodeStrategy {
		t.Errorf("got %v", err)
	}
}
