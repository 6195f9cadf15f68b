package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/symflows/symflows/internal/store"
)

// Store is a table in DynamoDB.
type Store struct {
	api   *dynamodb.Client
	table string
	now   func() time.Time
}

var _ store.Store = (*Store)(nil)

// Slack waits three seconds for an answer that a write comes before. The SDK
// would wait up to two seconds before it tries again, and on a silent
// connection for as long as the function runs. So we try four times within
// half a second, and give up on a connection that is silent for one.
const (
	attempts    = 4
	backOff     = 50 * time.Millisecond // at most, before the second attempt; doubled before each further one
	readTimeout = time.Second
)

// New gives the store of the table of that name, which must be as [Schema]
// describes it; the clock decides what has expired. The endpoint is that of the
// SDK's configuration, and so are its HTTP client and its retryer where it has
// them.
func New(cfg aws.Config, table string, now func() time.Time) *Store {
	api := dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		if cfg.Retryer == nil {
			o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
				r.MaxAttempts = attempts
				r.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
					return rand.N(backOff << (attempt - 1)), nil
				})
			})
		}
		if client, ok := o.HTTPClient.(*awshttp.BuildableClient); ok && cfg.HTTPClient == nil {
			o.HTTPClient = client.WithReadTimeout(readTimeout)
		}
	})
	return &Store{api: api, table: table, now: now}
}

// fault says what was done when it failed, and that it was the context that
// ended it, where it was.
func fault(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%s: %w: %w", doing, ctx.Err(), err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
