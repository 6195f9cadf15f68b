package account

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/symflows/symflows/internal/flow"
)

// Code gives the code of AWS's answer, as the service's documentation has it
// ("NoSuchEntity"), and "" for an error that is none.
func Code(err error) string {
	if said, ok := errors.AsType[smithy.APIError](err); ok {
		return said.ErrorCode()
	}
	return ""
}

// Failure says what an error of AWS's SDK means to people and to the workflow.
// Errors of package flow in its chain, those of a limiter or of a role that can't
// be assumed, stay what they are. What it does not know is no detail for people:
// it has no code. nil stays nil.
func Failure(err error) error {
	if err == nil {
		return nil
	}
	if limited, ok := errors.AsType[*flow.RateLimited](err); ok {
		return limited
	}
	if said, ok := errors.AsType[*flow.Error](err); ok {
		return said
	}
	unavailable := func(message string) error {
		return &flow.Error{Code: flow.CodeUnavailable, Message: message, Cause: err}
	}
	code := Code(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), isCanceled(err):
		return unavailable(service(err) + " did not answer in time")
	case throttled(err):
		return Throttled(retryAfter(err), err)
	case strings.HasPrefix(code, "AccessDenied"), code == "UnauthorizedOperation", code == "NotAuthorized":
		return &flow.Error{Code: flow.CodeStrategy, Message: "AWS does not allow " + action(err) + ": give the role that is used the rights that the guide lists", Cause: err}
	case expired(err):
		return unavailable("the session at AWS has expired: a new one is made")
	case unknownKey[code]:
		return &flow.Error{Code: flow.CodeStrategy, Message: "AWS does not accept the credentials of " + action(err) + ": they are unknown or of no use in this region", Cause: err}
	case cut(err):
		return unavailable(service(err) + " could not be reached")
	case status(err) >= 500:
		return unavailable(service(err) + " has a fault of its own just now")
	}
	return err
}

// Throttled is the error of a service that asks to be called less often. after is
// how long it asks to be left alone; 0: it does not say.
func Throttled(after time.Duration, cause error) error {
	said := &flow.Error{Code: flow.CodeUnavailable, Message: service(cause) + " asks for fewer calls: it is tried again", Cause: cause}
	if after <= 0 {
		return said
	}
	return &flow.RateLimited{After: min(after, flow.MaxRetryAfter), Cause: said}
}

// unknownKey are the codes of credentials that AWS does not know.
var unknownKey = map[string]bool{
	"InvalidClientTokenId": true, "UnrecognizedClientException": true, "SignatureDoesNotMatch": true, "InvalidSignatureException": true,
	"IncompleteSignature": true, "MissingAuthenticationToken": true, "MissingAuthenticationTokenException": true, "OptInRequired": true,
}

// throttled: the SDK knows the codes, which differ by service. Some of them are
// of exhausted quotas elsewhere, which does not pass by waiting.
func throttled(err error) bool {
	return Code(err) != "LimitExceededException" && retry.ThrottleErrorCode{Codes: retry.DefaultThrottleErrorCodes}.IsErrorThrottle(err) == aws.TrueTernary ||
		status(err) == 429
}

func expired(err error) bool {
	switch Code(err) {
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired":
		return true
	}
	return false
}

// isCanceled: the SDK has an error of its own for contexts that ended.
func isCanceled(err error) bool {
	_, ok := errors.AsType[*smithy.CanceledError](err)
	return ok
}

// cut tells whether the request, or its answer, was lost on the way.
func cut(err error) bool {
	_, sending := errors.AsType[*smithyhttp.RequestSendError](err)
	_, reading := errors.AsType[*smithy.DeserializationError](err)
	return sending || reading
}

func status(err error) int {
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return answer.HTTPStatusCode()
	}
	return 0
}

func retryAfter(err error) time.Duration {
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || answer.Response == nil {
		return 0
	}
	seconds, err := strconv.Atoi(answer.Response.Header.Get("Retry-After"))
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// service names the service that was asked: "IAM".
func service(err error) string {
	if asked, ok := errors.AsType[*smithy.OperationError](err); ok {
		return "AWS " + asked.Service()
	}
	return "AWS"
}

// action names what was asked: "IAM AddUserToGroup".
func action(err error) string {
	if asked, ok := errors.AsType[*smithy.OperationError](err); ok {
		return asked.Service() + " " + asked.Operation()
	}
	return "the call"
}
