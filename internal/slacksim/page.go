package slacksim

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed page
var pageFiles embed.FS

// shownMessages is how many messages of a conversation the page shows.
const shownMessages = 200

// checkLoopback refuses everything that does not come from this machine to a
// name of this machine. A web site that has its own name resolve to loopback
// (DNS rebinding) fails at the Host header.
func checkLoopback(r *http.Request) error {
	refused := errors.New("the simulated Slack answers on loopback only: open it as http://127.0.0.1:PORT on the machine that runs it")
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = strings.Trim(r.Host, "[]"), ""
	}
	switch host {
	case "127.0.0.1", "localhost", "::1":
	default:
		return refused
	}
	if remote, _, err := net.SplitHostPort(r.RemoteAddr); err != nil || !net.ParseIP(remote).IsLoopback() {
		return refused
	}
	// In-process requests have no listener to compare with.
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if ok && port != fmt.Sprint(local.Port) && (port != "" || local.Port != 80) {
		return refused
	}
	return nil
}

// fromApp keeps browsers away from what is for the app: they say where they
// come from, and no page has business here.
func fromApp(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" {
			http.Error(w, "this is for apps, not for browsers", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

// fromPage admits changes only from the page itself: by its Origin, and by a
// content type that no form of another site can send.
func fromPage(r *http.Request) error {
	if r.Header.Get("Origin") != "http://"+r.Host {
		return errors.New("only the page of the simulated Slack may do this")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return errors.New("the content type has to be application/json")
	}
	return nil
}

func (s *Sim) routePage(mux *http.ServeMux) {
	kinds := map[string]string{".html": "text/html", ".css": "text/css", ".svg": "image/svg+xml", ".js": "text/javascript"}
	// They are embedded, so that they can be read.
	files, _ := pageFiles.ReadDir("page")
	for _, f := range files {
		content, _ := pageFiles.ReadFile("page/" + f.Name())
		at := "/" + f.Name()
		if f.Name() == "index.html" {
			at = "/{$}"
		}
		mux.HandleFunc("GET "+at, func(w http.ResponseWriter, r *http.Request) {
			secure(w)
			w.Header().Set("Content-Type", kinds[path.Ext(f.Name())]+"; charset=utf-8")
			w.Write(content)
		})
	}
	mux.HandleFunc("GET /archives/{channel}/{message}", func(w http.ResponseWriter, r *http.Request) {
		secure(w)
		http.Redirect(w, r, "/#"+idPart(r.PathValue("channel")), http.StatusFound)
	})
	mux.HandleFunc("GET /sim/state", s.serveState)
	mux.HandleFunc("GET /sim/stream", s.serveStream)
	mux.HandleFunc("GET /sim/records.jsonl", s.serveRecords)
	mux.HandleFunc("GET /sim/receipts/{run}", s.serveReceipt)
	mux.HandleFunc("POST /sim/{action}", s.serveAction)
}

func secure(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// pageAction is what the page asks for when its person does something.
type pageAction struct {
	As       string   `json:"as"`
	In       string   `json:"in"`
	Text     string   `json:"text"`
	Callback string   `json:"callback_id"`
	At       where    `json:"at"`
	Block    string   `json:"block_id"`
	Action   string   `json:"action_id"`
	Values   []string `json:"values"`
	Enter    bool     `json:"enter"` // it was pressed
	Run      string   `json:"run"`
	Seconds  int64    `json:"seconds"`
	Question Question `json:"question"`
}

var pageActions = map[string]func(Person, pageAction) (any, error){
	"say": func(p Person, a pageAction) (any, error) {
		if strings.HasPrefix(a.Text, "/") {
			return nil, p.Command(a.Text)
		}
		return nil, p.Say(a.Text)
	},
	"shortcut": func(p Person, a pageAction) (any, error) { return nil, p.Shortcut(a.Callback) },
	"about":    func(p Person, a pageAction) (any, error) { return nil, p.MessageShortcut(a.At.TS, a.Callback) },
	"home": func(p Person, _ pageAction) (any, error) { // opens the Home tab
		_, err := p.Home()
		return nil, err
	},
	"read":  func(p Person, a pageAction) (any, error) { return nil, p.Read() },
	"press": func(p Person, a pageAction) (any, error) { return nil, p.press(a.At, a.Block, a.Action) },
	"enter": func(p Person, a pageAction) (any, error) {
		return nil, p.enter(a.At, a.Block, a.Action, a.Values, a.Enter)
	},
	"suggest": func(p Person, a pageAction) (any, error) { return p.suggest(a.At, a.Block, a.Action, a.Text) },
	"submit":  func(p Person, a pageAction) (any, error) { return nil, p.Submit() },
	"close":   func(p Person, a pageAction) (any, error) { return nil, p.Close() },
	"clock": func(p Person, a pageAction) (any, error) {
		return nil, p.sim.move(time.Duration(a.Seconds) * time.Second)
	},
	"end":         func(p Person, a pageAction) (any, error) { return nil, p.end(a.Run) },
	"explainable": func(p Person, _ pageAction) (any, error) { return p.explainable() },
	"explain":     func(p Person, a pageAction) (any, error) { return p.explain(a.Question) },
}

func (s *Sim) serveAction(w http.ResponseWriter, r *http.Request) {
	secure(w)
	if err := fromPage(r); err != nil {
		reply(w, http.StatusForbidden, object{"error": err.Error()})
		return
	}
	do, ok := pageActions[r.PathValue("action")]
	if !ok {
		reply(w, http.StatusNotFound, object{"error": "the page can't do this"})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var a pageAction
	if err != nil || json.Unmarshal(body, &a) != nil {
		reply(w, http.StatusBadRequest, object{"error": "the body is no JSON, or too large"})
		return
	}
	who, ok := s.person(a.As)
	if !ok {
		reply(w, http.StatusBadRequest, object{"error": fmt.Sprintf("there is nobody called %q", a.As)})
		return
	}
	result, err := do(Person{sim: s, profile: who, channel: a.In}, a)
	if err != nil {
		reply(w, http.StatusUnprocessableEntity, object{"error": err.Error()})
		return
	}
	reply(w, http.StatusOK, object{"result": result})
}

// serveState gives the page all that one person sees, with the messages of one
// conversation.
func (s *Sim) serveState(w http.ResponseWriter, r *http.Request) {
	secure(w)
	who, ok := s.person(r.FormValue("as"))
	if !ok {
		who = s.people[0]
	}
	p := Person{sim: s, profile: who, channel: r.FormValue("in")}
	s.mu.Lock()
	defer s.mu.Unlock()
	here, err := p.conversation()
	if err != nil {
		p.channel = ""
		here, err = p.conversation()
	}
	if err != nil {
		reply(w, http.StatusNotFound, object{"error": err.Error()})
		return
	}
	var view object
	if v := p.top(); v != nil {
		view = v.wire()
		view["errors"], view["trouble"], view["busy"] = v.errors, v.trouble, v.busy
	}
	// The Home tab, as the app published it last for the person; null before. Its
	// buttons are pressed like a form's, by its id.
	var home object
	if v := s.homes[p.ID()]; v != nil {
		home = v.wire()
		home["trouble"] = v.trouble
	}
	messages := []object{}
	seen := here.seenBy(p.ID())
	for _, m := range seen[max(0, len(seen)-shownMessages):] {
		o := s.wireMessage(m)
		o["values"] = p.values(spot{channel: here, message: m})
		o["only_you"] = m.OnlyFor != ""
		messages = append(messages, o)
	}
	reply(w, http.StatusOK, object{
		"me": p.ID(), "app": object{"id": botUser, "name": botName}, "people": s.pagePeople(), "groups": s.pageGroups(),
		"conversations": s.pageConversations(p), "here": here.ID, "messages": messages, "view": view, "home": home,
		"commands": s.config.Commands, "shortcuts": s.pageShortcuts(p, false), "message_shortcuts": s.pageShortcuts(p, true),
		"has_explain": s.config.Explain != nil, "has_records": s.config.Records != nil, "has_access": s.config.Access != nil, "has_receipts": s.config.Receipt != nil,
		"guide": s.config.Guide, "stranger": !ok, "clock": s.pageClock(),
	})
}

func (s *Sim) pageClock() object {
	if s.config.Time == nil {
		return nil
	}
	return object{"ahead": s.config.Time.Ahead().Seconds(), "fixed": s.config.Time.Fixed()}
}

// move moves the time that is shown.
func (s *Sim) move(by time.Duration) error {
	if s.config.Time == nil {
		return errors.New("there is no clock here that could be moved")
	}
	err := s.config.Time.Move(context.Background(), by) // a browser that goes away cancels nothing
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change()
	return err
}

func (s *Sim) pagePeople() []object {
	people := []object{}
	for _, p := range s.people {
		unread := 0
		for _, c := range s.workspace.Conversations {
			unread += c.unread(p.id())
		}
		people = append(people, object{
			"id": p.id(), "name": p.Name, "handle": p.handle(), "email": p.Email, "guest": p.Guest || p.SingleChannel,
			"commands": !p.SingleChannel, "unread": unread,
		})
	}
	return people
}

func (s *Sim) pageGroups() []object {
	groups := []object{}
	for _, g := range s.groups {
		groups = append(groups, object{"id": g.id(), "handle": g.Handle})
	}
	return groups
}

func (s *Sim) pageConversations(p Person) []object {
	list := []object{}
	for _, c := range s.workspace.Conversations {
		if !c.visibleTo(p.ID()) {
			continue
		}
		name := c.Name
		switch c.Kind {
		case kindDirect:
			name = botName
		case kindGroup:
			name = botName + ", " + strings.Join(p.others(c), ", ")
		}
		list = append(list, object{
			"id": c.ID, "name": name, "kind": c.Kind, "archived": c.Archived, "app": c.App, "unread": c.unread(p.ID()),
		})
	}
	return list
}

func (s *Sim) pageShortcuts(p Person, onMessages bool) []object {
	list := []object{}
	if p.profile.SingleChannel {
		return list
	}
	for _, sc := range s.config.Shortcuts {
		if sc.OnMessages == onMessages {
			list = append(list, object{"name": sc.Name, "callback_id": sc.CallbackID})
		}
	}
	return list
}

// pollSeconds is how often the page looks for audit records and access, which
// the Sim is not told of.
const pollSeconds = 1

// serveStream tells the page, by server-sent events, that something changed,
// and of new audit records and of access. An event's id is the number of
// records sent so far, so that a page that reconnects gets the rest only.
func (s *Sim) serveStream(w http.ResponseWriter, r *http.Request) {
	secure(w)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	records, access, drift := 0, "", ""
	fmt.Sscan(cmp.Or(r.Header.Get("Last-Event-ID"), r.FormValue("after")), &records)
	send := func(event string, data any) error {
		// Numbers, strings and raw JSON always marshal.
		raw, _ := json.Marshal(data)
		if _, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", records, event, raw); err != nil {
			return err
		}
		return out.Flush()
	}
	poll := func() error {
		if s.config.Records != nil {
			fresh, err := s.config.Records.Tail(r.Context(), records)
			if err != nil {
				s.config.Logger.Warn("read audit records for the page", "error", err)
			} else if len(fresh) > 0 {
				records += len(fresh)
				if err := send("records", fresh); err != nil {
					return err
				}
			}
		}
		if s.config.Access != nil {
			grants, err := s.config.Access(r.Context())
			if err != nil {
				s.config.Logger.Warn("read access for the page", "error", err)
			} else if now := fmt.Sprint(grants); now != access {
				access = now
				if err := send("access", append([]Access{}, grants...)); err != nil {
					return err
				}
			}
		}
		if s.config.Drift != nil {
			found, err := s.config.Drift(r.Context())
			if err != nil {
				s.config.Logger.Warn("read drift for the page", "error", err)
			} else if now := fmt.Sprint(found); now != drift {
				drift = now
				return send("drift", append([]Drift{}, found...))
			}
		}
		return nil
	}
	for {
		s.mu.Lock()
		changed, version := s.changed, s.version
		s.mu.Unlock()
		if send("changed", version) != nil {
			return
		}
		for waiting := true; waiting; {
			if poll() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-s.closing:
				return
			case <-changed:
				waiting = false
			case <-s.config.Clock.After(pollSeconds * time.Second):
			}
		}
	}
}

// end ends access as the person, by the way of [Config.End].
func (p Person) end(run string) error {
	if p.sim.config.End == nil {
		return errors.New("access can't be ended here")
	}
	// A browser that goes away cancels nothing, as in Slack.
	return p.sim.config.End(context.Background(), p.ID(), run)
}

// serveReceipt gives the receipts of a run, to be kept as a file.
func (s *Sim) serveReceipt(w http.ResponseWriter, r *http.Request) {
	secure(w)
	if s.config.Receipt == nil {
		http.Error(w, "there are no receipts here", http.StatusNotFound)
		return
	}
	text, err := s.config.Receipt(r.Context(), r.PathValue("run"))
	if err != nil {
		s.config.Logger.Warn("make a receipt for the page", "error", err)
		http.Error(w, "there is no receipt of this request, or not yet", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="receipt.json"`)
	if _, err := w.Write(text); err != nil {
		s.config.Logger.Warn("send a receipt to the page", "error", err)
	}
}

// serveRecords gives the audit records as JSON lines, oldest first: all of them, or
// those that the page's filters leave.
func (s *Sim) serveRecords(w http.ResponseWriter, r *http.Request) {
	secure(w)
	if s.config.Records == nil {
		http.Error(w, "there are no records here", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/jsonl; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="records.jsonl"`)
	about := filter{person: r.FormValue("person"), flow: r.FormValue("flow"), run: r.FormValue("run")}
	err := s.config.Records.All(r.Context(), func(one Record) error {
		if !about.leaves(one) {
			return nil
		}
		_, err := w.Write(append(one.Raw, '\n'))
		return err
	})
	if err != nil {
		s.config.Logger.Warn("read audit records for a download", "error", err)
		panic(http.ErrAbortHandler) // so that a part is not taken for all
	}
}

// filter says what records are about; "" is anything.
type filter struct{ person, flow, run string }

func (f filter) leaves(r Record) bool {
	return (f.person == "" || slices.Contains(r.People, f.person)) && (f.flow == "" || r.Flow == f.flow) && (f.run == "" || r.Run == f.run)
}
