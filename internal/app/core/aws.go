package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/slack-go/slack"

	"github.com/symflows/symflows/internal/aws/secrets"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/slackapp"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/workflow"
)

// Deployed is what a function in AWS starts from.
type Deployed struct {
	Core
	Settings config.Settings
	AWS      aws.Config // honours AWS_ENDPOINT_URL and its like
	Secrets  *secrets.Values
}

// Start builds the function of this process from the environment. It ends the
// process if that fails: Lambda starts another with the next event.
func Start[H any](build func(context.Context, Deployed) (H, error)) H {
	h, err := Build(build)
	if err != nil {
		os.Exit(1)
	}
	return h
}

// Build is Start for a function that can report why it does not start. The
// error has been logged.
func Build[H any](build func(context.Context, Deployed) (H, error)) (H, error) {
	ctx := context.Background()
	settings, err := config.Read(os.Getenv)
	log := Logger(settings, os.Stdout)
	var cfg aws.Config
	if err == nil {
		cfg, err = AWS(os.Getenv)
		tellThrottled(&cfg, os.Stdout, os.Getenv("AWS_LAMBDA_FUNCTION_NAME"))
	}
	if err == nil && settings.AWS.Table == "" { // the one thing that every function needs
		err = errors.New("SYM_TABLE is not set: it names the table, as the deploy sets it")
	}
	var h H
	if err == nil {
		h, err = build(ctx, Deploy(settings, cfg, WallClock{}, log))
	}
	if err != nil {
		log.Error("the function could not start", "error", err)
	}
	return h, err
}

// Deploy builds on the table and the secrets of an AWS account.
func Deploy(settings config.Settings, cfg aws.Config, clock workflow.Clock, log *slog.Logger) Deployed {
	if settings.Patience > 0 && cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient() // without the store's bound
	}
	return Deployed{
		Core:     New(settings, dynamo.New(cfg, settings.AWS.Table, clock.Now), OneClock(clock), log),
		Settings: settings, AWS: cfg,
		Secrets: &secrets.Values{API: secretsmanager.NewFromConfig(cfg), Now: clock.Now},
	}
}

// Egress gives how what is configured is connected to. An emulator of AWS runs on one
// machine, with what it is tried out with.
func (d Deployed) Egress() egress.Ways {
	if d.AWS.BaseEndpoint != nil {
		return egress.New(egress.Machine, nil)
	}
	return egress.New(egress.Network, nil)
}

// Slack is a workspace that was reached.
type Slack struct {
	API       *slack.Client
	Directory *slackapp.Directory
}

// The bot token and the workspace's id are in one secret. The signing secret is
// the whole value of another one, so that functions which take no requests of
// Slack can't read it.
func (d Deployed) slackSecret(key string) flow.SecretRef {
	return flow.SecretRef{Name: "slack", Path: d.Settings.AWS.SlackSecret, JSONKey: key}
}

func (d Deployed) signingSecret() flow.SecretRef {
	return flow.SecretRef{Name: "slack-signing-secret", Path: d.Settings.AWS.SlackSigningSecret}
}

// Slack connects to the workspace whose bot token is in the secret. It asks
// Slack for the workspace's id if the secret does not have it.
func (d Deployed) Slack(ctx context.Context) (Slack, error) {
	return d.slack(ctx, d.reachSlack(ctx))
}

// WaitingSlack is Slack for customers' handlers: see WaitingSlackHTTP.
func (d Deployed) WaitingSlack(ctx context.Context) (Slack, error) {
	return d.slack(ctx, d.WaitingSlackHTTP())
}

// SignedSlack is Slack for functions that take Slack's requests. It also
// returns the secret that they are signed with, which is read again every few
// minutes. Both secrets are read at the same time.
func (d Deployed) SignedSlack(ctx context.Context) (Slack, slackapp.Secret, error) {
	client := d.reachSlack(ctx)
	if err := d.Secrets.Prefetch(ctx, d.slackSecret("bot_token"), d.signingSecret()); err != nil {
		return Slack{}, nil, err
	}
	s, err := d.slack(ctx, client)
	return s, func(ctx context.Context) (string, error) {
		secret, err := d.Secrets.Value(ctx, d.signingSecret())
		return strings.TrimSpace(secret), err // people paste it with a line's end
	}, err
}

// reachSlack returns a client, and has it open a connection to Slack in the
// background, so that the first call, for which a person waits, need not.
func (d Deployed) reachSlack(ctx context.Context) *http.Client {
	client := SlackHTTP(d.Patience)
	url := cmp.Or(d.Settings.Slack.APIURL, slack.APIURL)
	go func() {
		request, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
		if err != nil {
			return // the first call reports it
		}
		if answer, err := client.Do(request); err == nil {
			answer.Body.Close()
		}
	}()
	return client
}

func (d Deployed) slack(ctx context.Context, client *http.Client) (Slack, error) {
	settings := d.Settings.Slack
	var err error
	if settings.BotToken, err = d.Secrets.Value(ctx, d.slackSecret("bot_token")); err != nil {
		return Slack{}, err
	}
	api := SlackAPI(settings, client)
	team, err := d.Secrets.Value(ctx, d.slackSecret("team_id"))
	if err != nil { // it may be left out
		if team, err = slackapp.Workspace(ctx, api); err != nil {
			return Slack{}, err
		}
	}
	return Slack{API: api, Directory: d.Directory(api, team)}, nil
}

// SlackDirectory returns the directory of the workspace. It connects when it is
// first asked, so that work which does not need Slack goes on without it.
func (d Deployed) SlackDirectory() workflow.Directory { return &lateDirectory{deployed: d} }

type lateDirectory struct {
	deployed Deployed

	mu        sync.Mutex
	connected *slackapp.Directory
}

func (l *lateDirectory) directory(ctx context.Context) (*slackapp.Directory, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connected == nil {
		s, err := l.deployed.Slack(ctx)
		if err != nil {
			return nil, &flow.Error{Code: flow.CodeLookup, Message: "Slack could not be asked who this is", Cause: fmt.Errorf("connect to Slack: %w", err)}
		}
		l.connected = s.Directory
	}
	return l.connected, nil
}

// User implements workflow.Directory.
func (l *lateDirectory) User(ctx context.Context, slackID string) (store.User, error) {
	d, err := l.directory(ctx)
	if err != nil {
		return store.User{}, err
	}
	return d.User(ctx, slackID)
}

// UserByEmail implements workflow.Directory.
func (l *lateDirectory) UserByEmail(ctx context.Context, email string) (store.User, error) {
	d, err := l.directory(ctx)
	if err != nil {
		return store.User{}, err
	}
	return d.UserByEmail(ctx, email)
}

// KnownByEmail implements workflow.Directory.
func (l *lateDirectory) KnownByEmail(ctx context.Context, email string) (store.User, error) {
	d, err := l.directory(ctx)
	if err != nil {
		return store.User{}, err
	}
	return d.KnownByEmail(ctx, email)
}

// Group implements workflow.Directory.
func (l *lateDirectory) Group(ctx context.Context, handle string) ([]store.User, error) {
	d, err := l.directory(ctx)
	if err != nil {
		return nil, err
	}
	return d.Group(ctx, handle)
}
