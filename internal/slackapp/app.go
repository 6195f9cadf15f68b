package slackapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// App takes what people do in Slack. It has done everything by the time it
// answers: a Lambda can't work after that.
type App struct {
	Submit workflow.Submit // required
	Forms  workflow.Forms  // required where a flow has handlers
	// Filter asks the code that says which flows people are shown. Nil: all are.
	Filter    FlowFilter
	Flows     *store.Flows  // required
	Directory *Directory    // required; its Team is the workspace we serve
	API       *slack.Client // required; for Socket Mode with an app-level token
	Now       func() time.Time
	Log       *slog.Logger
	// Patience is the least bound of any work here; zero where Slack does not wait.
	Patience time.Duration

	lists lists
}

// maxBody bounds requests. The largest that Slack sends repeat a form of 100
// blocks, which stays below.
const maxBody = 512 << 10

// Slack waits three seconds for an answer, and trigger ids are good for as
// long (docs.slack.dev/interactivity/handling-user-interaction).
const (
	workTime  = 2500 * time.Millisecond // for what was asked
	sorryTime = 2 * time.Second         // to tell, beside the answer, that it failed

	// formTime is for the handlers of a form that is open already: they have 10 s
	// each unless the flow says otherwise, API Gateway waits for 30.
	formTime = 25 * time.Second
)

// Secret gives the secret that Slack signs requests with, as it is now: one that
// got out is of no use soon after it was changed.
type Secret func(context.Context) (string, error)

// FixedSecret is a secret that never changes.
func FixedSecret(value string) Secret {
	return func(context.Context) (string, error) { return value, nil }
}

// Handler serves Slack's requests: POST /slack/commands, /slack/interactions,
// /slack/options and /slack/events. Nothing of a body is looked at before its
// signature and age are found right, but whether it is a check of our
// certificate, which is answered 200. It answers 401 to what Slack did not
// sign, 503 while that can't be told, 413 to what is too large and 400 to what
// can't be parsed; whatever else goes wrong is told to the person, in a 200.
func (a *App) Handler(signingSecret Secret) http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, take func(context.Context, []byte) (any, error)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			if err != nil {
				status := http.StatusBadRequest
				if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
					status = http.StatusRequestEntityTooLarge
				}
				a.Log.WarnContext(r.Context(), "the body of a request can't be read", "path", path, "status", status, "error", err)
				http.Error(w, "the body can't be read, or is larger than 512 KB", status)
				return
			}
			secret, err := signingSecret(r.Context())
			if err != nil {
				a.Log.ErrorContext(r.Context(), "the signing secret can't be read", "error", err)
				http.Error(w, "requests can't be verified now", http.StatusServiceUnavailable)
				return
			}
			if err := verify(secret, r.Header, body, a.Now()); err != nil {
				if isCheck(body) {
					return
				}
				http.Error(w, err.Error(), http.StatusUnauthorized)
				return
			}
			answer, err := take(r.Context(), body)
			if err != nil {
				a.Log.WarnContext(r.Context(), "a request signed by Slack can't be read", "path", path, "bytes", len(body), "error", err)
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			if answer == nil {
				return
			}
			w.Header().Set("Content-Type", "application/json")
			if err := json.NewEncoder(w).Encode(answer); err != nil {
				a.Log.WarnContext(r.Context(), "answer to Slack was not sent", "error", err)
			}
		})
	}
	handle("/slack/commands", a.takeCommand)
	handle("/slack/interactions", a.takeInteraction)
	handle("/slack/options", a.takeInteraction)
	handle("/slack/events", a.takeEvent)
	return mux
}

// isCheck tells whether this is Slack asking whether our certificate is good,
// which it does unsigned. It wants a 200 and nothing else.
// https://docs.slack.dev/interactivity/implementing-slash-commands
func isCheck(body []byte) bool {
	const most = 1 << 10 // such a body has this parameter and an old kind of token
	if len(body) > most {
		return false
	}
	form, err := url.ParseQuery(string(body))
	return err == nil && form.Get("ssl_check") == "1"
}

func (a *App) takeCommand(ctx context.Context, body []byte) (any, error) {
	c, err := readCommand(body)
	if err != nil {
		return nil, err
	}
	return a.command(ctx, c), nil
}

func (a *App) takeInteraction(ctx context.Context, body []byte) (any, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("the body is not a form")
	}
	in, err := readInteraction([]byte(form.Get("payload")))
	if err != nil {
		return nil, err
	}
	return a.interaction(ctx, in), nil
}

// takeEvent answers Slack's question whether the address is ours. We subscribe
// to no events, so that there is nothing else to do.
func (a *App) takeEvent(_ context.Context, body []byte) (any, error) {
	var event struct{ Type, Challenge string }
	if err := json.Unmarshal(body, &event); err != nil {
		return nil, errors.New("the event can't be parsed")
	}
	if event.Type != "url_verification" {
		return nil, nil
	}
	return map[string]string{"challenge": event.Challenge}, nil
}

// within bounds work.
func (a *App) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, max(d, a.Patience))
}

// guard runs a handler within Slack's time. A panic is an error that tells
// nobody anything, but for the log.
func guard[T any](ctx context.Context, a *App, f func(context.Context) (T, error)) (v T, err error) {
	ctx, cancel := a.within(ctx, workTime)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f(ctx)
}

// sayings is what people see of an error, by its code: a sentence of this
// table, or, where it is empty, the error's own. What is not in the table is
// nobody's business but the log's.
var sayings = map[flow.Code]string{
	flow.CodeInvalid:       "",
	flow.CodeTooLarge:      "",
	flow.CodeForbidden:     "",
	flow.CodeUnknownFlow:   "",
	flow.CodeWrongSource:   "",
	flow.CodeUnknownRun:    "This request is not known here. If the button is of another app or an old installation, start anew with /sym req.",
	flow.CodeUnknownUser:   "Slack does not know you as a member of this workspace, so nothing was done.",
	flow.CodeIllegal:       "",
	flow.CodeDecided:       "",
	flow.CodeStale:         "",
	flow.CodeFull:          "",
	flow.CodeSelfApproval:  "",
	flow.CodeDuplicate:     "",
	flow.CodeNoApprover:    "",
	flow.CodeInvalidRun:    "",
	flow.CodeBusy:          "",
	flow.CodeUndeliverable: "",
	flow.CodeIgnored:       "",
	flow.CodeHandler:       "",
	flow.CodeUnavailable:   "The flow's own code did not answer in time, so nothing was done. Please try again.",
	flow.CodeLookup:        "Slack could not tell who you are just now, so nothing was done. Please try again in a minute.",
}

// sorry is what people see of an error. Errors that say nothing are logged.
func (a *App) sorry(ctx context.Context, what string, err error) string {
	text, known := sayings[flow.CodeOf(err)]
	switch {
	case !known:
		a.Log.ErrorContext(ctx, what+" failed", "error", err)
		return "Something went wrong on our side, and nothing may have been saved. It has been logged; please try again."
	case text == "":
		return sentence(flow.UserMessage(err))
	case flow.CodeOf(err) == flow.CodeLookup:
		a.Log.WarnContext(ctx, what+" failed", "error", err)
	}
	return text
}

// private is an answer that only the person who acted can see.
type private struct {
	ResponseType string        `json:"response_type"`
	Text         string        `json:"text"`
	Blocks       []slack.Block `json:"blocks"`
}

// ephemeral makes an answer of a text, which blocks may show better.
func ephemeral(text string, blocks ...slack.Block) private {
	if len(blocks) == 0 {
		blocks = []slack.Block{slack.NewSectionBlock(plain(text, maxText), nil, nil)}
	}
	return private{ResponseType: slack.ResponseTypeEphemeral, Text: fit(escape(text), maxText), Blocks: blocks}
}

// ours refuses what comes from a workspace that we don't serve. Slack leaves
// the workspace out where an app belongs to a whole organisation.
func (a *App) ours(team string) error {
	if team != "" && team != a.Directory.Team {
		return flow.Errorf(flow.CodeForbidden, "this app serves another Slack workspace: ask an administrator to set it up for yours")
	}
	return nil
}
