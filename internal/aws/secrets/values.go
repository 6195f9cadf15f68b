// Package secrets reads the values of secrets from AWS Secrets Manager. Values
// are in memory only: never in a log, an error or the state of a run. Its
// counterpart on this machine is lambdahost.Secrets.
package secrets

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/symflows/symflows/internal/flow"
)

// fresh is how long a value is used without asking again: how long a secret
// that was rotated may still be used with its old value.
const fresh = 5 * time.Minute

// Values reads secrets, and remembers them for a while. Methods are safe for
// concurrent use; one secret is read by one call at a time, even if several of its
// keys are wanted.
type Values struct {
	API *secretsmanager.Client // required
	Now func() time.Time       // required

	mu     sync.Mutex
	byPath map[string]*value
}

// value is what is known of the secret at one path. Its lock is held while the
// secret is asked for.
type value struct {
	mu    sync.Mutex
	text  string
	until time.Time
}

// Value gives a secret's current value, or what its JSONKey picks from it. The
// error has flow.CodeUnavailable, names the path and says what to do; it never
// shows a value.
func (v *Values) Value(ctx context.Context, ref flow.SecretRef) (string, error) {
	text, err := v.text(ctx, ref)
	if err != nil {
		return "", err
	}
	return ref.Pick(text)
}

// Prefetch reads all the secrets at once, so that they are at hand when they
// are needed. It tries every one of them; the error joins those of [Values.Value].
func (v *Values) Prefetch(ctx context.Context, refs ...flow.SecretRef) error {
	failed := make([]error, len(refs))
	var reading sync.WaitGroup
	for i, ref := range refs {
		reading.Go(func() { _, failed[i] = v.Value(ctx, ref) })
	}
	reading.Wait()
	return errors.Join(failed...)
}

func (v *Values) text(ctx context.Context, ref flow.SecretRef) (string, error) {
	known := v.at(ref.Path)
	known.mu.Lock()
	defer known.mu.Unlock()
	if v.Now().Before(known.until) {
		return known.text, nil
	}
	out, err := v.get(ctx, ref.Path)
	if err != nil {
		return "", refusal(ref, err)
	}
	if known.text = aws.ToString(out.SecretString); out.SecretString == nil {
		known.text = string(out.SecretBinary)
	}
	known.until = v.Now().Add(fresh)
	return known.text, nil
}

// get reads the secret at a path, in the region that the path names if it is an
// ARN.
func (v *Values) get(ctx context.Context, path string) (*secretsmanager.GetSecretValueOutput, error) {
	there := func(o *secretsmanager.Options) {
		if region := flow.ARNRegion(path); region != "" {
			o.Region = region
		}
	}
	out, err := v.API.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(path)}, there)
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); !missing {
		return out, err
	}
	name, ok := flow.SecretName(path)
	if !ok {
		return nil, err
	}
	found, failed := v.API.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(name)}, there)
	if failed != nil || !flow.SecretHas(aws.ToString(found.ARN), path) {
		return nil, err // of what was asked for
	}
	return found, nil
}

// Forget implements strategy.Forgetter.
func (v *Values) Forget(ref flow.SecretRef) {
	known := v.at(ref.Path)
	known.mu.Lock()
	defer known.mu.Unlock()
	known.until = time.Time{}
}

func (v *Values) at(path string) *value {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.byPath[path] == nil {
		if v.byPath == nil {
			v.byPath = map[string]*value{}
		}
		v.byPath[path] = &value{}
	}
	return v.byPath[path]
}

// refusal says what to do about an error of GetSecretValue
// (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html).
func refusal(ref flow.SecretRef, err error) error {
	e := flow.Errorf(flow.CodeUnavailable, "secret %s could not be read", ref)
	if refused, ok := errors.AsType[smithy.APIError](err); ok {
		switch refused.ErrorCode() {
		case "ResourceNotFoundException":
			e = flow.Errorf(flow.CodeUnavailable, "secret %s has no value in AWS Secrets Manager: set one, or correct its path", ref)
		case "InvalidRequestException":
			e = flow.Errorf(flow.CodeUnavailable, "secret %s is about to be deleted in AWS Secrets Manager: restore it", ref)
		case "AccessDeniedException":
			e = flow.Errorf(flow.CodeUnavailable, "we may not read secret %s: deploy, so that the configuration's secrets become readable", ref)
		case "DecryptionFailure":
			e = flow.Errorf(flow.CodeUnavailable, "secret %s can't be decrypted: let us use its KMS key", ref)
		}
	}
	e.Cause = err
	return e
}
