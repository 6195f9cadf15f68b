package slackapp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"sync"
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
	// Filter asks customers' code which flows a person is shown. If it is nil,
	// people are shown all.
	Filter    FlowFilter
	Accounts  workflow.Accounts // required
	Flows     *store.Flows      // required
	Lingering store.Lingering
	Messages  store.Messages // to link to them; required
	Home      Home           // required
	Explain   Explain        // required
	// Deliveries keeps which events were taken. Required.
	Deliveries store.Deliveries
	Directory  *Directory    // required; its Team is the workspace, or organisation, we serve
	API        *slack.Client // required; for Socket Mode with an app-level token
	// APIURL is where API asks if that is not Slack: of the simulation. What
	// people did is answered there, and else at Slack's own hosts only.
	APIURL string
	Now    func() time.Time
	// Wall is the time of this machine, by which signatures are checked.
	Wall func() time.Time
	Log  *slog.Logger
	// Patience is the least bound of any work here; zero where Slack does not wait.
	Patience time.Duration
	// HandOn is for forms that handlers are asked about, so that Slack is answered
	// at once. If it is nil, they are asked before the answer.
	HandOn HandOn
	// Command is what people type, if that is not [OwnCommand].
	Command string
	// URL is the address at which people reach us, for links to runs; "" makes none.
	URL string
	// Connected, if it is not nil, is called when Socket Mode has a connection.
	Connected func()

	app     ourApp
	lists   lists
	told    lists // what error channels were told of lately
	targets targetNames
}

// maxBody bounds requests. The largest that Slack sends repeat a form of 100
// blocks, which stays below.
const maxBody = 512 << 10

// Slack waits three seconds for an answer, and trigger ids are good for as
// long (docs.slack.dev/interactivity/handling-user-interaction).
const (
	workTime  = 2500 * time.Millisecond // for what was asked, since Slack sent it
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
// /slack/options and /slack/events; and GET /open/{id}, which leads from the link of a
// run on to Slack. No body is parsed before its signature and
// age are verified, except to see whether it is Slack's check of our
// certificate, which is answered 200. The status is 401 for a request that
// Slack did not sign, 503 while the signing secret can't be read, and for an event
// that Slack is to send again, 413 for one that is too large and 400 for one that
// can't be parsed. All other errors are answered 200, and told to the person.
func (a *App) Handler(signingSecret Secret) http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, take func(context.Context, []byte) (any, error)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			received := a.Wall()
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
			if isCheck(body) {
				return
			}
			secret, err := signingSecret(r.Context())
			if err != nil {
				a.Log.ErrorContext(r.Context(), "the signing secret can't be read", "error", err)
				http.Error(w, "requests can't be verified now", http.StatusServiceUnavailable)
				return
			}
			if err := verify(secret, r.Header, body, a.Wall()); err != nil {
				http.Error(w, err.Error(), http.StatusUnauthorized)
				return
			}
			answer, err := take(sentBefore(r.Context(), onTheWay(r.Header, received)+a.Wall().Sub(received)), body)
			if _, ok := errors.AsType[again](err); ok {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			if err != nil {
				a.Log.WarnContext(r.Context(), "a request signed by Slack can't be read", "path", path, "bytes", len(body), "error", err)
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			if answer == nil {
				return
			}
			text, err := json.Marshal(answer)
			if err == nil {
				w.Header().Set("Content-Type", "application/json")
				_, err = w.Write(calling(text, a.Command))
			}
			if err != nil {
				a.Log.WarnContext(r.Context(), "answer to Slack was not sent", "error", err)
			}
		})
	}
	handle("/slack/commands", a.takeCommand)
	handle("/slack/interactions", a.takeInteraction)
	handle("/slack/options", a.takeInteraction)
	handle("/slack/events", a.takeEvent)
	mux.HandleFunc("GET "+pathOpen+"{id}", a.openLink)
	return mux
}

// isCheck tells whether this is Slack asking whether our certificate is good,
// which it need not sign. It wants a 200 and nothing else.
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

// within bounds work.
func (a *App) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, max(d, a.Patience))
}

// maxOnTheWay bounds what is taken off our time for what was before: clocks that differ
// must not leave none.
const maxOnTheWay = 1500 * time.Millisecond

// onTheWay is for how long a request that was verified has been on its way to us, at
// least: Slack's three seconds count from when it was sent, and not from when we begin.
// Its time stamp has whole seconds, so that the one that it names is not counted.
func onTheWay(header http.Header, now time.Time) time.Duration {
	seconds, err := strconv.ParseInt(header.Get(stampHeader), 10, 64)
	if err != nil {
		return 0
	}
	return max(0, now.Sub(time.Unix(seconds+1, 0)))
}

type sentBeforeKey struct{}

// sentBefore has guard leave a request as much less time.
func sentBefore(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, sentBeforeKey{}, d)
}

// guard runs a handler within Slack's time. It turns a panic into an internal
// error, whose details only the log has.
func guard[T any](ctx context.Context, a *App, f func(context.Context) (T, error)) (v T, err error) {
	before, _ := ctx.Value(sentBeforeKey{}).(time.Duration)
	ctx, cancel := a.within(ctx, workTime-min(before, maxOnTheWay))
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f(ctx)
}

// beside starts work beside the caller, who waits for all of it by what is
// returned, as often as they like, at the latest when they are done. A panic in it
// is the caller's, who is guarded.
func beside(work ...func()) (wait func()) {
	for i := range work {
		work[i] = sync.OnceFunc(work[i])
		go func() {
			defer func() { _ = recover() }()
			work[i]()
		}()
	}
	return func() {
		for _, done := range work {
			defer done()
		}
	}
}

// sayings maps the code of an error to the sentence that people see. If that is
// empty, they see the error's own message. Errors whose code is not in the
// table are only logged.
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
	flow.CodeChanged:       "",
	flow.CodeFull:          "",
	flow.CodeSelfApproval:  "",
	flow.CodeGlassBroken:   "",
	flow.CodeDuplicate:     "",
	flow.CodeNoApprover:    "",
	flow.CodeIneligible:    "",
	flow.CodeWithdrawn:     "",
	flow.CodeInvalidRun:    "",
	flow.CodeNotExtendable: "",
	flow.CodeBusy:          "",
	flow.CodeUndeliverable: "",
	flow.CodeIgnored:       "",
	flow.CodeHandler:       "The flow's own rules, which the form needs, have failed, so nothing was sent. Those who look after the flow are told; try again, or ask them.",
	flow.CodeConfigFaulty:  "",
	flow.CodeDiskFull:      "",
	flow.CodeUnavailable:   "The flow's own code did not answer in time, so nothing was done. Please try again.",
	flow.CodeLookup:        "Slack could not tell who you are just now, so nothing was done. Please try again in a minute.",
	flow.CodeLookupRefused: "",
	flow.CodeUnreachable:   "Slack does not take our messages just now. What you did is kept if it was accepted; please look again in a minute.",
}

// sorry returns what people see of an error, and logs errors that they see
// nothing of.
func (a *App) sorry(ctx context.Context, what string, err error) string {
	text, known := sayings[flow.CodeOf(err)]
	switch {
	case !known:
		a.Log.ErrorContext(ctx, what+" failed", "error", err)
		return "Something went wrong on our side, and nothing may have been saved. It has been logged; please try again."
	case text == "":
		return sentence(withoutCode(flow.UserMessage(err)))
	case flow.CodeOf(err) == flow.CodeLookup || flow.CodeOf(err) == flow.CodeUnreachable:
		a.Log.WarnContext(ctx, what+" failed", "error", err)
	}
	return text
}

// sorryModal says in place of a form why there is none. What may work the next time
// has a button to try again.
func (a *App) sorryModal(ctx context.Context, err error, came metadata) slack.ModalViewRequest {
	text := a.sorry(ctx, "form", err)
	switch flow.CodeOf(err) {
	case flow.CodeHandler, flow.CodeUnavailable, flow.CodeLookup, flow.CodeInternal:
		if came.Flow != "" {
			return againModal(text, came)
		}
	}
	return noticeModal(text)
}

// private is an answer that only the person who acted can see.
type private struct {
	ResponseType string        `json:"response_type"`
	Text         string        `json:"text"`
	Blocks       []slack.Block `json:"blocks"`
}

// plain is the text as it is, for where nothing is marked up.
func (p private) plain() string {
	if s, ok := p.Blocks[0].(*slack.SectionBlock); ok && s.Text.Type == slack.PlainTextType {
		return s.Text.Text
	}
	return p.Text
}

// ephemeral makes an answer of a text, which blocks may show better.
func ephemeral(text string, blocks ...slack.Block) private {
	if len(blocks) == 0 {
		blocks = []slack.Block{slack.NewSectionBlock(plain(text, maxText), nil, nil)}
	}
	return private{ResponseType: slack.ResponseTypeEphemeral, Text: fit(escape(text), maxText), Blocks: blocks}
}

// ours refuses requests from where we don't serve. Where the app is installed for
// an organisation, Slack leaves the workspace out, or names any of those that
// have the app; a workspace without its organisation is looked for among these,
// and refused if Slack can't be asked for them.
func (a *App) ours(ctx context.Context, o origin) error {
	serves := a.Directory.Team
	known := o.team == "" || o.team == serves || o.installed == serves
	if a.Directory.forOrganisation() {
		switch team := cmp.Or(o.team, o.installed); {
		case o.enterprise != "":
			known = o.enterprise == serves || o.team == serves
		default:
			var err error
			if known, err = a.Directory.serves(ctx, team); err != nil {
				return err
			}
		}
	}
	if !known {
		return flow.Errorf(flow.CodeForbidden, "this app serves another Slack workspace: ask an administrator to set it up for yours")
	}
	return nil
}
