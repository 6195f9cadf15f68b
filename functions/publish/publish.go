package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/workflow"
)

type publisher struct {
	s3       *s3.Client
	org      string
	handlers *sdk.Client // which looks at the Python of flows
	publish  workflow.Publish
	clock    workflow.Clock
	log      *slog.Logger
}

// physicalID is the resource's name, always the same: a new one would have
// CloudFormation delete the old.
const physicalID = "symflows-configuration"

// The properties of the resource: where the configuration is, as a ZIP file, and
// what the deployment is made with, which is written down.
const (
	propertyBucket   = "Bucket"
	propertyKey      = "Key"
	propertySettings = "Settings"
)

// handle publishes what the properties name: the new configuration in a deploy,
// the one before in a rollback. Deleting the resource leaves the flows to the
// table, where live access needs them.
func (p publisher) handle(ctx context.Context, event cfn.Event) (id string, data map[string]any, err error) {
	if event.RequestType == cfn.RequestDelete {
		return physicalID, nil, nil
	}
	defer func() {
		if said := recover(); said != nil {
			p.log.ErrorContext(ctx, "publish panicked", "error", said, "stack", string(debug.Stack()))
			id, data, err = physicalID, nil, reason{fmt.Errorf("publish has failed by a fault of its own: %v", said)}
		}
	}()
	bucket, _ := event.ResourceProperties[propertyBucket].(string)
	key, _ := event.ResourceProperties[propertyKey].(string)
	// CloudFormation waits ten minutes for an answer that never comes.
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-answering))
		defer cancel()
	}
	// The stack is known, and not who deployed it: CloudTrail has that.
	p.publish.By = flow.Author{By: flow.Principal{Kind: flow.PrincipalDeploy, Name: cmp.Or(event.StackID, "a stack of CloudFormation's")}, At: p.clock.Now()}
	published, err := p.patiently(ctx, bucket, key, settingsIn(event))
	if err != nil {
		p.log.ErrorContext(ctx, "the configuration was not published", "key", key, "error", err)
		return physicalID, nil, reason{err}
	}
	versions := map[string]any{}
	for _, f := range published {
		versions[f.Name] = f.Version
	}
	p.log.InfoContext(ctx, "the configuration is published", "key", key, "flows", versions)
	return physicalID, nil, nil
}

// settingsIn reads the settings of the deployment.
func settingsIn(event cfn.Event) map[string]string {
	given, _ := event.ResourceProperties[propertySettings].(map[string]any)
	settings := map[string]string{}
	for name, value := range given {
		settings[name] = fmt.Sprint(value)
	}
	return settings
}

// refuse tells CloudFormation why publish could not start. Nothing is lost by a
// deletion that it does not see.
func refuse(cause error) cfn.CustomResourceFunction {
	return func(_ context.Context, event cfn.Event) (string, map[string]any, error) {
		if event.RequestType == cfn.RequestDelete {
			return physicalID, nil, nil
		}
		return physicalID, nil, reason{fmt.Errorf("publish could not start: %w", cause)}
	}
}

// answering is what telling CloudFormation takes.
const answering = 5 * time.Second

// IAM takes some seconds to spread the rights that the same deploy has given, so
// that a refusal counts only once it has lasted for a while.
const (
	patience   = time.Minute
	firstPause = 250 * time.Millisecond
	maxPause   = 5 * time.Second
)

// patiently publishes, and begins anew while AWS refuses: what was published
// half-way is made good by that.
func (p publisher) patiently(ctx context.Context, bucket, key string, settings map[string]string) ([]store.FlowSummary, error) {
	began := p.clock.Now()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		published, err := p.run(ctx, bucket, key, settings)
		if !refused(err) {
			return published, err
		}
		if p.clock.Now().Sub(began) >= patience {
			return nil, fmt.Errorf("AWS has refused it for %s: a right of the role of publish is missing, or is taken away by a permissions boundary, an organization's policy or a key's: %w", patience, err)
		}
		p.log.WarnContext(ctx, "AWS refuses: the rights of this deploy may not have arrived yet", "error", err)
		select {
		case <-p.clock.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// refused says whether the cause is a right that is missing.
func refused(err error) bool {
	said, ok := errors.AsType[smithy.APIError](err)
	return ok && strings.HasPrefix(said.ErrorCode(), "AccessDenied")
}

func (p publisher) run(ctx context.Context, bucket, key string, settings map[string]string) ([]store.FlowSummary, error) {
	if bucket == "" || key == "" {
		return nil, errors.New("the resource has to name the configuration's Bucket and Key")
	}
	archive, err := p.read(ctx, bucket, key)
	if err != nil {
		return nil, fmt.Errorf("read the configuration s3://%s/%s: %w", bucket, key, err)
	}
	// Beside one another, files could change what is said of others: nothing of them
	// runs, and an isolated flow's are looked at in its own function.
	handlers := *p.handlers
	handlers.Read = catalog.Isolates(archive, p.org, builtin.Types())
	var unread error // no fault of the configuration
	configured, report := catalog.LoadFS(archive, p.org, builtin.Types(), func(s flow.Source, isolated string) (flow.Outline, error) {
		found, err := handlers.Describe(ctx, s, isolated)
		if refused(err) {
			unread = fmt.Errorf("look at the handlers of %s: %w", s.Name, err)
		}
		return found, err
	})
	if unread != nil {
		return nil, unread
	}
	if err := report.Err(); err != nil {
		return nil, err
	}
	published, err := p.publish.Whole(ctx, configured.Configuration())
	if err == nil {
		err = p.publish.Flows.PublishSettings(ctx, p.publish.By, settings)
	}
	return published, err
}

// read fetches the archive.
func (p publisher) read(ctx context.Context, bucket, key string) (*zip.Reader, error) {
	out, err := p.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	b, err := io.ReadAll(io.LimitReader(out.Body, maxArchive+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxArchive {
		return nil, fmt.Errorf("it is larger than %d MB", maxArchive>>20)
	}
	return zip.NewReader(bytes.NewReader(b), int64(len(b)))
}

const maxArchive = 32 << 20 // bytes

// reason is an error as CloudFormation shows it. Its answer may have 4 KB
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html).
type reason struct{ error }

const maxReason = 3000 // bytes: JSON makes it longer

func (r reason) Error() string {
	s := r.error.Error()
	if len(s) <= maxReason {
		return s
	}
	const more = "\n… and more: run make check"
	return string(bytes.ToValidUTF8([]byte(s[:maxReason-len(more)]), nil)) + more
}
