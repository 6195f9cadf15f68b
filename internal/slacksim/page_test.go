package slacksim

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
)

// serve puts the Sim behind a real listener, where ports and origins count.
func serve(t *testing.T, a *testApp) (url string) {
	t.Helper()
	server := httptest.NewServer(a.sim)
	t.Cleanup(server.Close)
	t.Cleanup(a.sim.Close)
	return server.URL
}

func request(t *testing.T, method, url, body string, header map[string]string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		if name == "Host" {
			req.Host = value
		} else {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp, readAll(t, resp.Body)
}

func TestOnlyLoopback(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	url := serve(t, a)
	port := url[strings.LastIndex(url, ":"):]
	for host, status := range map[string]int{
		"127.0.0.1" + port: 200, "localhost" + port: 200, "[::1]" + port: 200,
		"evil.example.com" + port: 403, "127.0.0.1": 403, "127.0.0.1:1": 403, "127.0.0.1.evil.example.com" + port: 403, "0.0.0.0" + port: 403,
	} {
		for _, path := range []string{"/", "/sim/state", "/api/auth.test"} {
			if resp, _ := request(t, "GET", url+path, "", map[string]string{"Host": host}); resp.StatusCode != status {
				t.Errorf("Host %s %s = %d, want %d", host, path, resp.StatusCode, status)
			}
		}
	}
	r := httptest.NewRequest("GET", "http://127.0.0.1/", nil)
	r.RemoteAddr = "192.0.2.7:1234"
	w := httptest.NewRecorder()
	a.sim.ServeHTTP(w, r)
	if w.Code != 403 {
		t.Errorf("another machine gets %d", w.Code)
	}
}

func TestOnlyThePageMayAct(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	url := serve(t, a)
	body := `{"as":"U0ALICE","in":"C0GENERAL","text":"hello"}`
	for name, c := range map[string]struct {
		origin, kind string
		status       int
	}{
		"Page":        {url, "application/json", 200},
		"NoOrigin":    {"", "application/json", 403},
		"OtherSite":   {"https://evil.example.com", "application/json", 403},
		"OtherPort":   {"http://127.0.0.1:1", "application/json", 403},
		"Null":        {"null", "application/json", 403},
		"Form":        {url, "application/x-www-form-urlencoded", 403},
		"PlainText":   {url, "text/plain", 403},
		"NoMediaType": {url, "", 403},
	} {
		header := map[string]string{"Content-Type": c.kind}
		if c.origin != "" {
			header["Origin"] = c.origin
		}
		if resp, got := request(t, "POST", url+"/sim/say", body, header); resp.StatusCode != c.status {
			t.Errorf("%s = %d %s, want %d", name, resp.StatusCode, got, c.status)
		}
	}
	if n := len(a.sim.Messages("#general")); n != 1 {
		t.Errorf("%d messages were posted, want the page's one", n)
	}
	for _, path := range []string{"/api/chat.postMessage", "/response/abc"} {
		resp, _ := request(t, "POST", url+path, `{"channel":"#general","text":"x"}`, map[string]string{
			"Origin": url, "Content-Type": "application/json", "Authorization": "Bearer " + testToken,
		})
		if resp.StatusCode != 403 {
			t.Errorf("a browser gets %d at %s", resp.StatusCode, path)
		}
	}
	page := map[string]string{"Origin": url, "Content-Type": "application/json"}
	for path, status := range map[string]int{"/sim/dance": 404, "/sim/say": 400} {
		if resp, _ := request(t, "POST", url+path, `{"as":"nobody"}`, page); resp.StatusCode != status {
			t.Errorf("%s = %d, want %d", path, resp.StatusCode, status)
		}
	}
	if resp, _ := request(t, "GET", url+"/sim/say", "", nil); resp.StatusCode != 405 {
		t.Errorf("GET acts: %d", resp.StatusCode)
	}
}

func TestPageIsStrict(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	url := serve(t, a)
	scripts := []string{"/page.js", "/server.js", "/dom.js", "/text.js", "/elements.js", "/blocks.js", "/data.js", "/side.js"}
	for _, path := range append([]string{"/", "/page.css", "/icon.svg"}, scripts...) {
		resp, body := request(t, "GET", url+path, "", nil)
		csp := resp.Header.Get("Content-Security-Policy")
		if resp.StatusCode != 200 || body == "" || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s = %d, CSP %q", path, resp.StatusCode, csp)
		}
	}
	// The policy would refuse inline script and style; innerHTML and its kin
	// would make elements of what users type.
	_, html := request(t, "GET", url+"/", "", nil)
	if found := regexp.MustCompile(`(?i)<script>|\son[a-z]+=|style=|<style|https?:`).FindString(html); found != "" {
		t.Errorf("the page has %q", found)
	}
	for _, path := range scripts {
		_, js := request(t, "GET", url+path, "", nil)
		if found := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|DOMParser`).FindString(js); found != "" {
			t.Errorf("%s has %q", path, found)
		}
	}
	resp, _ := request(t, "GET", url+"/nowhere", "", nil)
	if resp.StatusCode != 404 {
		t.Errorf("unknown path = %d", resp.StatusCode)
	}
}

func TestUserTextStaysText(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	url := serve(t, a)
	page := map[string]string{"Origin": url, "Content-Type": "application/json"}
	evil := `<script>alert(1)</script><img src=x onerror=alert(1)> <!channel> <@U0BOB>`
	raw, err := json.Marshal(map[string]string{"as": "U0ALICE", "in": "C0GENERAL", "text": evil})
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := request(t, "POST", url+"/sim/say", string(raw), page); resp.StatusCode != 200 {
		t.Fatal(body)
	}
	if got := a.sim.As("bob").Channel("#general"); got != "Alice: "+evil+"\n" {
		t.Errorf("bob sees\n%s", got)
	}
	resp, body := request(t, "GET", url+"/sim/state?as=U0BOB&in=C0GENERAL", "", nil)
	if kind := resp.Header.Get("Content-Type"); kind != "application/json; charset=utf-8" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the state is sent as %q", kind)
	}
	if strings.Contains(body, "<") {
		t.Errorf("the state holds markup: %s", body)
	}
}

func TestPageState(t *testing.T) {
	t.Parallel()
	a := newApp(t, func(c *Config) {
		c.Shortcuts = []Shortcut{{Name: "New request", CallbackID: "sym"}, {Name: "About this", CallbackID: "about", OnMessages: true}}
	})
	url := serve(t, a)
	want(t, a.call("chat.postMessage", `{"channel":"#access-prod","text":"x"}`), "")
	a.open(modal(input("why", typeHere, ""), ""))
	var state struct {
		Me, Here string
		People   []struct {
			Name   string
			Unread int
		}
		Conversations []struct {
			ID, Name string
			Unread   int
		}
		Messages  []struct{ Text string }
		View      struct{ ID string }
		Shortcuts []Shortcut
		About     []Shortcut `json:"message_shortcuts"`
	}
	get := func(query string) {
		t.Helper()
		_, body := request(t, "GET", url+"/sim/state?"+query, "", nil)
		state.View.ID = ""
		if err := json.Unmarshal([]byte(body), &state); err != nil {
			t.Fatal(err)
		}
	}
	get("as=U0ALICE&in=C0ACCESSPROD")
	if state.Me != "U0ALICE" || state.Here != "C0ACCESSPROD" || len(state.Messages) != 1 || state.View.ID == "" ||
		len(state.Conversations) != 5 || state.Conversations[1].Unread != 1 || state.People[1].Unread != 1 || len(state.Shortcuts) != 1 || len(state.About) != 1 || state.About[0].Name != "About this" {
		t.Errorf("alice's state = %+v", state)
	}
	get("as=U0GUEST&in=C0GENERAL")
	if state.Me != "U0GUEST" || state.Here != "C0ACCESSPROD" || len(state.Conversations) != 1 || state.View.ID != "" || len(state.Shortcuts) != 0 || len(state.About) != 0 {
		t.Errorf("the guest's state = %+v", state)
	}
	page := map[string]string{"Origin": url, "Content-Type": "application/json"}
	view := a.sim.modals["U0ALICE"][0].id
	for _, c := range []struct{ action, body string }{
		{"enter", `{"as":"U0ALICE","at":{"view_id":"` + view + `"},"block_id":"why","action_id":"v","values":["so"]}`},
		{"submit", `{"as":"U0ALICE"}`},
		{"read", `{"as":"U0ALICE","in":"C0ACCESSPROD"}`},
	} {
		if resp, body := request(t, "POST", url+"/sim/"+c.action, c.body, page); resp.StatusCode != 200 {
			t.Errorf("%s = %d %s", c.action, resp.StatusCode, body)
		}
	}
	if a.interactions[0].View.State.Values["why"]["v"].Value != "so" {
		t.Errorf("submitted %+v", a.interactions[0].View.State)
	}
	get("as=U0ALICE&in=C0GENERAL")
	if state.View.ID != "" || state.Conversations[1].Unread != 0 {
		t.Errorf("after submit and read: %+v", state)
	}
}

// tail is a log of audit records.
type tail []Record

func (l tail) Tail(_ context.Context, after int) ([]Record, error) {
	return l[min(after, len(l)):], nil
}

func (l tail) All(_ context.Context, do func(Record) error) error {
	for _, r := range l {
		if err := do(r); err != nil {
			return err
		}
	}
	return nil
}

// TestDownload: the records that filters leave, whole, as JSON lines.
// The page gives receipts to be kept, where there are any.
func TestReceipts(t *testing.T) {
	t.Parallel()
	if resp, _ := request(t, "GET", serve(t, newApp(t))+"/sim/receipts/run-1", "", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("without receipts: status %d", resp.StatusCode)
	}
	app := newApp(t, func(c *Config) {
		c.Receipt = func(_ context.Context, run string) ([]byte, error) {
			if run != "run-1" {
				return nil, errors.New("the file /secret/path is gone")
			}
			return []byte(`{"run_id":"run-1"}`), nil
		}
	})
	url := serve(t, app)
	resp, body := request(t, "GET", url+"/sim/receipts/run-1", "", nil)
	if body != `{"run_id":"run-1"}` || resp.Header.Get("Content-Disposition") != `attachment; filename="receipt.json"` {
		t.Errorf("%s, %v", body, resp.Header)
	}
	if resp, body := request(t, "GET", url+"/sim/receipts/run-2", "", nil); resp.StatusCode != http.StatusNotFound || strings.Contains(body, "secret") {
		t.Errorf("status %d: %s", resp.StatusCode, body)
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	const alice, bob = "alice@example.com", "bob@example.com"
	broken := errors.New("the disk is broken")
	log := tail{
		{Run: "1", Flow: "prod", People: []string{alice}, Raw: json.RawMessage(`{"n":1}`)},
		{Run: "1", Flow: "prod", People: []string{alice, bob}, Raw: json.RawMessage(`{"n":2}`)},
		{Run: "2", Flow: "report", People: []string{bob}, Raw: json.RawMessage(`{"n":3}`)},
	}
	a := newApp(t, func(c *Config) { c.Records = log })
	url := serve(t, a)
	for query, want := range map[string]string{
		"":                        "123",
		"?person=" + bob:          "23",
		"?flow=prod":              "12",
		"?run=2":                  "3",
		"?run=1&person=" + bob:    "2",
		"?person=mallory@evil.io": "",
	} {
		resp, body := request(t, "GET", url+"/sim/records.jsonl"+query, "", nil)
		got := strings.NewReplacer(`{"n":`, "", "}\n", "").Replace(body)
		if got != want || resp.Header.Get("Content-Disposition") != `attachment; filename="records.jsonl"` {
			t.Errorf("%s gives %q, %v", query, body, resp.Header)
		}
	}
	if resp, _ := request(t, "GET", serve(t, newApp(t))+"/sim/records.jsonl", "", nil); resp.StatusCode != 404 {
		t.Errorf("without records: %d", resp.StatusCode)
	}
	url = serve(t, newApp(t, func(c *Config) { c.Records = failing{log, broken} }))
	resp, err := http.Get(url + "/sim/records.jsonl")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("a part of the records is taken for all")
	}
}

// failing is a log that breaks off.
type failing struct {
	tail
	err error
}

func (f failing) All(ctx context.Context, do func(Record) error) error {
	return errors.Join(f.tail.All(ctx, do), f.err)
}

// TestEnd: the page ends access as its person, by the way that it was given, and
// shows why that is refused.
func TestEnd(t *testing.T) {
	t.Parallel()
	var asked []string
	a := newApp(t, func(c *Config) {
		c.Access = func(context.Context) ([]Access, error) { return nil, nil }
		c.End = func(_ context.Context, by, run string) error {
			if asked = append(asked, by+" "+run); by == "U0CAROL" {
				return errors.New("this is not yours to end")
			}
			return nil
		}
	})
	url := serve(t, a)
	page := map[string]string{"Origin": url, "Content-Type": "application/json"}
	if resp, body := request(t, "POST", url+"/sim/end", `{"as":"U0ALICE","run":"r1"}`, page); resp.StatusCode != 200 {
		t.Error(body)
	}
	if resp, body := request(t, "POST", url+"/sim/end", `{"as":"U0CAROL","run":"r1"}`, page); resp.StatusCode != 422 || !strings.Contains(body, "not yours") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := request(t, "POST", url+"/sim/end", `{"as":"U0ALICE","run":"r1"}`, map[string]string{"Origin": "https://evil.example.com", "Content-Type": "application/json"}); resp.StatusCode != 403 {
		t.Errorf("another site gets %d", resp.StatusCode)
	}
	if !slices.Equal(asked, []string{"U0ALICE r1", "U0CAROL r1"}) {
		t.Error(asked)
	}
	if _, err := New(Config{SigningSecret: "s", BotToken: "t", AppURL: "u", BaseURL: "u", Clock: a.clock, Access: func(context.Context) ([]Access, error) { return nil, nil }}); err == nil {
		t.Error("access that can't be ended is shown")
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	a := newApp(t, func(c *Config) {
		c.Records = tail{
			{ID: "a", Line: "Alice asked", Mood: MoodPlain, At: at, Raw: json.RawMessage(`{"n":1}`)},
			{ID: "b", Line: "Bob approved", Note: "slack", Mood: MoodGood, At: at, Raw: json.RawMessage(`{"n":2}`)},
		}
		c.Access = func(context.Context) ([]Access, error) {
			return []Access{{Run: "1", Who: "alice@example.com", What: "orders", Until: at, Ends: []string{"U0ALICE"}}, {Run: "2", Who: "bob", What: "billing", Ending: true}}, nil
		}
		c.End = func(context.Context, string, string) error { return nil }
		c.Drift = func(context.Context) ([]Drift, error) {
			return []Drift{{Kind: "missing", Who: "alice@example.com", What: "orders"}}, nil
		}
	})
	url := serve(t, a)
	connect := func(lastID string) (next func() string) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", url+"/sim/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		if lastID != "" {
			req.Header.Set("Last-Event-ID", lastID)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		t.Cleanup(func() { resp.Body.Close() })
		return func() string {
			var event []string
			for lines.Scan() && lines.Text() != "" {
				event = append(event, lines.Text())
			}
			return strings.Join(event, " ")
		}
	}
	next := connect("")
	for _, want := range []string{
		"id: 0 event: changed data: 0",
		`id: 2 event: records data: [` +
			`{"id":"a","line":"Alice asked","note":"","mood":"plain","at":"2026-03-02T09:00:00Z","run":"","said":"","flow":"","people":null,"raw":{"n":1}},` +
			`{"id":"b","line":"Bob approved","note":"slack","mood":"good","at":"2026-03-02T09:00:00Z","run":"","said":"","flow":"","people":null,"raw":{"n":2}}]`,
		`id: 2 event: access data: [{"run":"1","who":"alice@example.com","what":"orders","until":"2026-03-02T09:00:00Z","ends":["U0ALICE"]},{"run":"2","who":"bob","what":"billing","ending":true,"ends":null}]`,
		`id: 2 event: drift data: [{"kind":"missing","who":"alice@example.com","what":"orders"}]`,
	} {
		if got := next(); got != want {
			t.Errorf("event %q, want %q", got, want)
		}
	}
	want(t, a.call("chat.postMessage", `{"channel":"#general","text":"x"}`), "")
	if got := next(); got != "id: 2 event: changed data: 1" {
		t.Errorf("after a message: %q", got)
	}
	again := connect("1")
	again()
	if got := again(); !strings.HasPrefix(got, `id: 2 event: records data: [{"id":"b"`) {
		t.Errorf("after reconnecting: %q", got)
	}
	a.sim.Close()
	if got := next(); got != "" {
		t.Errorf("after closing: %q", got)
	}
}

func TestStreamPollsForAccess(t *testing.T) {
	t.Parallel()
	lines := make(chan []Access, 2)
	lines <- nil
	lines <- []Access{{Who: "bob", What: "billing"}}
	a := newApp(t, func(c *Config) {
		c.Access = func(context.Context) ([]Access, error) { return <-lines, nil }
		c.End = func(context.Context, string, string) error { return nil }
	})
	url := serve(t, a)
	resp, err := http.Get(url + "/sim/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := a.clock.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	a.clock.Advance(pollSeconds * time.Second)
	scanner := bufio.NewScanner(resp.Body)
	var data []string
	for len(data) < 3 && scanner.Scan() {
		if d, ok := strings.CutPrefix(scanner.Text(), "data: "); ok {
			data = append(data, d)
		}
	}
	if strings.Join(data, " ") != `0 [] [{"run":"","who":"bob","what":"billing","ends":null}]` {
		t.Errorf("events = %v", data)
	}
	close(lines)
}

func TestPermalinkLeadsToThePage(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	url := serve(t, a)
	channel, ts, err := a.api.PostMessage("#general", slack.MsgOptionText("x", false))
	if err != nil {
		t.Fatal(err)
	}
	link, err := a.api.GetPermalink(&slack.PermalinkParameters{Channel: channel, Ts: ts})
	if err != nil {
		t.Fatal(err)
	}
	resp, body := request(t, "GET", strings.Replace(link, "http://127.0.0.1", url, 1), "", nil)
	if resp.StatusCode != 200 || resp.Request.URL.Fragment != "C0GENERAL" || !strings.Contains(body, "page.js") {
		t.Errorf("the link leads to %s: %d", resp.Request.URL, resp.StatusCode)
	}
}
