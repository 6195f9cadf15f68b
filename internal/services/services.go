package services

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

// Slack is what handlers may do in Slack.
type Slack interface {
	// Send posts a text; below a message where thread is one. The error has
	// flow.CodeUndeliverable where it can't arrive.
	Send(ctx context.Context, to workflow.Address, text string, thread *flow.MessageRef) error
	// UserInfo and Users give Slack's own objects.
	UserInfo(ctx context.Context, slackID string) (json.RawMessage, error)
	Users(ctx context.Context, activeOnly bool) ([]json.RawMessage, error)
	GroupMembers(ctx context.Context, group string) ([]store.User, error)
	ChannelMembers(ctx context.Context, channel string) ([]store.User, error)
}

// Secrets reads values of secrets.
type Secrets interface {
	Value(ctx context.Context, ref flow.SecretRef) (string, error)
}

// Services answers requests. Fields are required unless they say otherwise.
type Services struct {
	Org      string
	Calls    store.Calls
	Runs     store.Runs
	Flows    *store.Flows
	Users    store.Users
	Values   store.Values
	Messages store.Messages
	People   workflow.Directory
	Slack    Slack
	// Secrets and Functions are nil where handlers have them from AWS.
	Secrets   Secrets
	Functions workflow.Functions
	Now       func() time.Time
	Log       *slog.Logger
}

// Request is what handlers ask.
type Request struct {
	Token string          `json:"token"`
	Op    string          `json:"op"`
	Args  json.RawMessage `json:"args"`
	// TimeoutMS is how long the handler waits for the answer, in milliseconds;
	// zero is not known.
	TimeoutMS int64 `json:"timeout_ms,omitempty"`
}

// Response is the answer: a value, or an error.
type Response struct {
	Value json.RawMessage
	Error *Error
}

// Error is why something could not be done, in the terms of Sym's exceptions.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// MarshalJSON writes the error if there is one, else the value, even if that is
// null.
func (r Response) MarshalJSON() ([]byte, error) {
	if r.Error != nil {
		return json.Marshal(map[string]*Error{"error": r.Error})
	}
	value := r.Value
	if len(value) == 0 {
		value = json.RawMessage("null")
	}
	return json.Marshal(map[string]json.RawMessage{"value": value})
}

// call is a request whose token was checked.
type call struct {
	*Services
	run  flow.Run
	flow *flow.Flow
}

// ops are what can be asked.
var ops = map[string]func(call, context.Context, json.RawMessage) (any, error){
	"send_message":          call.sendMessage,
	"send_thread_message":   call.sendThreadMessage,
	"user_by_email":         call.userByEmail,
	"users_by_emails":       call.usersByEmails,
	"users_by_identities":   call.usersByIdentities,
	"slack_user_info":       call.slackUserInfo,
	"slack_users":           call.slackUsers,
	"slack_group_members":   call.slackGroupMembers,
	"slack_channel_members": call.slackChannelMembers,
	"event_count":           call.eventCount,
	"store_get":             call.storeGet,
	"store_put":             call.storePut,
	"save_identity":         call.saveIdentity,
	"secret":                call.secret,
	"invoke":                call.invoke,
	"invoke_async":          call.invokeAsync,
}

// Handle answers a request. It always returns a nil error: failures are part of
// the answer.
func (s *Services) Handle(ctx context.Context, q Request) (Response, error) {
	if q.TimeoutMS > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(min(q.TimeoutMS, store.CallTime.Milliseconds()))*time.Millisecond)
		defer cancel()
	}
	value, err := s.answer(ctx, q)
	if err == nil {
		var b json.RawMessage
		if b, err = json.Marshal(value); err == nil {
			return Response{Value: b}, nil
		}
	}
	shown := errorOf(err)
	level := slog.LevelInfo
	if flow.Retryable(err) {
		level = slog.LevelWarn
	}
	s.Log.Log(ctx, level, "a handler's request was refused", "op", flow.Clip(q.Op, maxQuoted), "code", shown.Code, "error", err)
	return Response{Error: &shown}, nil
}

func (s *Services) answer(ctx context.Context, q Request) (any, error) {
	known, err := s.Calls.Check(ctx, q.Token)
	if err != nil {
		return nil, err
	}
	op, ok := ops[q.Op]
	if !ok {
		return nil, flow.Errorf(flow.CodeInvalid, "there is no op %q", flow.Clip(q.Op, maxQuoted))
	}
	c := call{Services: s}
	if known.Supposed != nil {
		c.Services, c.run = s.supposed(), *known.Supposed
	} else if c.run, err = s.Runs.Get(ctx, known.Run); err != nil {
		return nil, err
	}
	if c.flow, err = s.Flows.Version(ctx, c.run.Flow, c.run.FlowVersion); err != nil {
		return nil, err
	}
	return op(c, ctx, q.Args)
}

// supposed answers about a run that is only supposed: what there is can be asked for, and
// nothing is kept, sent or invoked.
func (s *Services) supposed() *Services {
	draft := *s
	draft.Users.Store, draft.Values.Store, draft.Messages.Store = &store.Draft{Below: s.Users.Store}, &store.Draft{Below: s.Values.Store}, &store.Draft{Below: s.Messages.Store}
	draft.Slack, draft.Functions, draft.Log = unsent{s.Slack}, new(workflow.Uninvoked), slog.New(slog.DiscardHandler)
	return &draft
}

// unsent is Slack to which nothing is sent.
type unsent struct{ Slack }

// Send implements Slack.
func (unsent) Send(context.Context, workflow.Address, string, *flow.MessageRef) error { return nil }

// maxQuoted bounds how much of an argument an error repeats, in characters.
const maxQuoted = 60

// args reads the arguments of an op.
func args[T any](raw json.RawMessage) (T, error) {
	var v T
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, &flow.Error{Code: flow.CodeInvalid, Message: "the arguments can't be understood", Cause: err}
	}
	return v, nil
}

// codes maps our errors to the names that Sym's SDK has for them.
var codes = map[flow.Code]string{
	flow.CodeUndeliverable: "Slack:UNDELIVERABLE",
	flow.CodeLookup:        "Slack:LOOKUP_FAILED",
	flow.CodeLookupRefused: "Slack:LOOKUP_FAILED",
	flow.CodeInternal:      "SDK:SERVICE_FAILED",
}

func errorOf(err error) Error {
	code := flow.CodeOf(err)
	shown := Error{Code: string(code), Message: flow.UserMessage(err)}
	if flow.AskedToWait(err) > 0 && (code == flow.CodeInternal || code == flow.CodeUnreachable || code == flow.CodeLookup) { // Slack's, not a function's
		return Error{Code: "Slack:RATE_LIMITED", Message: "Slack asked to wait.", Hint: "Try again later, or send fewer messages."}
	}
	if name, ok := codes[code]; ok {
		shown.Code = name
	}
	return shown
}

// maxBody bounds a request over HTTP, in bytes.
const maxBody = 1 << 20

// Handler answers requests over HTTP: POST, in JSON.
func (s *Services) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.Error(w, "requests are POSTed", http.StatusMethodNotAllowed)
			return
		}
		var q Request
		var answer Response
		status := http.StatusOK
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&q); err != nil {
			answer.Error = &Error{Code: string(flow.CodeInvalid), Message: fmt.Sprintf("the request is no JSON object of at most %d KB", maxBody>>10)}
		} else if answer, err = s.Handle(r.Context(), q); err != nil {
			answer.Error = &Error{Code: codes[flow.CodeInternal], Message: flow.UserMessage(err)}
		}
		if e := answer.Error; e != nil {
			status = http.StatusBadRequest
			if e.Code == string(flow.CodeUnauthenticated) {
				status = http.StatusUnauthorized
			}
		}
		b, err := json.Marshal(answer)
		if err != nil {
			http.Error(w, "the answer can't be written", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(b) // an error means that the caller has gone
	})
}
