package events_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symflows/symflows/events"
)

func TestSignature(t *testing.T) {
	t.Parallel()
	// Computed with: printf '1767225600.{}' | openssl dgst -sha256 -hmac secret
	const want = "v1=fa7eaa06bf97d7815f3f456e97cde70c9e50cb005f01660c8d10b10c21964887"
	if got := events.Signature("secret", "1767225600", []byte("{}")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	const secret, stamp = "secret", "1767225600"
	sent := time.Unix(1767225600, 0)
	body := []byte(`{"id":"1"}`)
	good := events.Signature(secret, stamp, body)
	for _, test := range []struct {
		name                     string
		secret, stamp, signature string
		body                     string
		now                      time.Time
		want                     string // part of the error; "" for none
	}{
		{name: "Good", secret: secret, stamp: stamp, signature: good, body: string(body), now: sent},
		{name: "Latest", secret: secret, stamp: stamp, signature: good, body: string(body), now: sent.Add(events.MaxSignatureAge)},
		{name: "ClockBehind", secret: secret, stamp: stamp, signature: good, body: string(body), now: sent.Add(-events.MaxSignatureAge)},
		{name: "TooOld", secret: secret, stamp: stamp, signature: good, body: string(body), now: sent.Add(events.MaxSignatureAge + time.Second), want: "5m1s away"},
		{name: "FromTheFuture", secret: secret, stamp: stamp, signature: good, body: string(body), now: sent.Add(-events.MaxSignatureAge - time.Second), want: "5m1s away"},
		{name: "OtherSecret", secret: "other", stamp: stamp, signature: good, body: string(body), now: sent, want: events.ErrSignature.Error()},
		{name: "OtherBody", secret: secret, stamp: stamp, signature: good, body: `{"id":"2"}`, now: sent, want: events.ErrSignature.Error()},
		{name: "OtherTime", secret: secret, stamp: "1767225601", signature: good, body: string(body), now: sent, want: events.ErrSignature.Error()},
		{name: "Unsigned", secret: secret, stamp: stamp, body: string(body), now: sent, want: events.ErrSignature.Error()},
		{name: "NoTime", secret: secret, signature: events.Signature(secret, "", body), body: string(body), now: sent, want: "Unix time"},
		{name: "NoSecret", stamp: stamp, signature: events.Signature("", stamp, body), body: string(body), now: sent, want: "empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := events.VerifySignature(test.secret, test.stamp, []byte(test.body), test.signature, test.now)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got error %v, want one about %q", err, test.want)
			case test.want == events.ErrSignature.Error() && !errors.Is(err, events.ErrSignature):
				t.Errorf("got error %v, want ErrSignature", err)
			}
		})
	}
}

// A server that grants and removes access for a strategy of type http.
func ExampleVerifySignature() {
	const secret = "what signing_secret_id refers to"
	granted := map[string]bool{}
	server := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "unreadable", http.StatusBadRequest)
			return
		}
		if err := events.VerifySignature(secret, r.Header.Get(events.HeaderTimestamp), body, r.Header.Get(events.HeaderSignature), time.Now()); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		var record events.AuditRecord
		if err := json.Unmarshal(body, &record); err != nil {
			http.Error(w, "not an audit record", http.StatusBadRequest)
			return
		}
		granted[record.Run.SRN] = record.Event.Type == "escalate" // the same again changes nothing
		json.NewEncoder(w).Encode(events.StrategyResponse{Body: json.RawMessage(`{}`), Errors: []string{}})
	}

	body := `{"event":{"type":"escalate"},"run":{"srn":"sym:run:prod-access:1.0.0:5f0c"}}`
	stamp := fmt.Sprint(time.Now().Unix())
	for _, key := range []string{secret, "a guess"} {
		r := httptest.NewRequest(http.MethodPost, "/sym", strings.NewReader(body))
		r.Header.Set(events.HeaderTimestamp, stamp)
		r.Header.Set(events.HeaderSignature, events.Signature(key, stamp, []byte(body)))
		w := httptest.NewRecorder()
		server(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 {"body":{},"errors":[]}
	// 401 the signature does not match
}
