package postgresfake

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	mechanism  = "SCRAM-SHA-256"
	iterations = 4096
)

// authenticate asks for a password by SCRAM (RFC 5802). False: it is another one.
// An error says that the client went away, or speaks otherwise.
func authenticate(b *pgproto3.Backend, password string) (bool, error) {
	b.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{mechanism}})
	if err := b.Flush(); err != nil {
		return false, err
	}
	if err := b.SetAuthType(pgproto3.AuthTypeSASL); err != nil {
		return false, err
	}
	m, err := b.Receive()
	if err != nil {
		return false, err
	}
	initial, ok := m.(*pgproto3.SASLInitialResponse)
	if !ok || initial.AuthMechanism != mechanism {
		return false, fmt.Errorf("%T is no SASL of %s", m, mechanism)
	}
	header, first, ok := cutHeader(string(initial.Data))
	if !ok {
		return false, fmt.Errorf("%q is no first message", initial.Data)
	}
	_, nonce, _ := strings.Cut(first, ",r=")
	nonce += base64.StdEncoding.EncodeToString(random(18))
	salt := random(16)
	challenge := fmt.Sprintf("r=%s,s=%s,i=%d", nonce, base64.StdEncoding.EncodeToString(salt), iterations)
	b.Send(&pgproto3.AuthenticationSASLContinue{Data: []byte(challenge)})
	if err := b.Flush(); err != nil {
		return false, err
	}
	if err := b.SetAuthType(pgproto3.AuthTypeSASLContinue); err != nil {
		return false, err
	}
	if m, err = b.Receive(); err != nil {
		return false, err
	}
	final, ok := m.(*pgproto3.SASLResponse)
	if !ok {
		return false, fmt.Errorf("%T is no answer to a challenge", m)
	}
	without, proof, _ := strings.Cut(string(final.Data), ",p=")
	if want := "c=" + base64.StdEncoding.EncodeToString([]byte(header)) + ",r=" + nonce; without != want {
		return false, fmt.Errorf("the client answers %q, want %q", without, want)
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return false, err
	}
	signed := first + "," + challenge + "," + without
	key := mac(salted, "Client Key")
	stored := sha256.Sum256(key)
	for i, x := range mac(stored[:], signed) {
		key[i] ^= x
	}
	if proof != base64.StdEncoding.EncodeToString(key) {
		return false, nil
	}
	b.Send(&pgproto3.AuthenticationSASLFinal{Data: []byte("v=" + base64.StdEncoding.EncodeToString(mac(mac(salted, "Server Key"), signed)))})
	return true, nil
}

// cutHeader takes the header of channel bindings off a first message.
func cutHeader(message string) (header, bare string, ok bool) {
	for _, header := range []string{"n,,", "y,,"} {
		if bare, ok := strings.CutPrefix(message, header); ok {
			return header, bare, true
		}
	}
	return "", "", false
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}
