package flow

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/symflows/symflows/internal/pattern"
)

// namespaceDNS is RFC 4122's name space for domain names.
var namespaceDNS = [16]byte{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}

// uuid5 is RFC 4122's name-based UUID, version 5.
func uuid5(space [16]byte, name string) [16]byte {
	h := sha1.New()
	h.Write(space[:])
	h.Write([]byte(name))
	var u [16]byte
	copy(u[:], h.Sum(nil))
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return u
}

func format(u [16]byte) string {
	s := hex.EncodeToString(u[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// UserID is the id of a person or bot: the same for the same name in the same
// org, whatever the case of its letters. A person's name is the e-mail address.
func UserID(org, name string) string { return named(org, "user", name) }

// AgentID is the id of somebody's agent: under another owner it is another agent. It is
// nobody's id, and no bot's: their names have no blank.
func AgentID(org, name, owner string) string { return UserID(org, "agent "+name+" of "+owner) }

// TargetID is the id of a target of an org.
func TargetID(org, name string) string { return named(org, "target", name) }

// StrategyID is the id of a strategy of an org.
func StrategyID(org, name string) string { return named(org, "strategy", name) }

// EntityID is the id of a piece of configuration, by its kind and name: of a target
// and a strategy the one above. What else tells it apart from another of that name, its
// type or whatever made it, is in apart; "" for the first.
func EntityID(org, kind, name, apart string) string {
	if apart != "" {
		name += "/" + apart // names have no slash
	}
	return named(org, kind, name)
}

func named(org, kind, name string) string {
	space := uuid5(namespaceDNS, strings.ToLower(org))
	return format(uuid5(space, kind+":"+strings.ToLower(name)))
}

// NewRunID makes a random run id: a UUID ending in 0000, the place where the
// run's events carry their number.
func NewRunID() string {
	var u [16]byte
	rand.Read(u[:]) // never fails (crypto/rand)
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	u[14], u[15] = 0, 0
	return format(u)
}

// RunIDFrom makes the run id that belongs to a cause: a Slack trigger, or a
// token and its idempotency key. The same cause always gives the same run.
func RunIDFrom(org string, cause ...string) string {
	space := uuid5(namespaceDNS, strings.ToLower(org))
	u := uuid5(space, "run:"+strings.Join(cause, "\x00"))
	u[14], u[15] = 0, 0
	return format(u)
}

// EventID is the id of the n-th event of a run, n counting from 1 to ffff
// hexadecimal: far more than fit into MaxRunBytes.
func EventID(runID string, n int) string {
	return fmt.Sprintf("%s%04x", runID[:len(runID)-4], n)
}

// CallID is the id of what one event asks of one of several targets, each by the key
// of its entitlement: always the same, and no event's.
func CallID(eventID, key string) string {
	return format(uuid5(uuid5(namespaceDNS, "call:"+strings.ToLower(eventID)), key))
}

// RunOf gives the id of the run that an event belongs to.
func RunOf(eventID string) (string, error) {
	if !uuidPattern.MatchString(eventID) {
		return "", Errorf(CodeUnknownEvent, "%q is not an event id: it should be a UUID as the API returned it", Clip(eventID, 60))
	}
	return strings.ToLower(eventID[:len(eventID)-4]) + "0000", nil
}

// spoken are Crockford's digits of base 32: no letter looks or sounds like another,
// or like a digit (https://www.crockford.com/base32.html).
const spoken = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// shortBits is how much of a run's id its short id says: 40 bits, all of them random
// or from a hash. Among 100,000 runs, two have the same in one case of 200.
const shortBits = 40

// ShortID is how people call a run: eight letters and digits that can be said. It is
// how the run's id begins, so that it is there as soon as the run is, and finds it. What
// is no run's id is returned as it is.
func ShortID(runID string) string {
	if CheckRunID(runID) != nil {
		return runID
	}
	n, _ := strconv.ParseUint(strings.ReplaceAll(runID, "-", "")[:shortBits/4], 16, 64) // hexadecimal, as was just seen
	short := make([]byte, 0, shortBits/5+1)
	for shift := shortBits - 5; shift >= 0; shift -= 5 {
		if len(short) == 4 {
			short = append(short, '-')
		}
		short = append(short, spoken[n>>shift&31])
	}
	return string(short)
}

// OfShortID gives how the ids of the runs begin that have a short id, as it was
// typed: in letters of either case, with hyphens or none, I and L for 1 and O for 0.
// ok is false for what can be no short id.
func OfShortID(typed string) (prefix string, ok bool) {
	typed = strings.NewReplacer("-", "", " ", "", "I", "1", "L", "1", "O", "0").Replace(strings.ToUpper(typed))
	if len(typed) != shortBits/5 {
		return "", false
	}
	var n uint64
	for _, c := range typed {
		digit := strings.IndexRune(spoken, c)
		if digit < 0 {
			return "", false
		}
		n = n<<5 | uint64(digit)
	}
	begins := fmt.Sprintf("%0*x", shortBits/4, n)
	return begins[:8] + "-" + begins[8:], true
}

// CheckRunID says whether id can be a run's.
func CheckRunID(id string) error {
	if !uuidPattern.MatchString(id) || !strings.HasSuffix(id, "0000") {
		return Errorf(CodeUnknownRun, "%q is not a run id: it should be a UUID ending in 0000, as the API returned it", Clip(id, 60))
	}
	return nil
}

// IsUUID tells whether a text is a UUID in its usual form, in letters of either case.
func IsUUID(s string) bool { return uuidPattern.MatchString(s) }

var uuidPattern = pattern.Of(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
