package slacksim

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"time"
)

// responseURL lets an app answer to something somebody did, without a token.
type responseURL struct {
	user    string
	channel string
	ts      string // the message it came from, "" for a command
	expires time.Time
	uses    int
}

func (s *Sim) newResponseURL(r responseURL) string {
	now := s.config.Clock.Now()
	maps.DeleteFunc(s.responses, func(_ string, old *responseURL) bool { return now.After(old.expires) })
	id := s.token(24)
	r.expires = now.Add(responseURLMinutes * time.Minute)
	s.responses[id] = &r
	return s.config.BaseURL + "/response/" + id
}

func (s *Sim) serveResponse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		reply(w, http.StatusRequestEntityTooLarge, object{"ok": false, "error": "request_too_large"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.responses[r.PathValue("id")]
	refusal := ""
	switch {
	case to == nil || s.config.Clock.Now().After(to.expires):
		refusal = "expired_url"
	case to.uses >= responseURLUses:
		refusal = "used_url"
	}
	if refusal != "" {
		reply(w, http.StatusNotFound, object{"ok": false, "error": refusal})
		return
	}
	if err := s.respond(to, body); err != nil {
		reply(w, http.StatusBadRequest, object{"ok": false, "error": err.code, "response_metadata": object{"messages": err.messages}})
		return
	}
	to.uses++
	io.WriteString(w, "ok")
}

// respond does what the body of a response URL, or the answer to a command,
// says: post a message, or replace or delete the one that it answers to. The
// caller holds the lock.
func (s *Sim) respond(to *responseURL, body []byte) *apiError {
	var args arguments
	if json.Unmarshal(body, &args) != nil {
		return &apiError{code: "invalid_payload"}
	}
	c := s.workspace.conversation(to.channel)
	if args.flag("delete_original") && to.ts != "" {
		c.delete(to.ts)
		s.change()
		return nil
	}
	said, err := readContent(args, maxPostedText)
	if err != nil {
		return err
	}
	if args.flag("replace_original") && to.ts != "" && c.message(to.ts) != nil {
		c.edit(to.ts, func(m *Message) {
			m.Text, m.Blocks, m.Attachments, m.Edited = said.text, said.blocks, said.attachments, true
		})
		s.change()
		return nil
	}
	m := said.message()
	if err := c.thread(m, args); err != nil {
		return err
	}
	if args.text("response_type") != "in_channel" {
		m.OnlyFor = to.user
	}
	s.workspace.add(c, m, s.now())
	s.change()
	return nil
}
