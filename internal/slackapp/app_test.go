package slackapp

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/storetest"
)

// Nothing but what Slack signed lately gets as far as being parsed.
func TestHandlerVerifiesFirst(t *testing.T) {
	t.Parallel()
	body := commandBody(alice, "req prod-access", "t1")
	stampOf := func(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
	signature := func(secret, stamp, body string) string {
		return "v0=" + hex.EncodeToString(sign(secret, stamp, []byte(body)))
	}
	now := stampOf(start)
	for name, c := range map[string]struct {
		body, stamp, signature string
		want                   int
	}{
		"Right":              {body, now, signature(secret, now, body), http.StatusOK},
		"FourMinutesOld":     {body, stampOf(start.Add(-4 * time.Minute)), signature(secret, stampOf(start.Add(-4*time.Minute)), body), http.StatusOK},
		"SixMinutesOld":      {body, stampOf(start.Add(-6 * time.Minute)), signature(secret, stampOf(start.Add(-6*time.Minute)), body), http.StatusUnauthorized},
		"FromTheFuture":      {body, stampOf(start.Add(6 * time.Minute)), signature(secret, stampOf(start.Add(6*time.Minute)), body), http.StatusUnauthorized},
		"WrongSecret":        {body, now, signature("another", now, body), http.StatusUnauthorized},
		"NoSecret":           {body, now, signature("", now, body), http.StatusUnauthorized},
		"OtherBody":          {body + "&x=1", now, signature(secret, now, body), http.StatusUnauthorized},
		"OtherTimestamp":     {body, stampOf(start.Add(time.Second)), signature(secret, now, body), http.StatusUnauthorized},
		"NoTimestamp":        {body, "", signature(secret, "", body), http.StatusUnauthorized},
		"TimestampIsNoTime":  {body, "soon", signature(secret, "soon", body), http.StatusUnauthorized},
		"NoSignature":        {body, now, "", http.StatusUnauthorized},
		"NoVersion":          {body, now, strings.TrimPrefix(signature(secret, now, body), "v0="), http.StatusUnauthorized},
		"NoHex":              {body, now, "v0=xyz", http.StatusUnauthorized},
		"HalfSignature":      {body, now, signature(secret, now, body)[:20], http.StatusUnauthorized},
		"MalformedUnsigned":  {"payload=%zz", now, "v0=00", http.StatusUnauthorized},
		"TooLarge":           {strings.Repeat("x", 1<<20), now, "v0=00", http.StatusRequestEntityTooLarge},
		"SignedButNoCommand": {"a=b", now, signature(secret, now, "a=b"), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := memoryWorld(t)
			req := httptest.NewRequest(http.MethodPost, "/slack/commands", strings.NewReader(c.body))
			if c.stamp != "" {
				req.Header.Set("X-Slack-Request-Timestamp", c.stamp)
			}
			if c.signature != "" {
				req.Header.Set("X-Slack-Signature", c.signature)
			}
			rec := httptest.NewRecorder()
			w.http.ServeHTTP(rec, req)
			if rec.Code != c.want {
				t.Errorf("answer %d, want %d: %s", rec.Code, c.want, rec.Body)
			}
			if calls := len(w.slack.of("views.open")); (calls > 0) != (c.want == http.StatusOK) {
				t.Errorf("%d forms opened", calls)
			}
		})
	}
}

// An empty signing secret must not make every caller Slack.
func TestNoSecretTrustsNobody(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	stamp := strconv.FormatInt(start.Unix(), 10)
	body := commandBody(alice, "", "t1")
	req := httptest.NewRequest(http.MethodPost, "/slack/commands", strings.NewReader(body))
	req.Header.Set("X-Slack-Request-Timestamp", stamp)
	req.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(sign("", stamp, []byte(body))))
	rec := httptest.NewRecorder()
	w.app.Handler(FixedSecret("")).ServeHTTP(rec, req)
	if rec.Code != http.StatusUnauthorized {
		t.Errorf("answer %d", rec.Code)
	}
}

// Slack checks the certificate of an address by a request that it does not sign.
func TestCheckOfTheCertificate(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		"ssl_check=1": http.StatusOK,
		"token=gIkuvaNzQIHg97ATvDxqgjtO&ssl_check=1":                 http.StatusOK,
		"ssl_check=1&" + commandBody(alice, "req prod-access", "t1"): http.StatusOK,
		"ssl_check=0&" + commandBody(alice, "req prod-access", "t1"): http.StatusUnauthorized,
		"ssl_check=1&x=" + strings.Repeat("x", 2<<10):                http.StatusUnauthorized,
		"ssl_check=%zz": http.StatusUnauthorized,
	} {
		w := memoryWorld(t)
		rec := httptest.NewRecorder()
		w.http.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/slack/commands", strings.NewReader(body)))
		if rec.Code != want || want == http.StatusOK && rec.Body.Len() > 0 {
			t.Errorf("%.60s: answer %d %q, want %d", body, rec.Code, rec.Body, want)
		}
		if n := len(w.slack.of("views.open")); n > 0 {
			t.Errorf("%.60s: %d forms opened", body, n)
		}
	}
	// It is answered alike if it is signed, and if there is no secret to verify by.
	w := memoryWorld(t)
	stamp := strconv.FormatInt(start.Unix(), 10)
	for body, secret := range map[string]Secret{
		"ssl_check=1": FixedSecret("s"),
		"ssl_check=1&" + commandBody(alice, "req prod-access", "t1"): FixedSecret("s"),
		"token=x&ssl_check=1": func(context.Context) (string, error) { return "", errors.New("out of order") },
	} {
		req := httptest.NewRequest(http.MethodPost, "/slack/commands", strings.NewReader(body))
		req.Header.Set("X-Slack-Request-Timestamp", stamp)
		req.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(sign("s", stamp, []byte(body))))
		rec := httptest.NewRecorder()
		w.app.Handler(secret).ServeHTTP(rec, req)
		if rec.Code != http.StatusOK || rec.Body.Len() > 0 || len(w.slack.of("views.open")) > 0 {
			t.Errorf("%.60s: answer %d %q", body, rec.Code, rec.Body)
		}
	}
}

// The signature covers the body, and so only the body counts.
func TestQueryCountsForNothing(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	view := w.shownForm()
	id := metadataOf(received(t, view)).Run
	sent, err := json.Marshal(submission(alice, view, form()))
	if err != nil {
		t.Fatal(err)
	}
	rec := w.post("/slack/interactions?"+url.Values{"payload": {string(sent)}}.Encode(), url.Values{"payload": {`{"type":"view_closed"}`}}.Encode())
	r, err := w.runs.Get(t.Context(), id)
	if rec.Code != http.StatusOK || err != nil || len(r.Signals) > 0 {
		t.Errorf("answer %d, signals %v, %v", rec.Code, r.Signals, err)
	}
	w.post("/slack/interactions?"+url.Values{"payload": {`{"type":"view_closed"}`}}.Encode(), url.Values{"payload": {string(sent)}}.Encode())
	if r, err = w.runs.Get(t.Context(), id); err != nil || len(r.Signals) != 1 {
		t.Errorf("signals %v, %v", r.Signals, err)
	}
	rec = w.post("/slack/commands?"+commandBody(alice, "req prod-access", "t2"), "a=b")
	if rec.Code != http.StatusBadRequest {
		t.Errorf("a command in the query: answer %d", rec.Code)
	}
}

// Slack adds parts to its payloads at any time: what is not used here may be of
// any shape.
func TestPayloadsOfTomorrow(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	view := w.shownForm()
	sent := submission(alice, view, form())
	odd := []any{map[string]any{"type": "hologram", "block_id": 7.5, "elements": "none"}, "text"}
	sent["message"] = map[string]any{"ts": 12, "blocks": odd, "attachments": "x"}
	sent["team"] = map[string]any{"id": team, "domain": []any{}}
	sent["api_app_id"], sent["enterprise"], sent["channel"] = []any{}, "E1", 7
	sent["view"].(map[string]any)["title"] = []any{"x"}
	sent["view"].(map[string]any)["state"].(map[string]any)["from_tomorrow"] = odd
	if got := w.interact(sent); got != "" {
		t.Fatalf("the form was not taken: %s", got)
	}
	r, err := w.runs.Get(t.Context(), metadataOf(received(t, view)).Run)
	if err != nil || len(r.Signals) != 1 {
		t.Errorf("signals %v, %v", r.Signals, err)
	}
}

// Whatever is answered 400 leaves a line in the log, without what was in it.
func TestUnreadableIsLogged(t *testing.T) {
	t.Parallel()
	for path, body := range map[string]string{
		"/slack/commands":     "text=hush",
		"/slack/interactions": url.Values{"payload": {`{"hush":`}}.Encode(),
		"/slack/options":      "payload=%zzhush",
		"/slack/events":       `{"hush"`,
	} {
		w := memoryWorld(t)
		rec := w.post(path, body)
		if log := w.log.String(); rec.Code != http.StatusBadRequest || !strings.Contains(log, path) || strings.Contains(log, "hush") {
			t.Errorf("%s: answer %d, logged %q", path, rec.Code, log)
		}
	}
}

func TestHandlerTakesOddRequests(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	payload := func(s string) string { return url.Values{"payload": {s}}.Encode() }
	for _, c := range []struct {
		name, path, body string
		want             int
		answer           string
	}{
		{"MalformedForm", "/slack/interactions", "payload=%zz", http.StatusBadRequest, ""},
		{"MalformedJSON", "/slack/interactions", payload(`{"type":`), http.StatusBadRequest, ""},
		{"NoPayload", "/slack/interactions", "", http.StatusBadRequest, ""},
		{"PayloadIsAList", "/slack/interactions", payload(`[]`), http.StatusBadRequest, ""},
		{"UnknownType", "/slack/interactions", payload(`{"type":"new_thing"}`), http.StatusOK, ""},
		{"FormClosed", "/slack/interactions", payload(`{"type":"view_closed","view":{"callback_id":"request"}}`), http.StatusOK, ""},
		{"ClickOfNothing", "/slack/interactions", payload(`{"type":"block_actions","actions":[]}`), http.StatusOK, ""},
		{"OtherAppsButton", "/slack/interactions", payload(`{"type":"block_actions","actions":[{"block_id":"b","action_id":"x","value":"y"}]}`), http.StatusOK, ""},
		{"OtherAppsForm", "/slack/interactions", payload(`{"type":"view_submission","team":{"id":"T0TEAM"},"view":{"callback_id":"x"}}`), http.StatusOK, ""},
		{"OptionsOfNothing", "/slack/options", payload(`{"type":"block_suggestion","team":{"id":"T0TEAM"},"view":{}}`), http.StatusOK, `{"options":[]}`},
		{"URLVerification", "/slack/events", `{"type":"url_verification","challenge":"abc"}`, http.StatusOK, `{"challenge":"abc"}`},
		{"OtherEvent", "/slack/events", `{"type":"event_callback"}`, http.StatusOK, ""},
		{"MalformedEvent", "/slack/events", `{`, http.StatusBadRequest, ""},
		{"UnknownPath", "/slack/x", "", http.StatusNotFound, ""},
	} {
		rec := w.post(c.path, c.body)
		if got := strings.TrimSpace(rec.Body.String()); rec.Code != c.want || c.want == http.StatusOK && got != c.answer {
			t.Errorf("%s: %d %q, want %d %q", c.name, rec.Code, got, c.want, c.answer)
		}
	}
	req := httptest.NewRequest(http.MethodGet, "/slack/commands", nil)
	rec := httptest.NewRecorder()
	w.http.ServeHTTP(rec, req)
	if rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", rec.Code)
	}
}

// broken is a store that is down, or worse.
type broken struct {
	store.Store
	panics bool
}

func (b broken) Get(context.Context, string) (store.Item, error) {
	if b.panics {
		panic("secret inside")
	}
	return store.Item{}, errors.New("secret inside: connection refused")
}

// A panic of what is read beside is told politely as well, and nothing goes on
// after the answer: the race detector would see it write the log.
func TestFaultsBeside(t *testing.T) {
	t.Parallel()
	for range 20 {
		w := memoryWorld(t)
		w.app.Flows = &store.Flows{Store: broken{panics: true}}
		w.app.Lingering.Store = broken{}
		answer := w.command(alice, "req prod-access")
		if !strings.Contains(answer, "went wrong on our side") {
			t.Errorf("answer: %s", answer)
		}
		if said := w.log.String(); !strings.Contains(said, "panic: secret inside") || !strings.Contains(said, "how long sessions go on") {
			t.Errorf("log: %s", said)
		}
	}
}

// A store that is down, and a panic, are told politely, logged, and say
// nothing of what is inside; a form keeps what was typed.
func TestFaultsOfOursArePolite(t *testing.T) {
	t.Parallel()
	for _, panics := range []bool{false, true} {
		w := memoryWorld(t)
		r := w.routed()
		view := w.opened()
		down := newWorld(t, &storetest.Memory{Now: time.Now})
		down.app.Submit.Runs.Store = broken{panics: panics}
		down.app.Directory.Users.Store = broken{panics: panics}
		form := down.interact(submission(alice, view, form()))
		if !strings.Contains(form, `"response_action":"errors"`) || !strings.Contains(form, "went wrong on our side") {
			t.Errorf("form: %s", form)
		}
		command := down.command(alice, "req prod-access")
		if !strings.Contains(command, "went wrong on our side") || !strings.Contains(command, "ephemeral") {
			t.Errorf("command: %s", command)
		}
		down.interact(down.clickOn(bob, "approve", value(r), ""))
		said := down.slack.of("response-url")
		if len(said) != 1 || !strings.Contains(said[0].Args["text"].(string), "went wrong on our side") {
			t.Errorf("click: %v", said)
		}
		all, _ := json.Marshal(said)
		if strings.Contains(form+command+string(all), "secret inside") {
			t.Error("the answer tells what is inside")
		}
		if n := strings.Count(down.log.String(), "secret inside"); n < 3 {
			t.Errorf("%d faults logged", n)
		}
	}
}

// Every code that there is for people has its row; the others tell nothing.
func TestSorry(t *testing.T) {
	t.Parallel()
	w := memoryWorld(t)
	for _, c := range []struct {
		err  error
		want string
	}{
		{flow.Errorf(flow.CodeDecided, "this request was already approved by Bob"), "This request was already approved by Bob."},
		{flow.Errorf(flow.CodeLookup, "x"), "Slack could not tell who you are just now, so nothing was done. Please try again in a minute."},
		{flow.Errorf(flow.CodeStrategy, "inner detail"), "Something went wrong on our side, and nothing may have been saved. It has been logged; please try again."},
		{errors.New("inner detail"), "Something went wrong on our side, and nothing may have been saved. It has been logged; please try again."},
		{&flow.Error{Code: flow.CodeForbidden, Message: "no", Cause: errors.New("inner detail")}, "No."},
	} {
		if got := w.app.sorry(t.Context(), "test", c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

// bounded notes by when what reads it has to be done.
type bounded struct {
	store.Store
	mu   sync.Mutex
	left []time.Duration // until then
}

func (b *bounded) Get(ctx context.Context, key string) (store.Item, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at, ok := ctx.Deadline(); ok {
		b.left = append(b.left, time.Until(at))
	}
	return b.Store.Get(ctx, key)
}

// TestTimeCountsFromWhenItWasSent: what a request's way to us took is not there for its
// answer, as far as its time stamp, of whole seconds and by another clock, tells.
func TestTimeCountsFromWhenItWasSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		later time.Duration // than the time stamp: when it arrives
		most  time.Duration // that is left
	}{
		"at once":            {0, workTime},
		"within its second":  {900 * time.Millisecond, workTime},
		"late":               {1800 * time.Millisecond, workTime - 800*time.Millisecond},
		"another clock":      {2 * time.Minute, workTime - maxOnTheWay},
		"a clock that is on": {-2 * time.Minute, workTime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &bounded{Store: &storetest.Memory{Now: func() time.Time { return start }}}
			w := newWorld(t, b)
			w.app.Patience = 0
			w.app.Wall = func() time.Time { return start.Add(c.later) }
			b.left = nil
			begun := time.Now()
			w.ok(w.post("/slack/commands", commandBody(alice, "whoami", "t1")))
			took := time.Since(begun)
			if len(b.left) == 0 {
				t.Fatal("nothing was read within a bound")
			}
			if got := b.left[0]; got > c.most || got < c.most-took {
				t.Errorf("%s are left, want %s less what was before", got, c.most)
			}
		})
	}
}
