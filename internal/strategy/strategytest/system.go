package strategytest

import (
	"time"

	"github.com/symflows/symflows/internal/flow"
)

// Mood is how a fake system treats the calls that come next.
type Mood int

// The moods. Every fake has those up to Forgetful; the others belong to a
// [Case] each, which a subject may declare impossible.
const (
	Willing    Mood = iota // does what it is asked; what works on after its answer is done when it is looked at again
	Refusing               // says no, for a reason that stays
	Throttled              // asks to be left alone for Subject.Wait
	Broken                 // has a fault of its own (status 500)
	Mute                   // does not answer until the caller gives up
	Forgetful              // does what it is asked, but the answer is lost on the way
	Untimed                // throttles, and does not say for how long: ThrottledWithoutTime
	Slow                   // accepts what it is asked, and works on it until Worker.Finish: Pending, PendingFails
	Conflicted             // refuses the next change because of another one of the same thing, and is Willing then: ConcurrentEdit
	Stale                  // does what it is asked, and shows what was until the mood changes: StaleRead
	Expired                // takes no token that it gave out before now: ExpiredToken
	Inviting               // makes an invitation of what it is asked to grant: Invitation
)

// System is a fake of the system in which a strategy grants access. It keeps
// real state, speaks the system's own protocol, and behaves as badly as the
// system is documented to. The small interfaces below say what else a system
// can do: its fake implements those that its cases need.
type System interface {
	// SetMood holds for all calls from now on.
	SetMood(Mood)
	// Changes lists the calls that asked for a change, whether they succeeded
	// or not, in their order. Looking is not a change.
	Changes() []Change
	// Has tells whether the identity has the target's access now; of a type with
	// Values, whether it has any.
	Has(target flow.Target, identity string) bool
}

// Change is a call of the system as the system saw it.
type Change struct {
	Event    string // "escalate" or "deescalate"
	Identity string
	// Record is the audit record that came with it; nil for systems that have
	// protocols of their own.
	Record []byte
}

// Outsider is a System in which others than we give and take access, too. Of a type
// with Values, Give gives the one that the target asks for.
type Outsider interface {
	Give(target flow.Target, identity string)
	Take(target flow.Target, identity string)
}

// Worker is a System that goes on working after it has answered. Work that
// began while it was Slow or Forgetful is under way until Finish; any other is
// done when it is looked at for the first time.
type Worker interface {
	// Finish ends all work under way: with success if reason is "", else without
	// effect, as failed for that reason.
	Finish(reason string)
}

// Refuser is a System that counts the calls that it has refused for being
// Conflicted or because of an Expired token.
type Refuser interface {
	Refused() int
}

// Strayer is a System that can't be reached under its address, or signed in to. All
// over a [Front] are.
type Strayer interface {
	SetAstray(Astray)
	// Strayed counts the calls that were answered so since.
	Strayed() int
}

// Astray is how it can't.
type Astray int

// What has happened.
const (
	Found         Astray = iota
	AnotherServer        // which has nothing of the system's paths, is at its address
	NoAccount            // the one that signs in is not there any more, and its tokens are not taken
)

// words are what is said with 404: a vendor's, in the form that each of them has.
func (a Astray) words() string {
	if a == NoAccount {
		return `{"errorCode":"E0000007","errorSummary":"Not found","kind":"NotFound","message":"Not Found","error":"not_found","error_description":"not found"}`
	}
	return "<html>404 page not found</html>"
}

// Deleter is a System in which targets and people are deleted, while they have
// access or are accessible.
type Deleter interface {
	DeleteTarget(flow.Target)
	DeletePerson(identity string)
}

// Byway is a System in which there are other ways to a target's access than the
// one that the strategy grants.
type Byway interface {
	// GiveByway gives the identity the same access another way.
	GiveByway(target flow.Target, identity string)
}

// Inviter is a System that asks people whether they want what they are granted.
type Inviter interface {
	// Accept has the identity accept the invitation to the target.
	Accept(target flow.Target, identity string)
}

// Valuer is a System that keeps one value for each person and thing. One whose
// target's type has Values must be one: OneValue, Demotion.
type Valuer interface {
	// Value is the one that the identity has of the target's thing; "" if none. The
	// value that the target asks for plays no part.
	Value(target flow.Target, identity string) string
	// GiveValue has somebody else give the identity one, whatever it has.
	GiveValue(target flow.Target, identity, value string)
}

// Expirer is a System that ends access by itself. One whose target's type Expires
// must be one: Expiry.
type Expirer interface {
	// Until is when it ends the identity's access to the target; zero: it doesn't.
	Until(target flow.Target, identity string) time.Time
	// Now is the time that the system has.
	Now() time.Time
}

// Timed is an [Expirer] whose time a test may set, so that it ends access when that
// is due.
type Timed interface {
	// GoBy has the system go by a clock from now on.
	GoBy(now func() time.Time)
}
