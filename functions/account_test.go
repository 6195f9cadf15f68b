package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jonboulle/clockwork"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/aws/awstest"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/deadline"
	"github.com/symflows/symflows/internal/lambdahost"
	"github.com/symflows/symflows/internal/runner/stepfn"
	"github.com/symflows/symflows/internal/slacksim"
	"github.com/symflows/symflows/internal/store/dynamo/dynamotest"
)

// The account is that of the examples in flows/.
const (
	region    = "us-east-1"
	accountID = "123456789012"
)

func arn(service, resource string) string {
	return "arn:aws:" + service + ":" + region + ":" + accountID + ":" + resource
}

// functionARN is that of a function of ours.
func functionARN(name string) string { return arn("lambda", "function:sym-flows-"+name) }

func secretARN(path string) string { return arn("secretsmanager", "secret:"+path+"-AbCdEf") }

// What the template names, and no call but those that AWS makes for a function.
var (
	tableARN           = arn("dynamodb", "table/"+dynamotest.TableName)
	streamARN          = tableARN + "/stream/2026-01-01T00:00:00.000"
	removalDeadLetters = arn("sqs", "sym-flows-dead-letters")
)

const (
	deadLetterBucket = "arn:aws:s3:::sym-flows-dead-letters"
	scheduleRole     = "arn:aws:iam::" + accountID + ":role/sym-flows-schedule"
)

func logGroupARN(function string) string {
	return arn("logs", "log-group:/aws/lambda/sym-flows-"+function+":*")
}

// What settings name, besides the table and the state machine.
const (
	scheduleGroup   = "sym-flows"
	auditStream     = "sym-flows"
	adminStream     = "sym-flows-admin"
	customersStream = "customers-audit"    // a log destination
	customersBucket = "customers-security" // another
	logQueue        = "https://sqs." + region + ".amazonaws.com/" + accountID + "/sym-flows-records.fifo"
	logDead         = "https://sqs." + region + ".amazonaws.com/" + accountID + "/sym-flows-dead-records.fifo"
	auditBucket     = "sym-flows-audit"
	logBucket       = "sym-flows-log"
	logKey          = "sym-flows/log-key"
	logOrigin       = "aws/" + region + "/" + accountID + "/sym-flows"
	grantLooks      = "https://sqs." + region + ".amazonaws.com/" + accountID + "/sym-flows-grant-looks"
	removalQueue    = "https://sqs." + region + ".amazonaws.com/" + accountID + "/sym-flows-removals"
	sweepQueue      = "https://sqs." + region + ".amazonaws.com/" + accountID + "/sym-flows-sweep"
	slackSecret     = "sym-flows/slack"
	signingSecret   = "sym-flows/slack-signing"
)

// account is an AWS account in which the product is deployed, with a workspace
// in Slack. All services are at one address, which functions find as AWS's own
// clients do, by AWS_ENDPOINT_URL; they are told apart by what requests are
// signed for, and functions by who signs.
//
//	Slack ─▶ gateway ─▶ slack ─▶ table ─▶ stream ─┬▶ notify ─▶ Slack
//	                                              └▶ relay ─▶ states ─▶ approval, access ─▶ customers' functions
//	                                                                                   └─▶ sdk ─▶ services ─▶ Slack
//
// Time is real: flows of tests have durations of a second or two. What a test
// waits for must not be over by the time it looks: that something was so is
// remembered where it does not stay so.
type account struct {
	t         testing.TB
	url       string // of AWS
	gateway   *httptest.Server
	table     *dynamotest.Server
	hosts     []*lambdahost.Host             // the last one takes what comes
	functions map[string]lambdahost.Function // by ARN
	slack     *slacksim.Sim
	clock     clockwork.Clock // of what AWS does after a while; functions have the machine's
	states    *interpreter
	machine   string          // ARN of the state machine
	asl       json.RawMessage // its definition
	closing   chan struct{}
	work      sync.WaitGroup
	turns     turns

	mu          sync.Mutex
	changed     chan struct{} // closed at each change, and replaced
	log         []logged
	invocations []invocation
	calls       []call
	faults      []*fault
	secrets     map[string]string                      // by path
	objects     map[string][]byte                      // of S3, by bucket and key
	markers     map[string]bool                        // of objects that were deleted, whose versions stay
	customers   map[string]customer                    // by ARN
	executions  map[string]*execution                  // by name
	schedules   map[string]scheduled                   // by name
	shipped     []events.AuditRecord                   // what Firehose took of runs,
	acts        []events.AdminRecord                   // and of administrators
	delivered   []string                               // what the log destination took
	configured  map[string]bool                        // rights that follow from the configuration of a test, besides the reviewed ones: function, action and resource, with "*" for anything
	beyond      map[string]service                     // services that customers have, by what requests to them are signed for
	queues      map[string]*queue                      // by URL
	stopped     map[string]bool                        // readers of queues and of the stream
	inMinute    bool                                   // what a rule calls each minute is at work
	deadLetters map[string][]json.RawMessage           // what was given up, by where it came from
	deployments map[string]chan cloudFormationResponse // by the path of their response URL
}

// logged is a line of a function's log.
type logged struct{ function, line string }

// invocation is a call of a function of ours, and what came of it.
type invocation struct {
	function        string
	payload, answer []byte
	failed          *failure
}

// failure is how a function fails, in the words of the Runtime API.
type failure struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

// service answers the calls of a service in JSON.
type service func(function, operation string, input []byte) (any, error)

// customer is a function of somebody else's.
type customer func(payload []byte) ([]byte, *failure)

// settings are what each function has to find.
func (a *account) settings() map[string]config.AWS {
	all := config.AWS{
		Table: dynamotest.TableName, StateMachine: a.machine, RemovalFunction: functionARN("removal"),
		ScheduleGroup: scheduleGroup, ScheduleRole: scheduleRole, ScheduleDeadLetters: removalDeadLetters,
		AuditStream: auditStream, AdminStream: adminStream, LogQueue: logQueue, LogBucket: logBucket, GrantLooks: grantLooks, RemovalQueue: removalQueue, SweepQueue: sweepQueue, SlackSecret: slackSecret, SlackSigningSecret: signingSecret,
		SDKFunction: functionARN("sdk"), ServicesFunction: functionARN("services"),
	}
	access := config.AWS{
		Table: all.Table, RemovalFunction: all.RemovalFunction, ScheduleGroup: all.ScheduleGroup,
		ScheduleRole: all.ScheduleRole, ScheduleDeadLetters: all.ScheduleDeadLetters, GrantLooks: all.GrantLooks, RemovalQueue: all.RemovalQueue,
		SDKFunction: all.SDKFunction, ServicesFunction: all.ServicesFunction,
	}
	return map[string]config.AWS{
		"slack":    {Table: all.Table, SlackSecret: all.SlackSecret, SlackSigningSecret: all.SlackSigningSecret, SDKFunction: all.SDKFunction, ServicesFunction: all.ServicesFunction, SlackFunction: functionARN("slack")},
		"api":      {Table: all.Table, SlackSecret: all.SlackSecret, LogBucket: all.LogBucket, SDKFunction: all.SDKFunction},
		"tokens":   {Table: all.Table},
		"config":   {Table: all.Table, SDKFunction: all.SDKFunction, Grants: "arn:aws:iam::*:role/sym/*,secret:/sym/*," + grantARN},
		"approval": {Table: all.Table, SlackSecret: all.SlackSecret, StateMachine: all.StateMachine, SDKFunction: all.SDKFunction, ServicesFunction: all.ServicesFunction},
		"access":   access, "removal": access,
		"relay": {
			Table: all.Table, StateMachine: all.StateMachine, RemovalFunction: all.RemovalFunction,
			LogQueue: all.LogQueue, ConfigFunction: functionARN("config"),
		},
		"transparency": {
			Table: all.Table, AuditStream: all.AuditStream, AdminStream: all.AdminStream,
			LogQueue: all.LogQueue, LogDeadLetters: logDead, LogBucket: all.LogBucket, LogLock: "locked", LogKey: logKey, LogOrigin: logOrigin,
		},
		"notify":   {Table: all.Table, SlackSecret: all.SlackSecret},
		"sweep":    {Table: all.Table, StateMachine: all.StateMachine, RemovalFunction: all.RemovalFunction, SweepQueue: all.SweepQueue, ConfigFunction: functionARN("config"), APIFunction: functionARN("api")},
		"publish":  {Table: all.Table, SDKFunction: all.SDKFunction},
		"sdk":      {},
		"services": {Table: all.Table, SlackSecret: all.SlackSecret},
		"standing": {Table: all.Table, SlackSecret: all.SlackSecret},
		"deliver":  {Table: all.Table, LogBucket: all.LogBucket},
		"drift":    {Table: all.Table},
		"report":   {Table: all.Table, AuditBucket: auditBucket, LogBucket: all.LogBucket},
	}
}

// open makes an account with nothing deployed but the functions. It ends with
// the test.
func open(t testing.TB) *account { return openApproving(t, "") }

// openApproving makes one in which a flow approves changes by the configuration API; "" for
// none.
func openApproving(t testing.TB, approving string) *account {
	t.Helper()
	a := &account{
		clock: clockwork.NewRealClock(),
		t:     t, table: dynamotest.Start(t), states: interpret(t), closing: make(chan struct{}), changed: make(chan struct{}),
		// The interpreter is shared: accounts are told apart by their machines.
		machine: arn("states", "stateMachine:"+uuid.NewString()),
		secrets: map[string]string{logKey: "x7Qm2vTzKp9RwYbN4sLdHcJgFaEuXi3o"}, objects: map[string][]byte{}, markers: map[string]bool{}, customers: map[string]customer{},
		executions: map[string]*execution{}, schedules: map[string]scheduled{}, queues: map[string]*queue{logQueue: {fifo: true}, logDead: {fifo: true}, grantLooks: {}, removalQueue: {}, sweepQueue: {}},
		stopped: map[string]bool{}, deadLetters: map[string][]json.RawMessage{}, deployments: map[string]chan cloudFormationResponse{},
	}
	var err error
	if a.asl, err = stepfn.Definition(map[string]string{"approval": functionARN("approval"), "access": functionARN("access")}); err != nil {
		t.Fatal(err)
	}
	aws := httptest.NewServer(a)
	t.Cleanup(aws.Close)
	a.url = aws.URL
	a.gateway = httptest.NewServer(http.HandlerFunc(a.serveGateway))
	t.Cleanup(a.gateway.Close)
	slackURL := a.openSlack()
	a.functions = map[string]lambdahost.Function{}
	for name, s := range a.settings() {
		env := map[string]string{}
		if name != pythonFunction {
			env = config.Settings{Org: "sym", LogFormat: "json", Patience: deadline.LastResort, ConfigApproval: approving, AWS: s}.Env()
		}
		env["AWS_ENDPOINT_URL"], env["AWS_REGION"] = a.url, region
		env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = keyOf(name), "secret of "+name
		env["AWS_EC2_METADATA_DISABLED"] = "true"
		if s.SlackSecret != "" {
			env["SLACK_API_URL"] = slackURL + "/api"
		}
		f := lambdahost.Function{Dir: scratch, Environment: env, Timeout: deadline.LastResort, MemoryMB: 1024}
		if name == pythonFunction {
			main, err := filepath.Abs(filepath.Join(pythonFunction, "main.py"))
			if err != nil {
				t.Fatal(err)
			}
			f.Python = &lambdahost.Python{File: main, Handler: "main.handler", Interpreter: "python3"}
		} else {
			f.Command, f.Handler = []string{bootstrap(t, folderOf(name))}, "bootstrap"
		}
		a.functions[functionARN(name)] = f
	}
	a.replaceFunctions()
	for _, reader := range streamReaders {
		a.follow(reader)
	}
	a.eachMinute("transparency", logQueue)
	a.receive(grantLooks, "access")
	a.receive(removalQueue, "removal")
	a.receive(sweepQueue, "sweep")
	t.Cleanup(a.close)
	return a
}

// replaceFunctions has new processes take what comes from now on, as after a
// deploy. What is under way goes on in the old ones, as in Lambda.
func (a *account) replaceFunctions() {
	a.t.Helper()
	host, err := lambdahost.Open(a.t.Context(), lambdahost.Options{
		Config: lambdahost.Config{Functions: a.functions}, Data: a.t.TempDir(), Log: slog.New(&logHandler{account: a}),
	})
	a.must(err)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hosts = append(a.hosts, host)
}

func (a *account) close() {
	close(a.closing)
	for _, host := range a.hosts {
		if err := host.Close(); err != nil {
			a.t.Error(err)
		}
	}
	a.work.Wait()
	if a.t.Failed() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, l := range a.log {
			a.t.Logf("%s: %s", l.function, l.line)
		}
		for _, i := range a.invocations {
			a.t.Logf("%s was invoked with %.300s: %.300s %v", i.function, i.payload, i.answer, i.failed)
		}
		for name, e := range a.executions {
			a.t.Logf("execution %s entered %v, over: %t %s", name, e.entered, e.over, e.failed)
		}
	}
}

// openSlack makes a workspace whose time stands still, so that a slow machine is
// never too slow for it, and gives its address.
func (a *account) openSlack() string {
	a.secrets[slackSecret] = `{"bot_token":"xoxb-` + marker("bot token") + `","team_id":"T0LOCAL"}`
	a.secrets[signingSecret] = marker("signing secret")
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	sim, err := slacksim.New(slacksim.Config{
		SigningSecret: marker("signing secret"), BotToken: "xoxb-" + marker("bot token"),
		AppURL: a.gateway.URL, BaseURL: url, Clock: clockwork.NewFakeClockAt(time.Now()),
	})
	if err != nil {
		a.t.Fatal(err)
	}
	server.Config.Handler = sim
	server.Start()
	a.t.Cleanup(server.Close)
	a.t.Cleanup(sim.Close)
	a.slack = sim
	return url
}

// marker is a secret that is easily found where it must not be.
func marker(of string) string { return "MARKER-" + strings.ReplaceAll(of, " ", "-") }

// keyOf is the access key that a function signs with.
func keyOf(function string) string { return "AKIA" + strings.ToUpper(function) }

// change tells everybody who waits that something is different. The caller
// holds the lock.
func (a *account) change() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// await waits until something is so; asked under the lock, after each change of
// the account.
func (a *account) await(what string, is func() bool) {
	a.t.Helper()
	ctx := deadline.Context(a.t)
	for {
		a.mu.Lock()
		changed, ok := a.changed, is()
		a.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			a.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// sees waits until somebody sees a text in Slack.
func (a *account) sees(who, text string) {
	a.t.Helper()
	if err := a.slack.As(who).Await(deadline.Context(a.t), text); err != nil {
		a.t.Fatal(err)
	}
}

// must fails the test.
func (a *account) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// invoke calls a function and waits for it.
func (a *account) invoke(arn string, payload []byte) ([]byte, *failure) {
	a.mu.Lock()
	theirs := a.customers[arn]
	a.mu.Unlock()
	if theirs != nil {
		return theirs(payload)
	}
	defer a.turn()()
	return a.process(arn, payload)
}

// process has a process of a function work.
func (a *account) process(arn string, payload []byte) ([]byte, *failure) {
	a.mu.Lock()
	host := a.hosts[len(a.hosts)-1]
	a.mu.Unlock()
	i := invocation{function: strings.TrimPrefix(arn, functionARN("")), payload: payload}
	answer, err := host.Invoke(a.t.Context(), arn, payload)
	i.answer = answer
	for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} { // of Lambda's own lines at least
		a.inItsName(i.function, action, logGroupARN(i.function))
	}
	if err != nil {
		i.failed = failureOf(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.invocations = append(a.invocations, i)
	a.change()
	return i.answer, i.failed
}

// failureOf names errors as Lambda does.
func failureOf(err error) *failure {
	if said, ok := errors.AsType[*lambdahost.Reported](err); ok {
		return &failure{said.Type, said.Message}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &failure{"Sandbox.Timedout", err.Error()}
	}
	return &failure{"Runtime.ExitError", err.Error()}
}

// call is what a function asks of a service.
type call struct {
	function string // "" is no function
	action   string // as policies name it
	resource string // ARN, or the like
	keys     []string
	input    []byte
}

// fault makes calls go wrong.
type fault struct {
	function, action string
	times            int
	after            int // so many calls that go well
	*awstest.Fault
}

// fail makes the next calls of a function go wrong: those of an action, such as
// "lambda:InvokeFunction", or with a blank and a resource behind it, of that
// alone. The error is one that is documented for the action.
func (a *account) fail(function, action string, times, status int, code string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, &fault{function, action, times, 0, &awstest.Fault{Status: status, Code: code, Message: "as the test has it"}})
}

// failAfter has a function end at its nth call of an action from now on: the call is
// refused for good, whoever tries it again.
func (a *account) failAfter(function, action string, nth int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, &fault{function, action, 1000, nth, &awstest.Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException", Message: "as the test has it"}})
}

// heal takes back all faults that have not happened yet.
func (a *account) heal() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = nil
}

// faultOf notes a call, and gives the fault that it has to suffer.
func (a *account) faultOf(c call) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, c)
	defer a.change()
	if may, err := permit(c); err != nil {
		return err
	} else if !may && !a.isConfigured(c) {
		a.t.Errorf("%s did what its role may not: %s on %s %v", c.function, c.action, c.resource, c.keys)
		return &awstest.Fault{Status: http.StatusBadRequest, Code: "AccessDeniedException", Message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %v", c.function, c.action, c.resource, c.keys)}
	}
	for _, f := range a.faults {
		if f.times > 0 && f.function == c.function && (f.action == c.action || f.action == c.action+" "+c.resource) {
			if f.after > 0 {
				f.after--
				continue
			}
			f.times--
			return f.Fault
		}
	}
	return nil
}

// isConfigured tells whether a call is within what the configuration of the test has,
// besides the reviewed rights.
func (a *account) isConfigured(c call) bool {
	for right := range a.configured {
		if glob(right).MatchString(c.function + " " + c.action + " " + c.resource) {
			return true
		}
	}
	return false
}

// count says how often a function asked for an action. The caller holds the lock.
func (a *account) count(function, action string) int {
	n := 0
	for _, c := range a.calls {
		if c.function == function && c.action == action {
			n++
		}
	}
	return n
}

// signedFor reads who signs a request, and for which service.
var signedFor = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/` + region + `/([a-z0-9-]+)/aws4_request`)

// ServeHTTP is AWS.
func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if answered, ok := a.deployment(r.URL.Path); ok { // its address says enough
		a.serveCloudFormation(w, body, answered)
		return
	}
	signed := signedFor.FindStringSubmatch(r.Header.Get("Authorization"))
	if signed == nil {
		http.Error(w, "missing authentication token", http.StatusForbidden)
		return
	}
	function := ""
	if i := slices.IndexFunc(deployed, func(name string) bool { return keyOf(name) == signed[1] }); i >= 0 {
		function = deployed[i]
	}
	switch signed[2] {
	case "dynamodb":
		a.serveDynamoDB(w, r, function, body)
	case "lambda":
		a.serveLambda(w, r, function, body)
	case "s3":
		a.serveS3(w, r, function, body)
	default:
		awstest.Service(func(operation string, input []byte) (any, error) {
			switch signed[2] {
			case "states":
				return a.serveStates(function, operation, input)
			case "scheduler":
				return a.serveScheduler(function, operation, input)
			case "firehose":
				return a.serveFirehose(function, operation, input)
			case "sqs":
				return a.serveSQS(function, operation, input)
			case "secretsmanager":
				return a.serveSecrets(function, operation, input)
			}
			if theirs := a.beyond[signed[2]]; theirs != nil {
				return theirs(function, operation, input)
			}
			return nil, unknown(signed[2] + " " + operation)
		}).ServeHTTP(w, r)
	}
}

func unknown(operation string) error {
	return &awstest.Fault{Status: http.StatusBadRequest, Code: "UnknownOperationException", Message: "the account of the tests has no " + operation}
}

// logHandler keeps what functions log.
type logHandler struct{ account *account }

func (h *logHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *logHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *logHandler) WithGroup(string) slog.Handler            { return h }

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	l := logged{line: r.Message}
	r.Attrs(func(attr slog.Attr) bool {
		switch attr.Key {
		case "function":
			l.function = strings.TrimPrefix(attr.Value.String(), "sym-flows-")
		case "type", "message", "stack":
			l.line += fmt.Sprintf(" %s=%s", attr.Key, attr.Value)
		}
		return true
	})
	h.account.mu.Lock()
	defer h.account.mu.Unlock()
	h.account.log = append(h.account.log, l)
	h.account.change()
	return nil
}
