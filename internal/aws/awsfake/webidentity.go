package awsfake

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Issuer is who signs the identity tokens of the own account.
const Issuer = "https://1f0c2a52-3f68-4f7e-9b1d-6a5d3c2b1a00.tokens.sts.global.api.aws"

// signingKey is the issuer's. Making one takes a while.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// FederateOutbound switches on that AWS gives out identity tokens for others, as
// iam:EnableOutboundWebIdentityFederation does. Without it, none are given.
func (s *STS) FederateOutbound() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issuing = true
}

// claims are those of an identity token that others look at.
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ID       string `json:"jti"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

func (s *STS) getWebIdentityToken(q *request) (any, error) {
	invalid := func(what string) error {
		return &Fault{http.StatusBadRequest, "ValidationError", what + " is not as it must be", nil}
	}
	for name := range q.form {
		if !slices.Contains([]string{"Action", "Version", "SigningAlgorithm", "DurationSeconds", "Audience.member.1"}, name) {
			return nil, invalid(name) // tags take another right; this fake has one audience
		}
	}
	audience, algorithm := q.form.Get("Audience.member.1"), q.form.Get("SigningAlgorithm")
	seconds, err := strconv.Atoi(q.form.Get("DurationSeconds"))
	switch {
	case audience == "" || len(audience) > 1000:
		return nil, invalid("Audience")
	case algorithm != "RS256": // ES384 is AWS's other one, which not all vendors take
		return nil, invalid("SigningAlgorithm")
	case err != nil || seconds < 60 || seconds > 3600:
		return nil, invalid("DurationSeconds")
	}
	s.mu.Lock()
	issuing := s.issuing
	s.mu.Unlock()
	if !issuing {
		return nil, &Fault{http.StatusForbidden, "OutboundWebIdentityFederationDisabledException", "Outbound web identity federation is disabled for this account.", nil}
	}
	subject := q.who.role // a token speaks of the role, not of its session
	if subject == "" {
		subject = q.who.arn()
	}
	until := q.now.Add(time.Duration(seconds) * time.Second).Truncate(time.Second)
	id := make([]byte, 16)
	rand.Read(id)
	text, err := signToken(claims{Issuer, subject, audience, fmt.Sprintf("%x", id), q.now.Unix(), until.Unix()})
	if err != nil {
		return nil, err
	}
	return struct {
		WebIdentityToken string
		Expiration       time.Time
	}{text, until}, nil
}

func signToken(c claims) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"kid":"RSA_0","typ":"JWT","alg":"RS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, signingKey(), crypto.SHA256, sum[:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// Trusted is what a vendor makes of an identity token that is to be for it, having
// read the issuer's keys: the ARN of who it speaks of. The error says what is wrong
// with it.
func (s *STS) Trusted(token, audience string) (subject string, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("no JSON Web Token")
	}
	var raw [3][]byte
	for i, part := range parts {
		if raw[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return "", err
		}
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&signingKey().PublicKey, crypto.SHA256, sum[:], raw[2]); err != nil {
		return "", err
	}
	var c claims
	if err := json.Unmarshal(raw[1], &c); err != nil {
		return "", err
	}
	switch now := s.fake.Now().Unix(); {
	case c.Issuer != Issuer:
		return "", fmt.Errorf("issued by %s", c.Issuer)
	case c.Audience != audience:
		return "", fmt.Errorf("for %s, not for %s", c.Audience, audience)
	case now < c.Issued || now >= c.Expires:
		return "", fmt.Errorf("good from %d to %d, and it is %d", c.Issued, c.Expires, now)
	}
	return c.Subject, nil
}
