// Command infra is the CDK app: one stack that holds all of Sym Flows in one
// AWS account.
//
//	npx cdk synth     writes the template, and touches no account
//	npx cdk deploy    puts it into the account that AWS's credentials lead to
//
// With a command it looks at what was synthesized, and at the account (preflight.go):
//
//	go run ./infra preflight    finds what would go wrong with the deploy
//	go run ./infra key-policy   prints what a given key's policy needs
//	go run ./infra connectors   prints what roles in other accounts have to trust
//	go run ./infra adopt        takes up what a stack that was deleted has left (adopt.go)
//	go run ./infra restore      restores the table from its backup (restore.go)
//
// It checks the whole configuration in flows/, and builds the functions, before it
// writes anything. The settings are listed at [options].
//
// There is one file for each concern. All resources are CloudFormation's own,
// with the ids under which they stand here: nothing is in the template that is
// not in these files.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/confine"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/sdk"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

func main() {
	if err := confine.Hide(); err != nil { // from Python in the configuration
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(contained(func() int {
		if len(os.Args) > 1 {
			load := func(ctx context.Context) (aws.Config, error) { return awsconfig.LoadDefaultConfig(ctx) }
			if err := command(context.Background(), os.Args[1:], load, os.Stdout); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			return 0
		}
		if err := synth(awscdk.NewApp(nil), func(o options) (string, error) { return build(".", o, pip) }); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}))
}

// synth writes the template, with what it needs, to the app's output folder.
// The functions are built into a folder that is removed after. A fault of the
// configuration is an error: the report of all of them.
func synth(app awscdk.App, build func(options) (dir string, err error)) error {
	o, err := readOptions(app.Node())
	if err != nil {
		return err
	}
	var once sync.Once
	python := sdk.Here{Bare: func(why error) {
		once.Do(func() { fmt.Fprintln(os.Stderr, "warning: "+sdk.Unprotected(why)) })
	}}
	files := uploaded{catalog.Folder(o.flows)}
	python.Plain = catalog.Isolates(files, o.org, builtin.Types())
	config, report := catalog.LoadPart(o.flows, files, o.org, builtin.Types(), func(s flow.Source, isolated string) (flow.Outline, error) {
		return python.Describe(context.Background(), s, isolated)
	})
	if err := report.Err(); err != nil {
		return err
	}
	fmt.Fprint(os.Stderr, report.String()) // warnings only
	built, err := build(o)
	if err != nil {
		return err
	}
	defer os.RemoveAll(built)
	if err := errors.Join(newDeployment(app, o, config, built).faults...); err != nil {
		return err
	}
	app.Synth(nil)
	return nil
}
