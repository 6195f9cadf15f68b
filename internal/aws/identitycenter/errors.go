package identitycenter

import (
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	sso "github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/smithy-go"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/flow"
)

// conflictPause is how long a change waits for an earlier one to spread.
const conflictPause = 10 * time.Second

// Failure says what an error of Identity Center, or of its identity store, means
// to people and to the workflow; see [account.Failure]. nil stays nil.
func Failure(err error) error {
	if throttled, ok := errors.AsType[*types.ThrottlingException](err); ok && throttled.RetryAfterSeconds > 0 {
		return account.Throttled(time.Duration(throttled.RetryAfterSeconds)*time.Second, err)
	}
	if faulty, ok := errors.AsType[*types.InternalServerException](err); ok && faulty.RetryAfterSeconds > 0 {
		return &flow.RateLimited{After: min(time.Duration(faulty.RetryAfterSeconds)*time.Second, flow.MaxRetryAfter), Cause: account.Failure(err)}
	}
	switch account.Code(err) {
	case "ConflictException":
		return &flow.RateLimited{After: conflictPause, Cause: &flow.Error{
			Code: flow.CodeUnavailable, Message: "Identity Center is still busy with an earlier change: it is tried again", Cause: err,
		}}
	case "ServiceQuotaExceededException", "ValidationException", "ResourceNotFoundException":
		return &flow.Error{Code: flow.CodeStrategy, Message: "Identity Center refuses: " + Said(err), Cause: err}
	}
	return account.Failure(err)
}

// Said is what AWS says of an error, for people.
func Said(err error) string {
	if said, ok := errors.AsType[smithy.APIError](err); ok && said.ErrorMessage() != "" {
		return flow.Clip(said.ErrorMessage(), 300)
	}
	return account.Code(err)
}

// Gone tells whether AWS does not find what a call of Identity Center named. It
// also says so of the key that encrypts the instance: that is another matter.
func Gone(err error) bool {
	missing, ok := errors.AsType[*sso.ResourceNotFoundException](err)
	return ok && missing.Reason == ""
}
