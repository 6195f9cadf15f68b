package slackapp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/store"
)

// Doctor asks Slack whether it has what a deployment needs: the scopes of the
// token, the connection, and everything that the configuration names. It changes
// nothing in Slack, takes no events from a deployment that runs, and asks for as
// little as it can: never for a list of all people.
type Doctor struct {
	// API is the client of the bot token, and of the app-level token if there is
	// one. Its answers' headers have to go to Headers. Required.
	API *slack.Client
	// BotToken, AppToken and SigningSecret are looked at and shown to nobody; "" is
	// one that this way to Slack does not need.
	BotToken, AppToken, SigningSecret string
	// Probe, if it is not nil, asks a deployment whether it takes what is signed
	// with SigningSecret: see [Probe].
	Probe func(context.Context) error
	// Links says that links to requests are to be shown as what they lead to. It need not
	// be said where the token has a right for that.
	Links bool
	// Say tells how far it is, for people who wait. Required.
	Say func(string)
	Now func() time.Time // required

	mu       sync.Mutex
	provided *[]string // scopes, by auth.test; nil: Slack did not say
	findings []Finding
}

// Finding is one thing that the doctor found.
type Finding struct {
	Level Level  `json:"level"`
	Where string `json:"where,omitempty"` // "flows/access.yaml:12"
	What  string `json:"what"`
	Do    string `json:"do,omitempty"`
}

// Level says how bad a finding is.
type Level string

// Levels of findings. Unknown is what could not be found out, which is no news
// that it is well.
const (
	LevelFault   Level = "fault"
	LevelUnknown Level = "unknown"
	LevelWarning Level = "warning"
)

// Headers takes the headers of Slack's answers: an option for the client.
func (d *Doctor) Headers(method string, h http.Header) {
	if !strings.HasSuffix(method, "auth.test") {
		return
	}
	values, there := h[http.CanonicalHeaderKey("X-OAuth-Scopes")]
	if !there {
		return
	}
	var scopes []string
	for _, s := range strings.Split(strings.Join(values, ","), ",") {
		if s = strings.TrimSpace(s); s != "" {
			scopes = append(scopes, s)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.provided = &scopes
}

// Examine looks at everything, and returns what it found: the faults first, then
// in the order of files and lines. Without findings all is well. What Slack does
// not answer is a finding too.
func (d *Doctor) Examine(ctx context.Context, flows []*flow.Flow) []Finding {
	d.findings = nil
	d.tokens()
	me, err := d.API.AuthTestContext(ctx)
	if err != nil {
		d.unasked("", "the workspace", err)
		return d.findings // nothing else can be asked
	}
	d.scopes()
	d.connection(ctx, me.BotID)
	directory := &Directory{API: d.API, Team: me.TeamID, Now: d.Now}
	if me.TeamID == "" || strings.HasPrefix(me.TeamID, organisation) {
		directory.Team = cmp.Or(me.EnterpriseID, me.TeamID)
	}
	d.names(ctx, directory, flows)
	slices.SortStableFunc(d.findings, func(a, b Finding) int {
		order := []Level{LevelFault, LevelUnknown, LevelWarning}
		return cmp.Or(slices.Index(order, a.Level)-slices.Index(order, b.Level), comparePlaces(a.Where, b.Where))
	})
	return d.findings
}

func (d *Doctor) find(level Level, where, what, do string) {
	f := Finding{Level: level, Where: where, What: what, Do: do}
	if !slices.Contains(d.findings, f) {
		d.findings = append(d.findings, f)
	}
}

// unasked notes what Slack's error to a question comes to. It never holds what was
// sent, so no token either.
func (d *Doctor) unasked(where, what string, err error) {
	if after, ok := limited(err); ok {
		d.find(LevelUnknown, where, fmt.Sprintf("Slack asks to wait %s before it says more about %s", after, what), "run this again later, or with a longer -wait")
		return
	}
	refused, ok := errors.AsType[slack.SlackErrorResponse](err)
	if !ok {
		d.find(LevelUnknown, where, "Slack does not answer about "+what, "run this again; if it goes on, look at status.slack.com, at SLACK_API_URL and at this machine's way to the internet")
		return
	}
	kind, hint := troubleOf(err, what)
	level := LevelFault
	if kind == passing {
		level = LevelUnknown
	}
	do := "see docs/slack.md"
	if refused.Err == "missing_scope" {
		do = "take the manifest of slack-manifest over (App Manifest in the app's settings) and install the app again"
	}
	d.find(level, where, hint, do)
}

// The forms of Slack's secrets. What does not look like this can't be one.
var (
	appTokenForm = pattern.Of(`^xapp-\d+-(A[A-Z0-9]+)-\d+-[a-f0-9]{16,}$`)
	secretForm   = pattern.Of(`^[a-f0-9]{32}$`)
	tokenForm    = pattern.Of(`^(xox|xapp)`)
)

// tokens looks at the secrets themselves, and shows none of them.
func (d *Doctor) tokens() {
	if !strings.HasPrefix(d.BotToken, "xoxb-") {
		d.find(LevelFault, "SLACK_BOT_TOKEN", "this is no bot token, which begins with xoxb-", "copy the Bot User OAuth Token from OAuth & Permissions")
	}
	if d.AppToken != "" && !appTokenForm.MatchString(d.AppToken) {
		d.find(LevelWarning, "SLACK_APP_TOKEN", "this does not look like an app-level token, which begins with xapp-1-A", "copy it again from Basic Information, App-Level Tokens")
	}
	switch secret := d.SigningSecret; {
	case secret == "":
	case tokenForm.MatchString(secret):
		d.find(LevelFault, "SLACK_SIGNING_SECRET", "this is a token, not the signing secret", "copy the signing secret from Basic Information, App Credentials")
	case !secretForm.MatchString(secret):
		d.find(LevelWarning, "SLACK_SIGNING_SECRET", "this does not look like a signing secret, which has 32 characters of 0-9 and a-f", "copy it again from Basic Information, App Credentials: neither the client secret nor the verification token will do")
	}
}

// scopes compares what the token may do with what we need.
func (d *Doctor) scopes() {
	d.mu.Lock()
	provided := d.provided
	d.mu.Unlock()
	if provided == nil {
		d.find(LevelUnknown, "", "Slack did not say which scopes the bot token has", "compare the app's settings with slack-manifest")
		return
	}
	has := func(s Scope) bool { return slices.Contains(*provided, s.Name) }
	all := Scopes()
	if d.Links || slices.ContainsFunc(LinkScopes(), has) {
		all = append(all, LinkScopes()...)
	}
	var needed []string
	for _, s := range all {
		needed = append(needed, s.Name)
		if !has(s) {
			d.find(LevelFault, "", fmt.Sprintf("the bot token lacks the scope %s (%s)", s.Name, s.For), "add it under OAuth & Permissions, or take the manifest of slack-manifest over, and install the app again")
		}
	}
	for _, s := range *provided {
		if !slices.Contains(needed, s) {
			d.find(LevelWarning, "", "the bot token has the scope "+flow.Clip(s, 100)+", which nothing here uses", "remove it under OAuth & Permissions, and install the app again")
		}
	}
}

// connection finds out whether what people do can reach us. Opening a connection
// of Socket Mode would draw events away from the deployment that has one, so that
// it is only asked for an address.
func (d *Doctor) connection(ctx context.Context, botID string) {
	if d.AppToken != "" {
		if _, _, err := d.API.StartSocketModeContext(ctx); err != nil {
			d.socket(err)
		}
		form := appTokenForm.FindStringSubmatch(d.AppToken)
		if form == nil || botID == "" {
			return
		}
		bot, err := d.API.GetBotInfoContext(ctx, slack.GetBotInfoParameters{Bot: botID})
		switch {
		case err != nil:
			d.unasked("", "the app that the bot token is of", err)
		case bot.AppID != "" && bot.AppID != form[1]:
			d.find(LevelFault, "SLACK_APP_TOKEN", fmt.Sprintf("it is a token of the app %s, and the bot token is of the app %s", form[1], bot.AppID), "take both tokens from one app")
		}
		return
	}
	if d.Probe == nil {
		d.find(LevelUnknown, "", "whether Slack's requests arrive can't be known from here", "give -url https://<address> to ask the deployment itself, and see that Event Subscriptions in the app's settings shows Verified")
		return
	}
	if err := d.Probe(ctx); err != nil {
		d.find(LevelFault, "", flow.UserMessage(err), "see that the address is the deployment's, and that it has the signing secret of this app")
	}
}

// socket says what keeps Socket Mode from working.
func (d *Doctor) socket(err error) {
	refused, ok := errors.AsType[slack.SlackErrorResponse](err)
	if _, wait := limited(err); wait || !ok {
		d.unasked("SLACK_APP_TOKEN", "Socket Mode", err)
		return
	}
	switch refused.Err {
	case "missing_scope":
		d.find(LevelFault, "SLACK_APP_TOKEN", "the app-level token lacks the scope connections:write", "make one with it under Basic Information, App-Level Tokens")
	case "invalid_auth", "not_authed", "token_revoked", "account_inactive", "not_allowed_token_type":
		d.find(LevelFault, "SLACK_APP_TOKEN", fmt.Sprintf("Slack refuses the app-level token (%s)", refused.Err), "make a new one under Basic Information, App-Level Tokens, with connections:write")
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout":
		d.unasked("SLACK_APP_TOKEN", "Socket Mode", err)
	default:
		d.find(LevelFault, "SLACK_APP_TOKEN", fmt.Sprintf("Slack opens no connection for Socket Mode (%s)", flow.Clip(refused.Err, 100)), "switch Socket Mode on in the app's settings")
	}
}

// Probe asks a deployment at a URL, as Slack does before it sends events, to repeat
// a word. The error says what keeps Slack's requests from arriving.
func Probe(ctx context.Context, client *http.Client, url, secret string, now time.Time) error {
	at := strings.TrimSuffix(url, "/") + "/slack/events"
	word := rand.Text()
	body := []byte(`{"type":"url_verification","challenge":"` + word + `"}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return flow.Errorf(flow.CodeInvalid, "%q is no URL of a deployment", flow.Clip(url, 200))
	}
	stamp := strconv.FormatInt(now.Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Slack-Request-Timestamp", stamp)
	req.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(sign(secret, stamp, body)))
	resp, err := client.Do(req)
	if err != nil {
		return flow.Errorf(flow.CodeUnreachable, "nothing answers at %s", at)
	}
	defer resp.Body.Close()
	var answer struct{ Challenge string }
	_ = json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&answer)
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return flow.Errorf(flow.CodeForbidden, "the deployment at %s refuses what is signed with SLACK_SIGNING_SECRET: it has the secret of another app, or one of the two clocks is off", at)
	case resp.StatusCode != http.StatusOK || answer.Challenge != word:
		return flow.Errorf(flow.CodeUnreachable, "what answers at %s (status %d) is not a deployment of this product", at, resp.StatusCode)
	}
	return nil
}

// use is one place that names something in Slack.
type use struct {
	flow.SlackName
	flow  *flow.Flow
	where string
}

// names looks for everything that the configuration names.
func (d *Doctor) names(ctx context.Context, directory *Directory, flows []*flow.Flow) {
	uses := map[flow.SlackKind][]use{}
	for _, f := range flows {
		for _, n := range f.SlackNames() {
			where := f.Places[n.Path]
			if where == "" {
				where = "flow " + f.Name + ", " + n.Path
			}
			uses[n.Kind] = append(uses[n.Kind], use{n, f, where})
		}
	}
	for _, u := range uses[flow.SlackWorkspace] {
		if u.Name != directory.Team {
			d.find(LevelWarning, u.where, fmt.Sprintf("the configuration is for the workspace %s, and the bot token is of %s", flow.Clip(u.Name, 100), directory.Team), "write external_id: "+directory.Team+", or set the token of the other workspace")
		}
	}
	d.channels(ctx, directory, uses[flow.SlackChannel])
	groups := d.groups(ctx, directory, uses[flow.SlackGroup])
	people := d.people(ctx, directory, uses[flow.SlackPerson])
	if groups == nil {
		return // who is in them is not known
	}
	for _, f := range flows {
		for _, n := range f.Powerless(func(group, email string) bool {
			who := people[strings.ToLower(email)]
			g, ok := groups[strings.ToLower(strings.TrimPrefix(group, "@"))]
			return who == nil || !ok || slices.Contains(g.Users, who.ID)
		}) {
			d.find(LevelWarning, f.Places[n.Path], n.Name+" is asked and may not approve, so that their click is refused", "add them to a group of approvers, name user:"+n.Name+" there, or ask somebody else")
		}
	}
}

// channels looks for channels among those that the bot is in; only for others are
// the workspace's public ones looked through.
func (d *Doctor) channels(ctx context.Context, directory *Directory, uses []use) {
	if len(uses) == 0 {
		return
	}
	teams, err := directory.workspaces(ctx)
	if err != nil {
		d.unasked("", "the workspaces of the organisation", err)
		return
	}
	byName := !directory.forOrganisation() // Slack finds no channel by its name for an organisation's token
	in := map[string]*slack.Channel{}
	note := func(list []slack.Channel, into map[string]*slack.Channel) {
		for i := range list {
			into[list[i].ID] = &list[i]
			if byName {
				into["#"+list[i].Name] = &list[i]
			}
		}
	}
	for _, team := range teams {
		for cursor := ""; ; {
			list, next, err := d.API.GetConversationsForUserContext(ctx, &slack.GetConversationsForUserParameters{
				Types: []string{"public_channel", "private_channel"}, Limit: pageSize, Cursor: cursor, TeamID: teamOf(directory, team),
			})
			if err != nil {
				d.unasked("", "the channels that the bot is in", err)
				return
			}
			note(list, in)
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	var missing []use
	for _, u := range uses {
		c := in[key(u.Name)]
		switch {
		case c == nil:
			missing = append(missing, u)
		case c.IsArchived:
			d.find(LevelFault, u.where, "the channel "+u.Name+" is archived", "unarchive it, or name another one")
		}
	}
	if len(missing) == 0 {
		return
	}
	d.Say(fmt.Sprintf("looking for %d channels that the bot is not in", len(missing)))
	all := map[string]*slack.Channel{}
	whole := true
	for _, team := range teams {
		cursor := ""
		for range mostPages {
			list, next, err := d.API.GetConversationsContext(ctx, &slack.GetConversationsParameters{
				Types: []string{"public_channel"}, Limit: pageSize, Cursor: cursor, TeamID: teamOf(directory, team),
			})
			if err != nil {
				d.unasked("", "the public channels", err)
				whole = false
				break
			}
			note(list, all)
			if cursor = next; cursor == "" || found(all, missing) {
				break
			}
		}
		whole = whole && cursor == ""
	}
	for _, u := range missing {
		c := all[key(u.Name)]
		switch {
		case c != nil && c.IsArchived:
			d.find(LevelFault, u.where, "the channel "+u.Name+" is archived", "unarchive it, or name another one")
		case c != nil:
			d.find(LevelFault, u.where, "the bot is not in "+u.Name, "type /invite @Sym there")
		case !byName && strings.HasPrefix(u.Name, "#"):
			d.find(LevelFault, u.where, "the app is installed for a whole organisation, for which Slack finds no channel by a name such as "+u.Name, "name the channel by its id (C…)")
		case whole:
			d.find(LevelFault, u.where, "Slack has no channel "+u.Name+" that the bot can see", "create it, or correct the name; if it is private, type /invite @Sym there")
		default:
			d.find(LevelFault, u.where, "the bot is not in "+u.Name+", which may not exist", "type /invite @Sym there, or correct the name")
		}
	}
}

const (
	pageSize  = 999
	mostPages = 20 // of public channels: Slack lets this be asked some twenty times a minute
)

// teamOf is how methods that list something are told which workspace is meant.
func teamOf(d *Directory, team string) string {
	if d.forOrganisation() {
		return team
	}
	return ""
}

// key is what a channel is found by: its id, or its name after a "#".
func key(name string) string {
	if channelID.MatchString(name) {
		return name
	}
	return "#" + strings.ToLower(strings.TrimPrefix(name, "#"))
}

var channelID = pattern.Of(`^[CG][A-Z0-9]{5,}$`)

func found(all map[string]*slack.Channel, missing []use) bool {
	return !slices.ContainsFunc(missing, func(u use) bool { return all[key(u.Name)] == nil })
}

// groups looks for user groups, by one question for each workspace. It returns
// them by handle and id; nil if Slack did not say.
func (d *Doctor) groups(ctx context.Context, directory *Directory, uses []use) map[string]slack.UserGroup {
	known := map[string]slack.UserGroup{}
	if len(uses) == 0 {
		return known
	}
	teams, err := directory.workspaces(ctx)
	if err != nil {
		d.unasked("", "the workspaces of the organisation", err)
		return nil
	}
	several := map[string]bool{}
	for _, team := range teams {
		list, err := d.API.GetUserGroupsContext(ctx, slack.GetUserGroupsOptionTeamID(teamOf(directory, team)),
			slack.GetUserGroupsOptionIncludeUsers(true), slack.GetUserGroupsOptionIncludeDisabled(true))
		if err != nil {
			d.unasked(uses[0].where, "the user groups", err)
			return nil
		}
		for _, g := range list {
			handle := strings.ToLower(g.Handle)
			if other, ok := known[handle]; ok && other.ID != g.ID {
				several[handle] = true
			}
			known[handle], known[strings.ToLower(g.ID)] = g, g
		}
	}
	for _, u := range uses {
		handle := strings.ToLower(strings.TrimPrefix(u.Name, "@"))
		g, ok := known[handle]
		switch {
		case several[handle]:
			d.find(LevelFault, u.where, "the organisation has several user groups called @"+handle, "name the one that is meant by its id, such as "+g.ID)
		case !ok:
			d.find(LevelFault, u.where, "Slack has no user group @"+handle, "create it, or correct the name")
		case g.DateDelete != 0:
			d.find(LevelFault, u.where, "the user group @"+handle+" is disabled", "enable it, or name another one")
		case len(g.Users) == 0:
			d.find(LevelFault, u.where, "nobody is in the user group @"+handle, "add people to it")
		}
	}
	return known
}

// people looks for people by their addresses, each once. It returns them by their
// addresses in small letters; those whom Slack does not have are missing.
func (d *Doctor) people(ctx context.Context, directory *Directory, uses []use) map[string]*slack.User {
	known := map[string]*slack.User{}
	asked := map[string]bool{}
	for i, u := range uses {
		email := strings.ToLower(u.Name)
		if !asked[email] {
			asked[email] = true
			if i > 0 && i%20 == 0 {
				d.Say(fmt.Sprintf("asked for %d of at most %d people", len(asked), len(uses)))
			}
			found, err := d.API.GetUserByEmailContext(ctx, email)
			if err != nil && flow.CodeOf(lookup(err, email)) != flow.CodeUnknownUser {
				d.unasked(u.where, email, err)
				if kind, _ := troubleOf(err, email); kind == passing || kind == scope {
					return known // the next one would be answered alike
				}
				continue
			}
			if err == nil {
				known[email] = found
			}
		}
		d.person(directory, u, known[email])
	}
	return known
}

// person says what keeps somebody from what they are named for.
func (d *Doctor) person(directory *Directory, u use, who *slack.User) {
	if who == nil {
		d.find(LevelFault, u.where, "Slack has nobody active with the address "+u.Name, "correct it, or remove it")
		return
	}
	guests := u.flow.Params.AllowGuestInteraction && !flow.OfEnvironment(u.Path)
	switch role := directory.role(who); {
	case who.Deleted:
		d.find(LevelFault, u.where, u.Name+" is deactivated in Slack", "name somebody else")
	case robot(who):
		d.find(LevelFault, u.where, u.Name+" is a bot, which can press no button", "name a person")
	case role != store.RoleMember && !guests:
		d.find(LevelWarning, u.where, u.Name+" is a guest, whose clicks count only where the flow says allow_guest_interaction", "name a member, or allow guests")
	}
}

// comparePlaces orders "file:line" by file and then by line, as a number.
func comparePlaces(a, b string) int {
	fileA, lineA := place(a)
	fileB, lineB := place(b)
	return cmp.Or(strings.Compare(fileA, fileB), cmp.Compare(lineA, lineB))
}

func place(s string) (file string, line int) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, 0
	}
	if _, err := fmt.Sscan(s[i+1:], &line); err != nil {
		return s, 0
	}
	return s[:i], line
}
