package transparency

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/symflows/symflows/internal/flow"
)

// Key signs checkpoints. Its name is the log's origin.
type Key struct {
	name    string
	private ed25519.PrivateKey
	text    string
}

// Signature types of c2sp.org/signed-note.
const (
	typeEd25519     = 0x01
	typeCosignature = 0x04
)

// NewKey makes a key for the log with this origin: the name of the log without
// spaces and plus signs, such as "audit.example.com/sym". Randomness is read from
// random.
func NewKey(random io.Reader, origin string) (Key, error) {
	text, _, err := note.GenerateKey(random, origin)
	if err != nil {
		return Key{}, fmt.Errorf("make a key for the log %s: %w", origin, err)
	}
	return ParseKey(text)
}

// ParseKey reads what [Key.Secret] gives. The error has flow.CodeInvalid, and says
// nothing of the text.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if _, err := note.NewSigner(text); err != nil {
		return Key{}, flow.Errorf(flow.CodeInvalid, "the log's key can't be read: it begins with PRIVATE+KEY+ and is one line")
	}
	parts := strings.SplitN(text, "+", 5) // PRIVATE, KEY, name, id, type and seed
	raw, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return Key{}, flow.Errorf(flow.CodeInvalid, "the log's key is not of Ed25519")
	}
	return Key{name: parts[2], private: ed25519.NewKeyFromSeed(raw[1:]), text: text}, nil
}

// ParseKeys reads keys of the same log, one a line. The first one is today's; others
// sign too, so that whoever knows only them can follow.
func ParseKeys(text string) (keys []Key, err error) {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		k, err := ParseKey(line)
		if err != nil {
			return nil, err
		}
		if len(keys) > 0 && keys[0].name != k.name {
			return nil, flow.Errorf(flow.CodeInvalid, "the log's keys are of different logs, %s and %s: keys of one log have its name", keys[0].name, k.name)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, flow.Errorf(flow.CodeInvalid, "there is no key of the log")
	}
	return keys, nil
}

// Origin is the name of the log.
func (k Key) Origin() string { return k.name }

// Secret gives the key as text, which whoever has it can sign with.
func (k Key) Secret() string { return k.text }

// Public gives the public key as text, for those who verify: a verifier key of
// c2sp.org/signed-note.
func (k Key) Public() string {
	public := k.private.Public().(ed25519.PublicKey)
	text, err := note.NewEd25519VerifierKey(k.name, public)
	if err != nil {
		panic(err) // the length of the key is right
	}
	return text
}

// keyID is the id of a key in a signature line.
func keyID(name string, kind byte, public ed25519.PublicKey) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"+string([]byte{kind})), public...))
	return binary.BigEndian.Uint32(sum[:])
}

// timed signs a checkpoint with the time, as a cosigner does.
type timed struct {
	key Key
	at  time.Time
}

func (s timed) Name() string { return s.key.name }

func (s timed) KeyHash() uint32 {
	return keyID(s.key.name, typeCosignature, s.key.private.Public().(ed25519.PublicKey))
}

func (s timed) Sign(text []byte) ([]byte, error) {
	signature := binary.BigEndian.AppendUint64(nil, uint64(s.at.Unix()))
	return append(signature, ed25519.Sign(s.key.private, timedText(s.at.Unix(), text))...), nil
}

func timedText(unix int64, text []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatInt(unix, 10)+"\n"), text...)
}

// timedVerifier verifies what timed signs.
type timedVerifier struct {
	name   string
	public ed25519.PublicKey
}

func (v timedVerifier) Name() string    { return v.name }
func (v timedVerifier) KeyHash() uint32 { return keyID(v.name, typeCosignature, v.public) }
func (v timedVerifier) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	return ed25519.Verify(v.public, timedText(int64(binary.BigEndian.Uint64(signature)), text), signature[8:])
}

// Checkpoint is a signed statement of the log: at this time it had this many
// records, with this root.
type Checkpoint struct {
	Origin string
	Tree   tlog.Tree
	At     time.Time // to the second
	// Keys are the public keys whose signatures it carries, of those it was opened with.
	Keys []string
	Text []byte // the signed note
}

// Sign makes the checkpoint of a tree, signed by all keys of the log. There must be
// one at least.
func Sign(tree tlog.Tree, at time.Time, keys []Key) ([]byte, error) {
	var signers []note.Signer
	for _, k := range keys {
		plain, err := note.NewSigner(k.text)
		if err != nil {
			return nil, err
		}
		signers = append(signers, plain, timed{k, at})
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", keys[0].name, tree.N, tree.Hash)
	return note.Sign(&note.Note{Text: text}, signers...)
}

// Open verifies a checkpoint with public keys of the log, of which one must have
// signed it, and reads it. The error has flow.CodeInvalid for keys that are none, and
// flow.CodeTampered for a checkpoint that none of them signed.
func Open(text []byte, public ...string) (Checkpoint, error) {
	verifiers := map[string][]note.Verifier{} // by public key
	var all []note.Verifier
	for _, p := range public {
		p = strings.TrimSpace(p)
		plain, err := note.NewVerifier(p)
		if err != nil {
			return Checkpoint{}, flow.Errorf(flow.CodeInvalid, "%q is no public key of a log: one has the log's name, an id and the key, with + between them", p)
		}
		raw, err := base64.StdEncoding.DecodeString(strings.SplitN(p, "+", 3)[2]) // name, id, type and key
		if err != nil || len(raw) != 1+ed25519.PublicKeySize {
			return Checkpoint{}, flow.Errorf(flow.CodeInvalid, "%q is no public key of Ed25519", p)
		}
		if _, known := verifiers[p]; known {
			continue
		}
		verifiers[p] = []note.Verifier{plain, timedVerifier{plain.Name(), raw[1:]}}
		all = append(all, verifiers[p]...)
	}
	bad := func(why string) (Checkpoint, error) {
		return Checkpoint{}, flow.Errorf(flow.CodeTampered, "the checkpoint is not what the log signed: %s", why)
	}
	n, err := note.Open(text, note.VerifierList(all...))
	if err != nil {
		var unsigned *note.UnverifiedNoteError
		if errors.As(err, &unsigned) {
			return bad("none of the given keys has signed it")
		}
		return bad(err.Error())
	}
	c := Checkpoint{Text: text}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 {
		return bad("it has less than three lines")
	}
	c.Origin = lines[0]
	if c.Tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Tree.N < 0 || strconv.FormatInt(c.Tree.N, 10) != lines[1] {
		return bad("its second line is no size")
	}
	if c.Tree.Hash, err = tlog.ParseHash(lines[2]); err != nil {
		return bad("its third line is no root")
	}
	for p, two := range verifiers {
		for _, s := range n.Sigs {
			if s.Name != two[0].Name() || s.Name != c.Origin {
				continue
			}
			switch s.Hash {
			case two[0].KeyHash():
				c.Keys = append(c.Keys, p)
			case two[1].KeyHash():
				raw, err := base64.StdEncoding.DecodeString(s.Base64)
				if err != nil || len(raw) < 12 {
					return bad("its signature of the time can't be read")
				}
				if at := time.Unix(int64(binary.BigEndian.Uint64(raw[4:])), 0).UTC(); at.After(c.At) {
					c.At = at
				}
			}
		}
	}
	if len(c.Keys) == 0 || c.At.IsZero() {
		return bad("it needs a signature of its text and one of the time, by the same key, which has the log's name")
	}
	return c, nil
}
