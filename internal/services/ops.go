package services

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/record"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/workflow"
)

func (c call) sendMessage(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		To   flow.Destination `json:"to"`
		Text string           `json:"text"`
	}](raw)
	if err == nil {
		err = checkText(a.Text)
	}
	if err != nil {
		return nil, err
	}
	to, err := workflow.People{Directory: c.People, Users: c.Users}.Recipient(ctx, a.To)
	if err != nil {
		return nil, err
	}
	if to.Channel == "" && len(to.Users) == 0 {
		return nil, flow.Errorf(flow.CodeUndeliverable, "nobody to send the message to: the workspace does not know them")
	}
	return nil, c.Slack.Send(ctx, workflow.Address{Channel: to.Channel, Users: to.Users}, a.Text, nil)
}

func checkText(text string) error {
	if strings.TrimSpace(text) == "" {
		return flow.Errorf(flow.CodeInvalid, "the message is empty")
	}
	return nil
}

// sendThreadMessage answers below the message that asks now.
func (c call) sendThreadMessage(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		Text string `json:"text"`
	}](raw)
	if err == nil {
		err = checkText(a.Text)
	}
	if err != nil {
		return nil, err
	}
	messages, err := c.Messages.Get(ctx, c.run.ID)
	if err != nil {
		return nil, err
	}
	key := workflow.Message{Kind: workflow.KindRequest, Tier: c.run.Tier}.Key()
	i := slices.IndexFunc(messages, func(m store.Message) bool {
		return m.TS != "" && (m.Key == key || strings.HasPrefix(m.Key, key+"."))
	})
	if i < 0 {
		return nil, &flow.Error{Code: "Slack:NO_THREAD", Message: "the request has no message in Slack to answer to: send one in after_request or later"}
	}
	return nil, c.Slack.Send(ctx, workflow.Address{}, a.Text, &messages[i].MessageRef)
}

func (c call) userByEmail(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		Email  string `json:"email"`
		Create bool   `json:"create"`
	}](raw)
	if err != nil {
		return nil, err
	}
	return c.byEmail(ctx, a.Email, a.Create)
}

func (c call) usersByEmails(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		Emails []string `json:"emails"`
	}](raw)
	if err != nil {
		return nil, err
	}
	const most = 200 // each is a question to Slack
	if len(a.Emails) > most {
		return nil, flow.Errorf(flow.CodeInvalid, "%d addresses at once: ask for %d at most", len(a.Emails), most)
	}
	users := []*record.User{}
	for _, email := range a.Emails {
		u, err := c.byEmail(ctx, email, true)
		switch {
		case flow.CodeOf(err) == flow.CodeInvalid:
			users = append(users, nil)
		case err != nil:
			return nil, err
		default:
			users = append(users, &u)
		}
	}
	return users, nil
}

// byEmail finds a person. With create, it stores a person whom the workspace
// does not know: they have no rights until it does.
func (c call) byEmail(ctx context.Context, email string, create bool) (record.User, error) {
	if err := flow.CheckEmail(email); err != nil {
		return record.User{}, err
	}
	u, err := c.People.UserByEmail(ctx, email)
	if flow.CodeOf(err) == flow.CodeUnknownUser {
		id := flow.UserID(c.Org, email)
		if u, err = c.Users.ByID(ctx, id); flow.CodeOf(err) == flow.CodeUnknownUser && create {
			u = store.User{
				Actor: flow.Actor{ID: id, Kind: flow.KindPerson, Email: strings.ToLower(email)},
				Role:  store.RoleGuest, SeenAt: c.Now().UTC(),
			}
			u, err = c.Users.Remember(ctx, u)
		}
	}
	if err != nil {
		return record.User{}, err
	}
	return c.user(ctx, u)
}

// user makes the object by which handlers know a person.
func (c call) user(ctx context.Context, u store.User) (record.User, error) {
	identities, err := c.Users.Identities(ctx, u.Actor)
	shown := record.UserOf(c.flow, u.Actor, u.Role.Outsider())
	for _, i := range identities {
		shown.Identities = append(shown.Identities, record.Identity(i))
	}
	return shown, err
}

func (c call) users(ctx context.Context, found []store.User) (any, error) {
	out := []record.User{}
	for _, u := range found {
		shown, err := c.user(ctx, u)
		if err != nil {
			return nil, err
		}
		out = append(out, shown)
	}
	return out, nil
}

// usersByIdentities finds the people whom a service knows by the given ids.
func (c call) usersByIdentities(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		Service   string   `json:"service"`
		ServiceID string   `json:"service_id"`
		UserIDs   []string `json:"user_ids"`
	}](raw)
	if err != nil {
		return nil, err
	}
	found, err := c.Users.ByIdentities(ctx, a.Service, a.ServiceID, a.UserIDs)
	if err != nil {
		return nil, err
	}
	return c.users(ctx, found)
}

func (c call) slackUserInfo(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		User json.RawMessage `json:"user"`
	}](raw)
	if err != nil {
		return nil, err
	}
	var id string
	if json.Unmarshal(a.User, &id) != nil {
		var u record.User
		if err := json.Unmarshal(a.User, &u); err != nil {
			return nil, flow.Errorf(flow.CodeInvalid, "user must be a user, or Slack's id of one")
		}
		for _, i := range u.Identities {
			if i.Service == string(flow.ChannelSlack) {
				id = i.UserID
			}
		}
		if id == "" && u.Email != "" {
			id = u.Email
		}
	}
	if strings.Contains(id, "@") {
		known, err := c.People.UserByEmail(ctx, id)
		if err != nil {
			return nil, err
		}
		id = known.SlackID
	}
	if id == "" {
		return nil, flow.Errorf(flow.CodeUnknownUser, "this user is not known to Slack")
	}
	return c.Slack.UserInfo(ctx, id)
}

func (c call) slackUsers(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		ActiveOnly *bool `json:"active_only"`
	}](raw)
	if err != nil {
		return nil, err
	}
	return c.Slack.Users(ctx, a.ActiveOnly == nil || *a.ActiveOnly)
}

func (c call) slackGroupMembers(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		GroupID string `json:"group_id"`
	}](raw)
	if err != nil {
		return nil, err
	}
	found, err := c.Slack.GroupMembers(ctx, a.GroupID)
	if err != nil {
		return nil, err
	}
	return c.users(ctx, active(found))
}

func (c call) slackChannelMembers(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		Channel string `json:"channel"`
	}](raw)
	if err != nil {
		return nil, err
	}
	found, err := c.Slack.ChannelMembers(ctx, a.Channel)
	if err != nil {
		return nil, err
	}
	return c.users(ctx, active(found))
}

// active leaves out people with deactivated accounts, whom Slack may list as
// members: handlers make approvers of members.
func active(found []store.User) []store.User {
	return slices.DeleteFunc(slices.Clone(found), func(u store.User) bool { return u.Role == store.RoleDeactivated })
}

// maxCounted bounds the runs that one count looks at.
const maxCounted = 5000

// eventCount counts what somebody did: events of a name whose actor they are,
// of this flow or for this run's target. Requests are looked for among the
// user's own runs, everything else among those of this flow.
func (c call) eventCount(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		UserID         string    `json:"user_id"`
		Event          string    `json:"event"`
		Since          time.Time `json:"since"`
		Until          time.Time `json:"until"`
		FilterOn       string    `json:"filter_on"`
		IncludeErrored bool      `json:"include_errored"`
	}](raw)
	if err != nil {
		return nil, err
	}
	if a.FilterOn != "" && a.FilterOn != "flow" && a.FilterOn != "target" {
		return nil, flow.Errorf(flow.CodeInvalid, "filter_on is %q: it must be flow or target", flow.Clip(a.FilterOn, maxQuoted))
	}
	if a.FilterOn == "target" && c.run.GivenTarget() == nil {
		return nil, flow.Errorf(flow.CodeInvalid, "this run has no target to count by")
	}
	name := flow.EventName(a.Event)
	q := store.Query{By: store.ByFlow, Value: c.run.Flow, Limit: 200}
	if name == flow.EventPrompt || name == flow.EventRequest {
		q.By, q.Value = store.ByRequester, a.UserID
	}
	count, seen := 0, 0
	for {
		page, err := c.Runs.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Runs {
			if seen++; seen > maxCounted {
				return nil, flow.Errorf(flow.CodeTooLarge, "there are more than %d runs to look at", maxCounted)
			}
			given, ours := r.GivenTarget(), c.run.GivenTarget()
			sameTarget := given != nil && ours != nil && given.Name == ours.Name && given.Type == ours.Type
			if a.FilterOn == "flow" && !strings.EqualFold(r.Flow, c.run.Flow) || a.FilterOn == "target" && !sameTarget {
				continue
			}
			for _, e := range r.Events {
				if e.Name == name && e.Actor.ID == a.UserID && counts(e, a.IncludeErrored) &&
					!e.At.Before(a.Since) && (a.Until.IsZero() || !e.At.After(a.Until)) {
					count++
				}
			}
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			break
		}
	}
	if name == flow.EventRequest && c.run.Status == flow.Prompted && c.run.Requester.ID == a.UserID {
		count++ // the one that is being asked about, which is not recorded yet
	}
	return count, nil
}

// counts tells whether an event is to be counted: it took place, or errored
// events count too.
func counts(e flow.Event, errored bool) bool {
	if e.Failed() || e.Ignored() {
		return errored
	}
	return true
}

func (c call) storeGet(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		Path string `json:"path"`
	}](raw)
	if err != nil {
		return nil, err
	}
	return c.Values.Get(ctx, c.flow.Name, a.Path)
}

func (c call) storePut(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		Path   string          `json:"path"`
		Value  json.RawMessage `json:"value"`
		Shared bool            `json:"shared"`
	}](raw)
	if err != nil {
		return nil, err
	}
	if len(a.Value) == 0 {
		a.Value = json.RawMessage("null")
	}
	if a.Shared {
		return nil, c.Values.PutShared(ctx, a.Path, a.Value)
	}
	return nil, c.Values.Put(ctx, c.flow.Name, a.Path, a.Value)
}

func (c call) saveIdentity(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		Email     string `json:"email"`
		Service   string `json:"service"`
		ServiceID string `json:"service_id"`
		UserID    string `json:"user_id"`
	}](raw)
	if err == nil {
		err = flow.CheckEmail(a.Email)
	}
	if err != nil {
		return nil, err
	}
	i := store.Identity{Service: a.Service, ExternalID: a.ServiceID, UserID: a.UserID}
	if err := i.Check(); err != nil {
		return nil, err
	}
	if err := c.maySave(a.Email, a.Service, a.ServiceID); err != nil {
		return nil, err
	}
	err = c.Users.SetIdentity(ctx, c.run.Requester, store.SavedIdentity{
		Identity: i, Author: flow.Author{
			By: flow.Principal{Kind: flow.PrincipalHandlers, Name: fmt.Sprintf("handlers of flow %s, run %s", c.flow.Name, c.run.ID)}, At: c.Now().UTC(),
		},
	})
	if err != nil {
		return nil, identityError("NOT_YOURS", flow.UserMessage(err))
	}
	c.Log.InfoContext(ctx, "a handler saved an identity", "run", c.run.ID, "flow", c.flow.Name, "user", c.run.Requester.ID,
		"service", i.Service, "external_id", i.ExternalID, "identity", i.UserID)
	return nil, nil
}

// maySave says whether the run's handlers may save who somebody is in a system:
// the requester alone, in what the flow is configured for. Of what else is
// stored, other flows make grants. It returns nil if they may.
func (c call) maySave(email, service, externalID string) error {
	if flow.UserID(c.Org, email) != c.run.Requester.ID {
		return identityError("NOT_THE_REQUESTER", "Handlers save who the requester of their own run is, and this is somebody else.")
	}
	for _, i := range c.integrations() {
		if i.Type == service && i.ExternalID == externalID && service != string(flow.ChannelSlack) { // Slack says who people are there
			return nil
		}
	}
	return identityError("NOT_CONFIGURED", fmt.Sprintf("Flow %q has no integration of type %q with external_id %q.",
		c.flow.Name, flow.Clip(service, maxQuoted), flow.Clip(externalID, maxQuoted)))
}

// integrations are those of the flow's environment and of its strategy, which is
// named by its own type, too.
func (c call) integrations() []flow.Integration {
	all := slices.Collect(maps.Values(c.flow.Environment.Integrations))
	for _, s := range c.strategies() {
		if s.Integration != nil {
			all = append(all, *s.Integration, flow.Integration{Type: s.Type, ExternalID: s.Integration.ExternalID})
		}
	}
	return all
}

// strategies are the flow's, and the one that is frozen with the run's access,
// which its removal needs.
func (c call) strategies() []*flow.Strategy {
	var all []*flow.Strategy
	if c.flow.Strategy != nil {
		all = append(all, c.flow.Strategy)
	}
	if c.run.Access != nil {
		all = append(all, &c.run.Access.Strategy)
	}
	return all
}

// identityError is what handlers know as an IdentityError.
func identityError(name, message string) error {
	return &flow.Error{Code: flow.Code("Identity:" + name), Message: message}
}

// secret reads a secret that the flow's configuration names, and no other.
func (c call) secret(ctx context.Context, raw json.RawMessage) (any, error) {
	a, err := args[struct {
		Path    string `json:"path"`
		JSONKey string `json:"json_key"`
	}](raw)
	if err != nil {
		return nil, err
	}
	if c.Secrets == nil {
		return nil, notOffered("secret")
	}
	for _, ref := range c.secrets() {
		if ref.Path == a.Path {
			ref.JSONKey = a.JSONKey
			return c.Secrets.Value(ctx, ref)
		}
	}
	return nil, flow.Errorf(flow.CodeForbidden, "the configuration of flow %q names no secret at this path", c.flow.Name)
}

// secrets are those of the integrations that the flow has.
func (c call) secrets() []flow.SecretRef {
	var refs []flow.SecretRef
	add := func(m map[string]flow.SecretRef) {
		for _, ref := range m {
			refs = append(refs, ref)
		}
	}
	for _, i := range c.flow.Environment.Integrations {
		add(i.Secrets)
	}
	for _, s := range c.strategies() {
		add(s.Secrets)
		if s.Integration != nil {
			add(s.Integration.Secrets)
		}
	}
	return refs
}

func notOffered(op string) error {
	return flow.Errorf(flow.CodeInvalid, "%s is not asked here: AWS has it", op)
}

// function checks a call of a function that the environment allows.
func (c call) function(op string, raw json.RawMessage) (arn string, payload []byte, err error) {
	a, err := args[struct {
		ARN     string          `json:"arn"`
		Payload json.RawMessage `json:"payload"`
	}](raw)
	if err != nil {
		return "", nil, err
	}
	if c.Functions == nil {
		return "", nil, notOffered(op)
	}
	if !slices.Contains(c.flow.Environment.LambdaARNs, a.ARN) {
		return "", nil, flow.Errorf(flow.CodeForbidden, "function %q is not among those that flows may invoke: add it to lambda_arns of environment %q", flow.Clip(a.ARN, maxQuoted), c.flow.Environment.Name)
	}
	if len(a.Payload) == 0 {
		a.Payload = json.RawMessage("null")
	}
	return a.ARN, a.Payload, nil
}

func (c call) invoke(ctx context.Context, raw json.RawMessage) (any, error) {
	arn, payload, err := c.function("invoke", raw)
	if err != nil {
		return nil, err
	}
	answer, err := c.Functions.Invoke(ctx, arn, payload)
	if err != nil {
		return nil, awsError(err)
	}
	if len(answer) == 0 {
		return nil, nil
	}
	if !json.Valid(answer) {
		return nil, awsError(flow.Errorf(flow.CodeHandler, "the function did not answer with JSON"))
	}
	return json.RawMessage(answer), nil
}

// asyncTime bounds an invocation whose answer is not waited for.
const asyncTime = 15 * time.Minute

// invokeAsync invokes a function and does not wait for it.
func (c call) invokeAsync(ctx context.Context, raw json.RawMessage) (any, error) {
	arn, payload, err := c.function("invoke_async", raw)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), asyncTime)
	go func() {
		defer cancel()
		if _, err := c.Functions.Invoke(ctx, arn, payload); err != nil {
			c.Log.WarnContext(ctx, "a function that a handler invoked failed", "run", c.run.ID, "arn", arn, "error", err)
		}
	}()
	return true, nil
}

// awsError is what handlers know as an AWSLambdaError.
func awsError(err error) error {
	return &flow.Error{Code: "AWSLambda:INVOKE_FAILED", Message: flow.UserMessage(err), Cause: fmt.Errorf("invoke: %w", err)}
}
