package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/symflows/symflows/internal/aws/invoke"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/lambdahost"
	"github.com/symflows/symflows/internal/sdk"
	awslambda "github.com/symflows/symflows/internal/strategy/awslambda/client"
	"github.com/symflows/symflows/internal/workflow"
)

// functions runs the functions of local.yaml on this machine, and hands on
// those that it does not map.
type functions struct {
	here   *lambdahost.Host
	mapped map[string]lambdahost.Function
	away   workflow.Functions // nil if calling a function that is not mapped is an error
	// noPython is why handlers can't be run; nil if they can.
	noPython error
}

var (
	_ workflow.Functions = (*functions)(nil)
	_ awslambda.InAWS    = (*functions)(nil)
)

// Invoke calls a function.
func (f *functions) Invoke(ctx context.Context, arn string, payload []byte) ([]byte, error) {
	if f.noPython != nil && arn == sdkARN {
		return nil, f.noPython
	}
	if _, here := f.mapped[arn]; !here && f.away != nil {
		return f.away.Invoke(ctx, arn, payload)
	}
	return f.here.Invoke(ctx, arn, payload)
}

// As gives them as they may be invoked by whom a configuration of AWS's SDK signs in as,
// where they are in AWS.
func (f *functions) As(cfg aws.Config) workflow.Functions {
	away, in := f.away.(awslambda.InAWS)
	if !in {
		return f
	}
	as := *f
	as.away = away.As(cfg)
	return &as
}

// functions reads local.yaml, if the configuration has one, and makes the
// functions in it ready to run, and the function that runs Python handlers. It
// fails if a flow has Python and that function can't be found. Isolated flows have
// one each. With mapped false, the functions of local.yaml are left out, and not
// built.
func (l *Local) functions(ctx context.Context, configured *catalog.Catalog, mapped bool) (*functions, lambdahost.Secrets, error) {
	config, err := l.mapping()
	if err != nil {
		return nil, nil, err
	}
	if !mapped {
		config.Functions = nil
	}
	return l.host(ctx, lambdahost.Options{Config: config}, configured.Isolated(), hasPython(configured))
}

// mapping reads local.yaml, if the configuration has one.
func (l *Local) mapping() (lambdahost.Config, error) { return mappingIn(l.options.Flows) }

func mappingIn(flows string) (lambdahost.Config, error) {
	config, err := lambdahost.Load(filepath.Join(flows, "local.yaml"))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return config, err
}

// host makes the functions of o.Config ready to run, and those that run Python
// handlers: one, and one for each isolated flow.
func (l *Local) host(ctx context.Context, o lambdahost.Options, isolated []string, python bool) (*functions, lambdahost.Secrets, error) {
	config := o.Config
	config.Functions = maps.Clone(config.Functions)
	runner, noPython := sdkFunction(l.options.SDK)
	if noPython != nil && python {
		return nil, nil, noPython
	}
	if noPython == nil { // live runs may need it, and flows that come by API
		if config.Functions == nil {
			config.Functions = map[string]lambdahost.Function{}
		}
		config.Functions[sdkARN] = runner
		l.isolated = isolated
		for _, name := range l.isolated {
			config.Functions[sdk.IsolatedFunction(sdkARN, name)] = runner
		}
	}
	o.Config, o.Data, o.Log = config, l.options.Data, l.options.Log
	host, err := lambdahost.Open(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	l.closers = append(l.closers, host.Close)
	f := &functions{here: host, mapped: config.Functions, noPython: noPython}
	if l.options.RealLambdas {
		cfg, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("find AWS credentials for -real-lambdas: %w", err)
		}
		f.away = invoke.Functions{API: lambda.NewFromConfig(cfg)}
	}
	return f, config.Secrets, nil
}
