package terminal

import (
	"errors"
	"fmt"

	"github.com/symflows/symflows/internal/client"
)

// The exit statuses. Each outcome has its own.
const (
	StatusRefused     = 1   // it could not be asked: the API refuses it, or can't be reached
	StatusUsage       = 2   // the command is not written right
	StatusDenied      = 3   // it was denied
	StatusExpired     = 4   // nobody decided in time
	StatusFailed      = 5   // it was approved, and can't be granted; or the access is over already
	StatusTimedOut    = 6   // no outcome within -timeout: it goes on
	StatusCancelled   = 7   // it was withdrawn
	StatusInterrupted = 130 // Ctrl-C: it goes on
)

const exitUsage = `
Exit status: 0 granted, or approved where there is nothing to grant; 1 refused by the
API, or not reached; 2 not written right; 3 denied; 4 expired; 5 failed; 6 timed out
(it goes on); 7 cancelled; 130 interrupted (it goes on).
`

// outcomes says with which status and words the outcomes end a command.
var outcomes = map[client.Outcome]struct {
	status int
	words  string
}{
	client.Denied:    {StatusDenied, "it was denied"},
	client.Expired:   {StatusExpired, "nobody decided in time"},
	client.Failed:    {StatusFailed, "it failed"},
	client.TimedOut:  {StatusTimedOut, "no outcome in time"},
	client.Cancelled: {StatusCancelled, "it was cancelled"},
}

// Exit is an error that ends a command with a status.
type Exit struct {
	Status  int
	Message string
}

func (e *Exit) Error() string   { return e.Message }
func (e *Exit) ExitStatus() int { return e.Status }

// ExitStatus is what a command ends with: 0 without an error, what an error says that has
// an ExitStatus, and 1 otherwise.
func ExitStatus(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[interface {
		error
		ExitStatus() int
	}](err); ok {
		return e.ExitStatus()
	}
	return StatusRefused
}

// wrong is the error of a command that is not written right.
func wrong(format string, args ...any) error {
	return &Exit{Status: StatusUsage, Message: fmt.Sprintf(format, args...)}
}
