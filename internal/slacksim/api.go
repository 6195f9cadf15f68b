package slacksim

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// apiError is an answer with "ok": false.
type apiError struct {
	code     string
	messages []string // response_metadata.messages
	// Of missing_scope: scopes of which one is needed, and those that are there.
	needed, provided string
}

func (e *apiError) Error() string { return e.code }

func refuse(code string) (object, *apiError) { return nil, &apiError{code: code} }

// method is one method of the Web API. It is called with the lock held.
type method struct {
	// takesJSON tells whether arguments may come as JSON; methods that only
	// read take forms, and ignore a JSON body.
	takesJSON bool
	call      func(*Sim, arguments) (object, *apiError)
}

var methods = map[string]method{
	"auth.test":                 {true, (*Sim).authTest},
	"auth.teams.list":           {false, (*Sim).teamList},
	"functions.completeError":   {true, (*Sim).failStep},
	"functions.completeSuccess": {true, (*Sim).completeStep},
	"bots.info":                 {false, (*Sim).botInfo},
	"chat.postMessage":          {true, (*Sim).postMessage},
	"chat.postEphemeral":        {true, (*Sim).postEphemeral},
	"chat.update":               {true, (*Sim).updateMessage},
	"chat.delete":               {true, (*Sim).deleteMessage},
	"chat.getPermalink":         {false, (*Sim).permalink},
	"chat.unfurl":               {true, (*Sim).unfurl},
	"entity.presentDetails":     {true, (*Sim).presentDetails},
	"views.open":                {true, (*Sim).openView},
	"views.publish":             {true, (*Sim).publishView},
	"views.push":                {true, (*Sim).pushView},
	"views.update":              {true, (*Sim).updateView},
	"users.info":                {false, (*Sim).userInfo},
	"users.list":                {false, (*Sim).userList},
	"users.lookupByEmail":       {false, (*Sim).userByEmail},
	"users.conversations":       {false, (*Sim).userConversations},
	"usergroups.list":           {false, (*Sim).groupList},
	"usergroups.users.list":     {false, (*Sim).groupUsers},
	"conversations.open":        {true, (*Sim).openConversation},
	"conversations.list":        {false, (*Sim).conversationList},
	"conversations.info":        {false, (*Sim).conversationInfo},
	"conversations.members":     {false, (*Sim).conversationMembers},
	"conversations.join":        {true, (*Sim).joinConversation},
}

// maxBody is more than any legal request has: a view is 250 KB at most.
const maxBody = 1 << 20

func (s *Sim) serveAPI(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("method")
	fault := s.takeFault(name)
	if fault.Before != nil {
		fault.Before(r.Context())
	}
	switch {
	case fault.RetryAfter > 0:
		w.Header().Set("Retry-After", strconv.Itoa(int(fault.RetryAfter/time.Second)))
		reply(w, http.StatusTooManyRequests, object{"ok": false, "error": "ratelimited"})
		return
	case fault.Status != 0:
		w.WriteHeader(fault.Status)
		return
	case fault.Error != "":
		reply(w, http.StatusOK, object{"ok": false, "error": fault.Error})
		return
	}

	answer, err := s.callAPI(name, r)
	if s.config.Scopes != nil && (err == nil || err.code == "missing_scope") {
		w.Header().Set("X-OAuth-Scopes", strings.Join(s.config.Scopes, ","))
	}
	if fault.DropAnswer {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		answer = object{"ok": false, "error": err.code}
		if err.messages != nil {
			answer["response_metadata"] = object{"messages": err.messages}
		}
		if err.needed != "" {
			answer["needed"], answer["provided"] = err.needed, err.provided
		}
		if err.code == "invalid_blocks" {
			errs := make([]string, len(err.messages))
			for i, m := range err.messages {
				errs[i] = strings.TrimPrefix(m, "[ERROR] ")
			}
			answer["errors"] = errs
		}
		s.config.Logger.Debug("simulated Slack refuses", "method", name, "error", err.code, "messages", err.messages)
	} else {
		answer["ok"] = true
	}
	reply(w, http.StatusOK, answer)
}

func (s *Sim) callAPI(name string, r *http.Request) (object, *apiError) {
	m, ok := methods[name]
	if !ok {
		return refuse("unknown_method")
	}
	args, err := readArguments(r, m.takesJSON)
	if err != nil {
		return nil, err
	}
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		token = args.text("token")
	}
	switch token {
	case "":
		return refuse("not_authed")
	case s.config.BotToken:
	default:
		if s.stepToken(token) {
			break
		}
		return refuse("invalid_auth")
	}
	if missing := s.lacks(name); missing != nil {
		return nil, missing
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return m.call(s, args)
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// An error here means that the client is gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(body)
}

// arguments are those of one call, by name: strings, or the JSON they came as.
type arguments map[string]json.RawMessage

func readArguments(r *http.Request, takesJSON bool) (arguments, *apiError) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, &apiError{code: "request_timeout"}
	}
	args := arguments{}
	addForm := func(values url.Values) {
		for name := range values {
			// A string always marshals.
			args[name], _ = json.Marshal(values.Get(name))
		}
	}
	addForm(r.URL.Query())
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case kind == "application/json" && takesJSON:
		var fields map[string]json.RawMessage
		if json.Unmarshal(body, &fields) != nil {
			return nil, &apiError{code: "invalid_json"}
		}
		for name, value := range fields {
			args[name] = value
		}
	case kind == "application/json":
	case kind == "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, &apiError{code: "invalid_form_data"}
		}
		addForm(values)
	case len(body) > 0:
		return nil, &apiError{code: "invalid_post_type"}
	}
	return args, nil
}

// text gives an argument as a string, "" if there is none.
func (a arguments) text(name string) string {
	var s string
	if json.Unmarshal(a[name], &s) != nil {
		return strings.Trim(string(a[name]), `"`)
	}
	return s
}

func (a arguments) has(name string) bool {
	raw, ok := a[name]
	return ok && string(raw) != "null" && string(raw) != `""`
}

func (a arguments) flag(name string) bool {
	v := a.text(name)
	return v == "true" || v == "1"
}

// json gives an argument that is JSON: as it is in a JSON body, or a string
// that holds it, which forms use and JSON bodies may.
func (a arguments) json(name string) []byte {
	var s string
	if json.Unmarshal(a[name], &s) == nil {
		return []byte(s)
	}
	return a[name]
}

// page cuts one page out of a list, by limit and cursor.
func page[T any](items []T, args arguments) ([]T, object, *apiError) {
	limit, start := 100, 0
	if args.has("limit") {
		n, err := strconv.Atoi(args.text("limit"))
		if err != nil || n < 0 || n > 1000 {
			return nil, nil, &apiError{code: "invalid_limit"}
		}
		if n > 0 {
			limit = n
		}
	}
	if args.has("cursor") {
		raw, err := base64.StdEncoding.DecodeString(args.text("cursor"))
		offset, ok := strings.CutPrefix(string(raw), "next:")
		n, notNumber := strconv.Atoi(offset)
		if err != nil || !ok || notNumber != nil || n < 0 || n > len(items) {
			return nil, nil, &apiError{code: "invalid_cursor"}
		}
		start = n
	}
	end, next := min(start+limit, len(items)), ""
	if end < len(items) {
		next = base64.StdEncoding.EncodeToString([]byte("next:" + strconv.Itoa(end)))
	}
	return items[start:end], object{"next_cursor": next}, nil
}

func (s *Sim) authTest(arguments) (object, *apiError) {
	me := object{
		"url": s.config.BaseURL + "/", "team": "Local", "user": "symflows", "team_id": s.installedTeam(),
		"user_id": botUser, "bot_id": botID, "is_enterprise_install": s.forOrganisation(),
	}
	if s.forOrganisation() {
		me["team"], me["enterprise_id"] = organisationName, organisationID
	}
	return me, nil
}

func (s *Sim) botInfo(args arguments) (object, *apiError) {
	if id := args.text("bot"); id != botID {
		return refuse("bot_not_found")
	}
	return object{"bot": object{"id": botID, "deleted": false, "name": botName, "user_id": botUser, "app_id": appID}}, nil
}
