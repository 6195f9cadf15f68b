// Package config has the settings that functions are started with. They travel
// as environment variables: what starts a function writes them with Env,
// and the function reads them with Read.
package config

import (
	"fmt"
	"strings"
	"time"
)

// Settings are all settings of a deployment, secrets excluded except where
// this machine is the deployment.
type Settings struct {
	// URL is the address at which people reach us, for links to runs (SYM_URL); "" makes
	// none.
	URL string
	// Org is the first part of all resource names (SYM_ORG); "sym" unless set.
	Org string
	// ConfigApproval is the name of the flow that approves changes by the configuration API
	// (SYM_CONFIG_APPROVAL); "": they need no approval.
	ConfigApproval string
	// LogFormat is "text" or "json" (SYM_LOG_FORMAT); "text" unless set.
	LogFormat string
	// LogLevel is the least level that is logged: "debug", "info" or "warn"
	// (SYM_LOG_LEVEL); "info" unless set.
	LogLevel string
	// Patience is the least time for which any answer is waited for
	// (SYM_PATIENCE, such as "5m"). It is for machines that are slow without
	// anything being wrong, as those that run tests; unset, each wait has a bound
	// of its own.
	Patience time.Duration
	Slack    Slack
	AWS      AWS
}

// AWS is what functions in AWS have to find. Each has those settings only that
// its work needs.
type AWS struct {
	Table               string // SYM_TABLE: name of the DynamoDB table
	StateMachine        string // SYM_STATE_MACHINE: ARN of the request workflow
	ScheduleGroup       string // SYM_SCHEDULE_GROUP: name of the group of removal schedules
	ScheduleRole        string // SYM_SCHEDULE_ROLE: ARN of the role that Scheduler invokes the removal function with
	ScheduleDeadLetters string // SYM_SCHEDULE_DEAD_LETTERS: ARN of the queue of removals that Scheduler could not deliver
	RemovalFunction     string // SYM_REMOVAL_FUNCTION: ARN of the function that takes access away
	SDKFunction         string // SYM_SDK_FUNCTION: ARN of the function that runs Python handlers
	IsolatedFlows       string // SYM_ISOLATED_FLOWS: names of the flows whose handlers have a function of their own, with commas between them
	Grants              string // SYM_GRANTS: what the configuration API may have access granted by, as entity.ParseBounds reads it
	ConfigFunction      string // SYM_CONFIG_FUNCTION: ARN of the function that makes flows of what the configuration API stores
	APIFunction         string // SYM_API_FUNCTION: ARN of the function that asks for approval of changes of the configuration
	ServicesFunction    string // SYM_SERVICES_FUNCTION: ARN of the function that answers handlers while they run
	SlackFunction       string // SYM_SLACK_FUNCTION: ARN of the function that takes Slack's requests, for what it hands on to itself
	AuditStream         string // SYM_AUDIT_STREAM: name of the Firehose stream
	AdminStream         string // SYM_ADMIN_STREAM: name of the one for what administrators do
	AuditBucket         string // SYM_AUDIT_BUCKET: name of the bucket of the audit records, in which reports are kept, too
	LogQueue            string // SYM_LOG_QUEUE: URL of the queue of runs and items whose records go to the transparency log
	LogDeadLetters      string // SYM_LOG_DEAD_LETTERS: URL of the queue of those that can't be logged
	LogBucket           string // SYM_LOG_BUCKET: name of the bucket of the transparency log
	LogLock             string // SYM_LOG_LOCK: whether what is put there can't be deleted for a time: "locked", or nothing
	LogKey              string // SYM_LOG_KEY: ARN of the secret that the log is signed by; only what writes the log has it
	LogOrigin           string // SYM_LOG_ORIGIN: name of the log
	LogCheckpoints      string // SYM_LOG_CHECKPOINTS: s3://bucket/prefix, or channel of Slack, that is sent its hourly checkpoints
	GrantLooks          string // SYM_GRANT_LOOKS: URL of the queue of runs whose grant waits for its target
	RemovalQueue        string // SYM_REMOVAL_QUEUE: URL of the queue of runs whose removal, or start, is a while away, or waits for its target
	SweepQueue          string // SYM_SWEEP_QUEUE: URL of the queue of those that the sweep hands over early
	SlackSecret         string // SYM_SLACK_SECRET: ARN of the secret with bot_token and, to start faster, team_id, as JSON
	SlackSigningSecret  string // SYM_SLACK_SIGNING_SECRET: ARN of the secret that is the signing secret; only what takes Slack's requests has it
}

// Isolated lists IsolatedFlows.
func (a AWS) Isolated() []string {
	if a.IsolatedFlows == "" {
		return nil
	}
	return strings.Split(a.IsolatedFlows, ",")
}

// MetricNamespace holds the metrics that functions publish while there is something to
// count, for one that is not published costs nothing. They have one dimension, the
// name of the function that publishes them (AWS_LAMBDA_FUNCTION_NAME): deployments may
// share an account.
const (
	MetricNamespace = "SymFlows"
	MetricDimension = "FunctionName"
)

// What functions count. All of it is in their logs, once a minute or at each look.
const (
	// Metrics, each with an alarm of its own.
	MetricRemovalsOverdue  = "RemovalsOverdue"  // runs whose access should be gone since 90 s, and is not; by sweep
	MetricSlackUnreachable = "SlackUnreachable" // messages that Slack did not take, whatever their destination; by notify

	MetricEmergencies           = "Emergencies"           // access that was granted without approval; by approval
	MetricEmergenciesUnreviewed = "EmergenciesUnreviewed" // such access that nobody has reviewed a day after its end; by sweep

	// Of no consequence by themselves.
	CountRunsDriven   = "RunsDriven"   // runs that were due, and were driven; by sweep
	CountRunsFailed   = "RunsFailed"   // runs that were due, and could not be driven; by sweep
	CountDestinations = "Destinations" // log destinations that were looked at; by deliver
	CountHoldersAsked = "HoldersAsked" // people with live access whom Slack was asked about; by standing

	// Failures: see Failures.
	FailureDriftLingering    = "DriftLingering"    // access that was to be gone, as the last comparison with targets found; by drift
	FailureNotLogged         = "NotLogged"         // records that can't be logged, and wait to be looked at; by transparency
	FailureDestinationDown   = "DestinationDown"   // log destinations that have taken nothing for a while; by deliver
	FailureDestinationBehind = "DestinationBehind" // log destinations that take less than is logged; by deliver
	FailureHoldersHeld       = "HoldersHeld"       // people who hold access, of whom so many were deactivated at once that somebody has to confirm it; by standing
	FailureErrorChannelLost  = "ErrorChannelLost"  // messages to error channels that can't be delivered; by notify

	// Hitches: see Hitches.
	HitchThrottled   = "Throttled"   // a call that a service of AWS refused, because there were too many; by whoever made it
	HitchLooksMissed = "LooksMissed" // runs whose target was not looked at when it was time; by sweep
)

// Metrics are the counts that are published.
var Metrics = []string{MetricRemovalsOverdue, MetricSlackUnreachable, MetricEmergencies, MetricEmergenciesUnreviewed}

// Failures are the counts that call somebody by one alarm together, and what the log says
// of them: what is wrong, and where to look.
var Failures = map[string]string{
	FailureDriftLingering:    "A target shows access that was to be gone, and that no request holds. It is being taken away; GET /drift, or the error channel, says whose and where",
	FailureNotLogged:         "Audit records can't be written to the transparency log, and wait in the queue LogDeadLetters: the log of transparency says what is wrong with them. Repair the cause and redrive the queue",
	FailureDestinationDown:   "A log destination takes no audit records. They are kept, and sent when it takes them again; nothing else waits. The error channel and the log of deliver say which, and why",
	FailureDestinationBehind: "A log destination takes audit records more slowly than they are logged, and is 10,000 behind: the log of deliver says which. Have it take more at once, or give it fewer by its flows and events",
	FailureHoldersHeld:       "Many who hold access were deactivated in Slack at once, so that none of it is ended: the error channel has their ids. If it is right, invoke standing with {\"confirm\": true}",
	FailureErrorChannelLost:  "An error channel can't be told of a failure: it was renamed or archived, or the bot is not in it. The log of notify has the channel, and what it was to be told",
}

// Hitches are the counts of what passes most of the time: one calls nobody, and some within
// five minutes do, by the alarm of failures. Their texts are like those of failures.
var Hitches = map[string]string{
	HitchThrottled:   "AWS refuses calls of ours because there are too many at once: see what is said of which service, and the quotas of the account. They are tried again, and what they are for comes later",
	HitchLooksMissed: "Targets that need time were not looked at when it was time: access or removal does not take the messages of its queue. The sweep looks instead, a minute later. See whether their event source mappings are enabled, and their logs",
}

// FailureKey and HitchKey are where a line of the log says which failure, or which hitch, it
// is of.
const (
	FailureKey = "failure"
	HitchKey   = "hitch"
)

// Slack is how to reach a workspace. All empty: there is none, and local mode
// simulates one.
type Slack struct {
	AppToken      string // SLACK_APP_TOKEN: Socket Mode
	BotToken      string // SLACK_BOT_TOKEN
	SigningSecret string // SLACK_SIGNING_SECRET: HTTP
	APIURL        string // SLACK_API_URL: instead of Slack's own
	Command       string // SLACK_COMMAND: what people type, if that is not /sym
}

// Mode is a way to a workspace.
type Mode string

// The ways, in the order in which they are tried.
const (
	SocketMode Mode = "socket"    // app token and bot token
	HTTPMode   Mode = "http"      // bot token and signing secret
	Simulated  Mode = "simulated" // nothing is set
)

// Mode says which way the settings lead. Settings that lead half-way are an
// error that says what is missing.
func (s Slack) Mode() (Mode, error) {
	switch {
	case s.AppToken != "" && s.BotToken != "":
		return SocketMode, nil
	case s.BotToken != "" && s.SigningSecret != "":
		return HTTPMode, nil
	case s.AppToken != "":
		return "", fmt.Errorf("SLACK_APP_TOKEN is set and SLACK_BOT_TOKEN is missing: set both for Socket Mode, or neither for the simulated Slack")
	case s.BotToken != "":
		return "", fmt.Errorf("SLACK_BOT_TOKEN is set alone: add SLACK_APP_TOKEN for Socket Mode or SLACK_SIGNING_SECRET for HTTP, or unset it for the simulated Slack")
	case s.SigningSecret != "":
		return "", fmt.Errorf("SLACK_SIGNING_SECRET is set and SLACK_BOT_TOKEN is missing: set both for HTTP, or neither for the simulated Slack")
	case s.APIURL != "":
		return "", fmt.Errorf("SLACK_API_URL is set without a token: set SLACK_BOT_TOKEN too, or unset it for the simulated Slack")
	}
	return Simulated, nil
}

const patience = "SYM_PATIENCE"

// variables pairs each variable that is a text with its place in the settings.
func (s *Settings) variables() map[string]*string {
	return map[string]*string{
		"SYM_ORG":              &s.Org,
		"SYM_URL":              &s.URL,
		"SYM_CONFIG_APPROVAL":  &s.ConfigApproval,
		"SYM_LOG_FORMAT":       &s.LogFormat,
		"SYM_LOG_LEVEL":        &s.LogLevel,
		"SLACK_APP_TOKEN":      &s.Slack.AppToken,
		"SLACK_BOT_TOKEN":      &s.Slack.BotToken,
		"SLACK_SIGNING_SECRET": &s.Slack.SigningSecret,
		"SLACK_API_URL":        &s.Slack.APIURL,
		"SLACK_COMMAND":        &s.Slack.Command,

		"SYM_TABLE":                 &s.AWS.Table,
		"SYM_STATE_MACHINE":         &s.AWS.StateMachine,
		"SYM_SCHEDULE_GROUP":        &s.AWS.ScheduleGroup,
		"SYM_SCHEDULE_ROLE":         &s.AWS.ScheduleRole,
		"SYM_SCHEDULE_DEAD_LETTERS": &s.AWS.ScheduleDeadLetters,
		"SYM_REMOVAL_FUNCTION":      &s.AWS.RemovalFunction,
		"SYM_SDK_FUNCTION":          &s.AWS.SDKFunction,
		"SYM_ISOLATED_FLOWS":        &s.AWS.IsolatedFlows,
		"SYM_GRANTS":                &s.AWS.Grants,
		"SYM_CONFIG_FUNCTION":       &s.AWS.ConfigFunction,
		"SYM_API_FUNCTION":          &s.AWS.APIFunction,
		"SYM_SERVICES_FUNCTION":     &s.AWS.ServicesFunction,
		"SYM_SLACK_FUNCTION":        &s.AWS.SlackFunction,
		"SYM_AUDIT_STREAM":          &s.AWS.AuditStream,
		"SYM_AUDIT_BUCKET":          &s.AWS.AuditBucket,
		"SYM_ADMIN_STREAM":          &s.AWS.AdminStream,
		"SYM_LOG_QUEUE":             &s.AWS.LogQueue,
		"SYM_LOG_DEAD_LETTERS":      &s.AWS.LogDeadLetters,
		"SYM_LOG_BUCKET":            &s.AWS.LogBucket,
		"SYM_LOG_LOCK":              &s.AWS.LogLock,
		"SYM_LOG_KEY":               &s.AWS.LogKey,
		"SYM_LOG_ORIGIN":            &s.AWS.LogOrigin,
		"SYM_LOG_CHECKPOINTS":       &s.AWS.LogCheckpoints,
		"SYM_GRANT_LOOKS":           &s.AWS.GrantLooks,
		"SYM_REMOVAL_QUEUE":         &s.AWS.RemovalQueue,
		"SYM_SWEEP_QUEUE":           &s.AWS.SweepQueue,
		"SYM_SLACK_SECRET":          &s.AWS.SlackSecret,
		"SYM_SLACK_SIGNING_SECRET":  &s.AWS.SlackSigningSecret,
	}
}

// Read takes the settings from an environment, and fills in what is not set.
func Read(getenv func(string) string) (Settings, error) {
	var s Settings
	for name, place := range s.variables() {
		*place = strings.TrimSpace(getenv(name))
	}
	if given := strings.TrimSpace(getenv(patience)); given != "" {
		var err error
		if s.Patience, err = time.ParseDuration(given); err != nil || s.Patience < 0 {
			return s, fmt.Errorf("%s is %q: write a duration such as 5m, or leave it unset", patience, given)
		}
	}
	if s.Org == "" {
		s.Org = "sym"
	}
	switch s.LogFormat {
	case "":
		s.LogFormat = "text"
	case "text", "json":
	default:
		return s, fmt.Errorf("SYM_LOG_FORMAT is %q: write text or json", s.LogFormat)
	}
	switch s.LogLevel {
	case "", "debug", "info", "warn":
	default:
		return s, fmt.Errorf("SYM_LOG_LEVEL is %q: write debug, info or warn", s.LogLevel)
	}
	if s.AWS.SlackSecret != "" {
		return s, nil // the tokens are in it
	}
	_, err := s.Slack.Mode()
	return s, err
}

// Env writes the settings as variables; those without a value are left out.
func (s Settings) Env() map[string]string {
	env := map[string]string{}
	for name, place := range s.variables() {
		if *place != "" {
			env[name] = *place
		}
	}
	if s.Patience != 0 {
		env[patience] = s.Patience.String()
	}
	return env
}
