package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/lambdahost"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/workflow"
)

// functions runs the functions of local.yaml on this machine, and hands on
// those that it does not map.
type functions struct {
	here   *lambdahost.Host
	mapped map[string]lambdahost.Function
	away   workflow.Functions // nil if calling a function that is not mapped is an error
}

var _ workflow.Functions = (*functions)(nil)

// Invoke calls a function.
func (f *functions) Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	if _, here := f.mapped[arn]; !here && f.away != nil {
		return f.away.Invoke(ctx, arn, payload)
	}
	return f.here.Invoke(ctx, arn, payload)
}

// functions reads local.yaml, if the configuration has one, and makes the
// functions in it ready to run, and the function that runs Python handlers. It
// fails if a flow has Python and that function can't be found. Isolated flows have
// one each. With mapped false,
// the functions of local.yaml are left out, and not built.
func (l *Local) functions(ctx context.Context, configured *catalog.Catalog, mapped bool) (*functions, lambdahost.Secrets, error) {
	o := l.options
	config, err := lambdahost.Load(filepath.Join(o.Flows, "local.yaml"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	if !mapped {
		config.Functions = nil
	}
	runner, err := sdkFunction(o.SDK)
	if err != nil && hasPython(configured) {
		return nil, nil, err
	}
	if err == nil { // live runs may need it, though no flow has Python any more
		if config.Functions == nil {
			config.Functions = map[string]lambdahost.Function{}
		}
		config.Functions[sdkARN] = runner
		l.isolated = configured.Isolated()
		for _, name := range l.isolated {
			config.Functions[sdk.IsolatedFunction(sdkARN, name)] = runner
		}
	}
	host, err := lambdahost.Open(ctx, lambdahost.Options{Config: config, Data: o.Data, Log: o.Log})
	if err != nil {
		return nil, nil, err
	}
	l.closers = append(l.closers, host.Close)
	f := &functions{here: host, mapped: config.Functions}
	if o.RealLambdas {
		aws, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("find AWS credentials for -real-lambdas: %w", err)
		}
		f.away = invoke.Functions{API: lambda.NewFromConfig(aws)}
	}
	return f, config.Secrets, nil
}
