package slackapp

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/symflows/symflows/internal/pattern"
)

// OwnCommand is the slash command of an app, unless it is made with another one: two
// apps in one workspace can't have the same. All our texts name it.
const OwnCommand = "/sym"

// Commands matches the names that Slack takes for commands.
var Commands = pattern.Of(`^/[a-z0-9][a-z0-9_-]{0,30}$`)

// mentioned matches where a text names the command, and nothing else: no part of an
// address.
var mentioned = pattern.Of("(^|[^A-Za-z0-9/._-])" + OwnCommand + "([^A-Za-z0-9/._-]|$)")

// calling gives a text, which may be JSON, with the command that people type.
func calling(text []byte, command string) []byte {
	if command == "" || command == OwnCommand {
		return text
	}
	return mentioned.ReplaceAll(text, []byte("${1}"+command+"${2}"))
}

// Named is the way to Slack of an app with another command than [OwnCommand]: what
// our texts call it becomes the name that people type.
type Named struct {
	Next    http.RoundTripper
	Command string
}

// RoundTrip sends the request with the name that people type.
func (n Named) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return n.Next.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		for _, values := range form {
			for i := range values {
				values[i] = string(calling([]byte(values[i]), n.Command))
			}
		}
		body = []byte(form.Encode())
	} else {
		body = calling(body, n.Command)
	}
	r = r.Clone(r.Context()) // whose caller may send it again
	r.ContentLength = int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	return n.Next.RoundTrip(r)
}
