package awsfake

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/symflows/symflows/internal/strategy/strategytest"
)

// Own is the account that we run in; its key is what [Fake.Config] signs with.
const Own = "123456789012"

// Region is where we run.
const Region = "us-east-1"

// Fake is AWS. Methods are safe for concurrent use.
type Fake struct {
	STS *STS
	IAM *IAM
	EKS *EKS
	KMS *KMS

	RDSData *RDSData

	IdentityCenter *IdentityCenter

	services map[string]*service // by the name that calls are signed for

	mu      sync.Mutex
	now     time.Time
	mood    strategytest.Mood
	wait    time.Duration
	behind  time.Duration
	faults  []*planned
	refused int
	calls   []Call
	changes []strategytest.Change
}

// Call is a call as it arrived, whether it was done or not.
type Call struct {
	Service   string // "iam"
	Operation string // "AddUserToGroup"
	Account   string // that of who signed it
	Region    string // that it was signed for
	Role      string // the ARN of the role that was assumed; "" for our own key
	Session   string // its name
}

// Fault is an error as AWS answers it.
type Fault struct {
	Status  int
	Code    string // "NoSuchEntity"
	Message string
	// Fields are further members of the error ("Reason").
	Fields map[string]any
}

func (f *Fault) Error() string { return f.Code + ": " + f.Message }

// planned is a fault that a test has ordered.
type planned struct {
	operation string
	times     int
	fault     Fault
	lost      bool
}

// New gives an AWS in which the own account has nothing yet.
func New() *Fake {
	f := &Fake{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	f.STS, f.IAM, f.EKS, f.KMS, f.IdentityCenter = newSTS(f), newIAM(f), newEKS(f), newKMS(), newIdentityCenter(f)
	f.RDSData = newRDSData()
	f.services = map[string]*service{
		"sts": f.STS.service(),
		"iam": f.IAM.service(),
		"eks": f.EKS.service(),
		"kms": f.KMS.service(),

		"rds-data": f.RDSData.service(),

		"sso":            f.IdentityCenter.admin(),
		"identitystore":  f.IdentityCenter.identityStore(),
		"account-access": f.IdentityCenter.accountAccess(),
	}
	return f
}

// Config configures clients of the own account. The fake is served until the
// test ends; what fails is not repeated.
func (f *Fake) Config(t testing.TB) aws.Config {
	t.Helper()
	return f.serve(t, f)
}

func (f *Fake) serve(t testing.TB, h http.Handler) aws.Config {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return aws.Config{
		BaseEndpoint: aws.String(server.URL), Region: Region, HTTPClient: server.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(ownKey, ownSecret, ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
}

// Now is the time that AWS has.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// Advance lets time pass.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// SetMood holds for all calls from now on, those of STS included. Some time passes
// before, so that what was done is older than what a stale read shows.
func (f *Fake) SetMood(m strategytest.Mood) {
	if m == strategytest.Expired {
		f.STS.Expire()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mood = m
	f.now = f.now.Add(2 * lag)
}

// lag is how far reads are behind in the mood Stale.
const lag = 30 * time.Second

// Refused counts the calls that were refused because of another change, or of a
// session that had expired.
func (f *Fake) Refused() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused
}

// AskToWait has AWS say how long to wait when it throttles; 0: it does not say.
func (f *Fake) AskToWait(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wait = d
}

// Stale has reads show what was there so long ago; 0: what is there now.
func (f *Fake) Stale(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behind = d
}

// Fail has the next calls of an operation fail, so many of them, before they do
// anything.
func (f *Fake) Fail(operation string, times int, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &planned{operation: operation, times: times, fault: fault})
}

// Lose has the next call of an operation be done, and its answer be lost.
func (f *Fake) Lose(operation string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &planned{operation: operation, times: 1, lost: true})
}

// Changes lists the calls that asked for a change, whether they were done or not.
func (f *Fake) Changes() []strategytest.Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.changes)
}

// Calls lists the calls of a service that arrived, in their order.
func (f *Fake) Calls(service string) []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.calls), func(c Call) bool { return c.Service != service })
}

// ServeHTTP answers a call.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	who, scope, err := f.STS.signer(r, body)
	s := f.services[scope.service]
	if s == nil {
		http.Error(w, fmt.Sprintf("no signature, or one for service %q, which is none of this fake: %v", scope.service, err), http.StatusForbidden)
		return
	}
	if err != nil {
		fault := asFault(err)
		if fault.Code == "ExpiredToken" {
			f.mu.Lock()
			f.refused++
			f.mu.Unlock()
		}
		s.protocol.fault(w, fault)
		return
	}
	q := &request{fake: f, http: r, who: who, region: scope.region}
	op, err := s.find(q, body)
	if err != nil {
		s.protocol.fault(w, asFault(err))
		return
	}
	mood, wait, plan := f.arrived(scope.service, op, q)
	switch {
	case plan != nil && !plan.lost:
		s.protocol.fault(w, &plan.fault)
		return
	case mood == strategytest.Refusing, !who.may(scope.service + ":" + op.name):
		s.protocol.fault(w, s.denied(q))
		return
	case mood == strategytest.Broken:
		s.protocol.fault(w, s.broken)
		return
	case mood == strategytest.Conflicted:
		s.protocol.fault(w, s.conflict)
		return
	case mood == strategytest.Throttled, mood == strategytest.Untimed:
		if wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)))
		}
		s.protocol.fault(w, s.throttled(wait))
		return
	case mood == strategytest.Mute:
		<-r.Context().Done()
		return
	}
	out, err := op.do(q)
	if mood == strategytest.Forgetful || plan != nil {
		panic(http.ErrAbortHandler) // the connection is cut
	}
	if err != nil {
		s.protocol.fault(w, asFault(err))
		return
	}
	s.protocol.answer(w, q, out)
}

// arrived takes note of a call, and says what the fake is to make of it.
func (f *Fake) arrived(service string, op *operation, q *request) (strategytest.Mood, time.Duration, *planned) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, Call{Service: service, Operation: op.name, Account: q.who.account, Region: q.region, Role: q.who.role, Session: q.who.session})
	if op.event != "" {
		f.changes = append(f.changes, strategytest.Change{Event: op.event, Identity: op.whose(q)})
	}
	q.now, q.behind, q.mood = f.now, f.behind, f.mood
	mood, wait := f.mood, f.wait
	switch mood {
	case strategytest.Stale:
		q.behind = lag
	case strategytest.Untimed:
		wait = 0
	case strategytest.Conflicted:
		if op.event == "" {
			mood = strategytest.Willing
			break
		}
		f.mood, f.refused = strategytest.Willing, f.refused+1
	}
	for i, p := range f.faults {
		if p.operation == op.name {
			if p.times--; p.times == 0 {
				f.faults = slices.Delete(f.faults, i, i+1)
			}
			return mood, wait, p
		}
	}
	return mood, wait, nil
}
