package account

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
	"github.com/symflows/symflows/internal/strategy"
)

const (
	// lifetime is that of a session, the shortest there is: a call takes seconds.
	lifetime = 15 * time.Minute
	// early is how long before its end a session is renewed.
	early = time.Minute
	// someone names sessions of no run.
	someone = "sym"
)

// reading is the policy of sessions that only look. A session may do what both
// its role and this allow:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session.
// It says what may be read of the services that strategies are built for.
const reading = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` +
	`"iam:Get*","iam:List*",` +
	`"sso:Describe*","sso:Get*","sso:List*",` +
	`"identitystore:Describe*","identitystore:Get*","identitystore:IsMemberInGroups","identitystore:List*",` +
	`"account-access:Get*","account-access:List*",` +
	`"eks:Describe*","eks:List*",` +
	`"rds-data:ExecuteStatement","secretsmanager:GetSecretValue"` + // statements are all that there is to look by
	`],"Resource":"*"}]}`

var nameOfSession = pattern.Of(`^[A-Za-z0-9+=,.@_-]{2,64}$`)

func sessionName(runID string) string {
	if nameOfSession.MatchString(runID) {
		return runID
	}
	return someone
}

type key struct {
	role strategy.Role
	name string
}

// session is a role that is assumed under a name. Its lock is held while AWS is
// asked, so that calls at the same time ask once.
type session struct {
	accounts *Accounts
	key      key

	mu          sync.Mutex
	credentials aws.Credentials // the zero value: to be asked for
}

// session returns the one of a role under a name, and forgets those that are over.
func (a *Accounts) session(role strategy.Role, name string) *session {
	k := key{role, name}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s, ok := a.sessions[k]; ok {
		return s
	}
	for other, s := range a.sessions {
		if s.over() {
			delete(a.sessions, other)
		}
	}
	if a.sessions == nil {
		a.sessions = map[key]*session{}
	}
	s := &session{accounts: a, key: k}
	a.sessions[k] = s
	return s
}

// over tells whether nothing would be lost with the session. One that is in use
// is not over.
func (s *session) over() bool {
	if !s.mu.TryLock() {
		return false
	}
	defer s.mu.Unlock()
	return !s.fresh()
}

func (s *session) fresh() bool {
	return s.credentials.AccessKeyID != "" && s.accounts.Now().Before(s.credentials.Expires.Add(-early))
}

func (s *session) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credentials = aws.Credentials{}
}

// Retrieve implements aws.CredentialsProvider. Errors are those of [Failure],
// with what to do about a role that can't be assumed.
func (s *session) Retrieve(ctx context.Context) (aws.Credentials, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fresh() {
		return s.credentials, nil
	}
	in := &sts.AssumeRoleInput{
		RoleArn: &s.key.role.ARN, RoleSessionName: &s.key.name, DurationSeconds: aws.Int32(int32(lifetime / time.Second)),
	}
	if s.accounts.Looking {
		in.Policy = aws.String(reading)
	}
	if s.key.role.ExternalID != "" {
		in.ExternalId = &s.key.role.ExternalID
	}
	out, err := s.accounts.sts().AssumeRole(ctx, in)
	if err != nil {
		return aws.Credentials{}, s.failure(err)
	}
	c := out.Credentials
	if c == nil || aws.ToString(c.AccessKeyId) == "" {
		return aws.Credentials{}, flow.Errorf(flow.CodeUnavailable, "AWS assumed role %s without giving credentials", s.key.role.ARN)
	}
	s.credentials = aws.Credentials{
		AccessKeyID: aws.ToString(c.AccessKeyId), SecretAccessKey: aws.ToString(c.SecretAccessKey), SessionToken: aws.ToString(c.SessionToken),
		Source: "AssumeRole", CanExpire: true, Expires: s.accounts.Now().Add(lifetime),
	}
	if c.Expiration != nil {
		s.credentials.Expires = *c.Expiration
	}
	return s.credentials, nil
}

// sts is asked in our own region, by our own rights.
func (a *Accounts) sts() *sts.Client {
	cfg := a.AWS.Copy()
	if cfg.Retryer == nil {
		cfg.Retryer = patient
	}
	return sts.NewFromConfig(cfg)
}

func (s *session) failure(err error) error {
	if Code(err) != "AccessDenied" {
		return Failure(err)
	}
	trust := "that it is there, and that its trust names the role of the function that grants"
	if s.key.role.ExternalID != "" {
		trust += ", with the external id that the integration has"
	}
	return &flow.Error{
		Code:    flow.CodeStrategy,
		Message: "the role " + s.key.role.ARN + " can't be assumed any more: see " + trust,
		Cause:   err,
	}
}
