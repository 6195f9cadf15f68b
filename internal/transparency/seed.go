package transparency

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/symflows/symflows/internal/flow"
)

// leastSecret is how many characters a secret has at least that a key is made from.
const leastSecret = 32

// KeysFrom gives the keys of the log with this origin from a secret, a key a line: either
// one that [Key.Secret] gave, or at least 32 random characters, from which the key is
// made, always the same one. So a secret manager can make the secret, and nobody need see
// the key. The first line is today's; others sign too. The error has flow.CodeInvalid, and
// says nothing of the secret.
func KeysFrom(secret, origin string) ([]Key, error) {
	var lines strings.Builder
	for line := range strings.Lines(secret) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "PRIVATE+KEY+"):
			lines.WriteString(line + "\n")
		case len(line) < leastSecret:
			return nil, flow.Errorf(flow.CodeInvalid, "a line of the secret of the log's key has less than %d characters: let the secret manager make a random one", leastSecret)
		default:
			seed, err := hkdf.Key(sha256.New, []byte(line), nil, "key of the transparency log "+origin, 32)
			if err != nil {
				return nil, err
			}
			public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
			fmt.Fprintf(&lines, "PRIVATE+KEY+%s+%08x+%s\n", origin, keyID(origin, typeEd25519, public), base64.StdEncoding.EncodeToString(append([]byte{typeEd25519}, seed...)))
		}
	}
	return ParseKeys(lines.String())
}
