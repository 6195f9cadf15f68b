package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/policy"
	"github.com/symflows/symflows/internal/workflow"
)

// checkPolicies runs the cases of the policy files of a folder. The error lists those
// that get something else than they expect.
func checkPolicies(ctx context.Context, o Options, configured *catalog.Catalog, out io.Writer) error {
	cases, faults := policy.Load(catalog.Folder(o.Flows), o.Settings.Org)
	known := map[string]bool{}
	var names []string
	for _, f := range configured.Flows {
		known[strings.ToLower(f.Name)], names = true, append(names, f.Name)
	}
	e, err := newExplainer(ctx, o, configured, nil, true)
	if err != nil {
		return err
	}
	defer e.Close()
	for _, c := range cases {
		if !known[strings.ToLower(c.Flow)] {
			faults = append(faults, policy.Fault{File: c.File, Line: c.Line, Message: fmt.Sprintf("there is no flow %q%s", c.Flow, flow.DidYouMean(c.Flow, names))})
			continue
		}
		e.directory.Directory = c.Directory
		as, err := c.Directory.UserByEmail(ctx, c.As)
		if err != nil {
			return err
		}
		x, err := e.Request(ctx, workflow.Question{Flow: c.Flow, As: as, By: c.By, Agent: c.Agent, Purpose: c.Purpose, Values: c.Values, At: c.At, People: c.Directory.People()})
		if err != nil {
			faults = append(faults, policy.Fault{File: c.File, Line: c.Line, Message: fmt.Sprintf("%s: it can't be found out: %s", c.Name, flow.UserMessage(err))})
			continue
		}
		faults = append(faults, c.Check(x)...)
	}
	slices.SortStableFunc(faults, func(a, b policy.Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	if len(faults) > 0 {
		var lines []string
		for _, f := range faults {
			f.File = filepath.Join(o.Flows, f.File)
			lines = append(lines, f.String())
		}
		return fmt.Errorf("the policy is not what it is expected to be:\n%s", strings.Join(lines, "\n"))
	}
	fmt.Fprintf(out, "policy: %d cases as expected\n", len(cases))
	return nil
}
