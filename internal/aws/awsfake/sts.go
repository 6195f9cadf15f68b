package awsfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// STS is the service that lets roles be assumed.
type STS struct {
	fake *Fake

	mu       sync.Mutex
	roles    map[string]string // external ids, by ARN
	sessions map[string]*assumed
	keys     map[string]string // secrets of the own account's, by id
	issuing  bool              // identity tokens for others than AWS
}

// assumed is a session, by its access key.
type assumed struct {
	principal
	secret, token string
	until         time.Time
}

func newSTS(f *Fake) *STS {
	return &STS{fake: f, roles: map[string]string{}, sessions: map[string]*assumed{}, keys: map[string]string{ownKey: ownSecret}}
}

// AddRole makes a role that trusts the own account, if it names the external id;
// "": without one.
func (s *STS) AddRole(arn, externalID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[arn] = externalID
}

// AddKey makes another key of the own account.
func (s *STS) AddKey(id, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[id] = secret
}

// RemoveRole has it be assumed no more. Sessions end with it.
func (s *STS) RemoveRole(arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.roles, arn)
	for _, known := range s.sessions {
		if known.role == arn {
			known.until = time.Time{}
		}
	}
}

// Expire ends all sessions there are.
func (s *STS) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range s.sessions {
		known.until = time.Time{}
	}
}

func (s *STS) service() *service {
	return &service{
		protocol: awsQuery{"2011-06-15"},
		operations: []*operation{
			{name: "AssumeRole", do: s.assumeRole},
			{name: "GetCallerIdentity", do: s.getCallerIdentity},
			{name: "GetWebIdentityToken", do: s.getWebIdentityToken},
		},
		broken: &Fault{http.StatusInternalServerError, "InternalFailure", "The request processing has failed.", nil},
		denied: denied("sts"),
		throttled: func(time.Duration) *Fault {
			return &Fault{http.StatusBadRequest, "Throttling", "Rate exceeded", nil}
		},
	}
}

// denied is how the older services say that a caller has no right.
func denied(service string) func(*request) *Fault {
	return func(q *request) *Fault {
		return &Fault{http.StatusForbidden, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: %s:%s", q.who.arn(), service, q.op.name), nil}
	}
}

func (p principal) arn() string {
	if p.role == "" {
		return "arn:aws:iam::" + p.account + ":root"
	}
	return "arn:aws:sts::" + p.account + ":assumed-role/" + p.role[strings.LastIndex(p.role, "/")+1:] + "/" + p.session
}

func (s *STS) assumeRole(q *request) (any, error) {
	arn, name, external := q.form.Get("RoleArn"), q.form.Get("RoleSessionName"), q.form.Get("ExternalId")
	seconds, err := strconv.Atoi(q.form.Get("DurationSeconds"))
	if err != nil || seconds < 900 || seconds > 12*60*60 || name == "" {
		return nil, &Fault{http.StatusBadRequest, "ValidationError", "DurationSeconds or RoleSessionName", nil}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	want, ok := s.roles[arn]
	if !ok || want != external {
		return nil, &Fault{http.StatusForbidden, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", q.who.arn(), arn), nil}
	}
	policy, err := allowedBy(q.form.Get("Policy"))
	if err != nil {
		return nil, &Fault{http.StatusBadRequest, "MalformedPolicyDocument", err.Error(), nil}
	}
	n := len(s.sessions) + 1
	key := fmt.Sprintf("ASIA%016d", n)
	made := &assumed{
		principal: principal{account: strings.Split(arn, ":")[4], role: arn, session: name, policy: policy},
		secret:    fmt.Sprintf("secret-%d", n), token: fmt.Sprintf("token-%d", n), until: q.now.Add(time.Duration(seconds) * time.Second),
	}
	s.sessions[key] = made
	type credentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      time.Time
	}
	type user struct {
		Arn           string
		AssumedRoleID string `xml:"AssumedRoleId"`
	}
	return struct {
		Credentials     credentials
		AssumedRoleUser user
	}{credentials{key, made.secret, made.token, made.until}, user{made.arn(), fmt.Sprintf("AROA%d:%s", n, name)}}, nil
}

// allowedBy reads the actions that a session policy allows, on all resources.
func allowedBy(document string) ([]string, error) {
	if document == "" {
		return nil, nil
	}
	var policy struct {
		Version   string
		Statement []struct {
			Effect, Resource string
			Action           []string
		}
	}
	if err := json.Unmarshal([]byte(document), &policy); err != nil {
		return nil, err
	}
	allowed := []string{}
	for _, s := range policy.Statement {
		if s.Effect != "Allow" || s.Resource != "*" || policy.Version != "2012-10-17" {
			return nil, fmt.Errorf("this fake reads statements that allow actions on all resources, not %+v", s)
		}
		allowed = append(allowed, s.Action...)
	}
	return allowed, nil
}

func (s *STS) getCallerIdentity(q *request) (any, error) {
	return struct {
		Arn     string
		UserID  string `xml:"UserId"`
		Account string
	}{q.who.arn(), q.who.account, q.who.account}, nil
}

// signer says who signed a request, and for what. Its scope is there even with
// an error, where there is a signature at all.
func (s *STS) signer(r *http.Request, body []byte) (principal, scope, error) {
	m := signed.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return principal{}, scope{}, fmt.Errorf("%s %s is not signed", r.Method, r.URL.Path)
	}
	on, key, headers := scope{m[2], m[3]}, m[1], strings.Split(m[4], ";")
	now := s.fake.Now()
	s.mu.Lock()
	known, secret := s.sessions[key], s.keys[key]
	var session assumed
	if known != nil {
		session = *known
	}
	s.mu.Unlock()
	switch {
	case secret != "":
		return principal{account: Own}, on, check(r, body, aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, on, headers)
	case known == nil || session.token != r.Header.Get("X-Amz-Security-Token"):
		return principal{}, on, &Fault{http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.", nil}
	case !now.Before(session.until):
		return principal{}, on, &Fault{http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired", nil}
	}
	return session.principal, on, check(r, body, aws.Credentials{AccessKeyID: key, SecretAccessKey: session.secret, SessionToken: session.token}, on, headers)
}
