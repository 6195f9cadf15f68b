package app

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/symflows/symflows/internal/app/core"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/discovery"
	"github.com/symflows/symflows/internal/egress"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/strategy"
	"github.com/symflows/symflows/internal/strategy/builtin"
	"github.com/symflows/symflows/internal/strategy/builtin/clients"
)

// targets asks strategies which targets their systems have, and writes them down.
func targets(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	// Listing an organisation takes many calls, and nobody waits for a form.
	inAWS := sync.OnceValues(func() (aws.Config, error) {
		return awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRetryer(func() aws.Retryer {
			return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
				o.StandardOptions = append(o.StandardOptions, func(o *retry.StandardOptions) { o.MaxAttempts = 20 })
			})
		}))
	})
	return discover{
		types: builtin.Types(), org: settings.Org, now: core.WallClock{}.Now, out: out,
		open: func(flows string) (strategy.Opener, error) {
			mapping, err := mappingIn(flows)
			return clients.Open(clients.Deps{Now: core.WallClock{}.Now, AWS: inAWS, Secrets: mapping.Secrets, Egress: egress.New(egress.Machine, nil)}), err
		},
		caller: func(ctx context.Context) (string, error) {
			cfg, err := inAWS()
			if err != nil {
				return "", fmt.Errorf("find AWS credentials: %w", err)
			}
			who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			if err != nil {
				return "", fmt.Errorf("ask AWS whose credentials these are: %w", err)
			}
			return aws.ToString(who.Account), nil
		},
	}.run(ctx, args)
}

// discover is the command "targets".
type discover struct {
	types map[string]strategy.Type
	// open gives the strategies, with the secrets that the local.yaml of a folder of
	// flows maps.
	open func(flows string) (strategy.Opener, error)
	// caller gives the account of AWS that the machine's credentials are of.
	caller func(context.Context) (string, error)
	org    string
	now    func() time.Time
	out    io.Writer
}

func (d discover) run(ctx context.Context, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("targets wants a type of strategy, such as: local targets aws_sso")
	}
	name, args := args[0], args[1:]
	typ, ok := d.types[name]
	if !ok {
		var known []string
		for name := range d.types {
			known = append(known, name)
		}
		slices.Sort(known)
		return fmt.Errorf("there is no strategy type %q%s: there are %s", name, flow.DidYouMean(name, known), strings.Join(known, ", "))
	}
	set := flags("local targets "+name, d.out)
	dir := set.String("flows", "flows", flowsUsage)
	only := set.String("strategy", "", "name of the strategy, if not all of the type; of the one to begin with, where there is none")
	dry := set.Bool("dry-run", false, "say what would change, and write nothing")
	assume := set.Bool("assume-role", false, "list as the role of the strategy's integration, if it may list and trusts you, and not by the machine's credentials")
	given := givenSettings(set, typ)
	if err := parse(set, args); err != nil {
		return err
	}
	there, report := catalog.LoadForDiscovery(catalog.Folder(*dir), d.org, d.types, name)
	if err := report.Err(); err != nil {
		return err
	}
	strategies := there.Strategies
	if *only != "" {
		strategies = slices.DeleteFunc(slices.Clone(strategies), func(s flow.Strategy) bool { return !strings.EqualFold(s.Name, *only) })
	}
	begun := false
	switch s, any := given(*only); {
	case len(strategies) > 0 && any:
		return fmt.Errorf("strategy %q says what its system is: leave out the flags for that, or name another -strategy", strategies[0].Name)
	case len(strategies) == 0 && *only != "" && !any:
		return fmt.Errorf("%s has no strategy of type %s that is called %q", *dir, name, *only)
	case len(strategies) == 0 && signsIn(typ):
		return fmt.Errorf("%s has no strategy of type %s: write one first, with its integration, which says how to sign in", *dir, name)
	case len(strategies) == 0 && !any && needsSettings(typ):
		return fmt.Errorf("%s has no strategy of type %s: write one, or say by flags where to look (local targets %[2]s -help)", *dir, name)
	case len(strategies) == 0:
		if err := checkBegun(typ, s); err != nil {
			return err
		}
		strategies, begun = []flow.Strategy{s}, true
	}
	others := there.Targets // those of each strategy count as there for the next one
	for _, s := range strategies {
		if !*assume {
			var err error
			if s, err = d.asOurselves(ctx, s); err != nil {
				return fmt.Errorf("strategy %s: %w", s.Name, err)
			}
		}
		found, err := d.update(ctx, *dir, typ, s, others, *dry, begun)
		if err != nil {
			return fmt.Errorf("strategy %s: %w", s.Name, err)
		}
		others = append(others, found...)
	}
	return nil
}

// asOurselves takes the role out of a strategy that acts as one in an account of
// AWS: it trusts the function that grants alone, and may not list. The machine's
// credentials must then be of that account, or all that it has would seem gone.
func (d discover) asOurselves(ctx context.Context, s flow.Strategy) (flow.Strategy, error) {
	account := strategy.AccountOf(s)
	if account.Role.ARN == "" {
		return s, nil
	}
	ours, err := d.caller(ctx)
	if err != nil {
		return s, err
	}
	if ours != account.ID {
		return s, fmt.Errorf("it acts in %s, and the machine's credentials are of account %s: use some of the former (AWS_PROFILE), or -assume-role", account, ours)
	}
	integration := *s.Integration
	integration.Settings = maps.Clone(integration.Settings)
	delete(integration.Settings, strategy.SettingRoleARN)
	delete(integration.Settings, strategy.SettingExternalID)
	integration.Settings[strategy.SettingAccountID] = account.ID
	s.Integration = &integration
	return s, nil
}

// givenSettings makes a flag of each setting of a type and of its integration.
// What it returns makes a strategy of them; false: none was given.
func givenSettings(set *flag.FlagSet, typ strategy.Type) func(name string) (flow.Strategy, bool) {
	own, integration := map[string]string{}, map[string]string{}
	add := func(settings []strategy.Setting, to map[string]string, whose string) {
		for _, k := range settings {
			if set.Lookup(k.Name) == nil && !signsIn(typ) {
				set.Func(k.Name, k.About+" ("+whose+"; where there is no strategy yet)", func(v string) error { to[k.Name] = v; return nil })
			}
		}
	}
	add(typ.Settings.Known, own, "setting of the strategy")
	add(typ.Integration.Settings, integration, "setting of its integration")
	return func(name string) (flow.Strategy, bool) {
		if name == "" {
			name = typ.Name
		}
		s := flow.Strategy{Name: name, Type: typ.Name, Settings: own}
		if len(integration) > 0 {
			s.Integration = &flow.Integration{Name: name, Settings: integration}
			if len(typ.Integration.Types) > 0 {
				s.Integration.Type = typ.Integration.Types[0]
			}
		}
		return s, len(own)+len(integration) > 0
	}
}

// signsIn tells whether the type's integration says how to sign in, which flags
// can't.
func signsIn(typ strategy.Type) bool {
	return typ.Integration.Need == strategy.Required && !slices.Contains(typ.Integration.Types, strategy.PermissionContext)
}

func needsSettings(typ strategy.Type) bool {
	return typ.Integration.Need == strategy.Required || slices.ContainsFunc(typ.Settings.Known, func(k strategy.Setting) bool { return k.Required })
}

// checkBegun finds what is wrong with the flags that make a strategy.
func checkBegun(typ strategy.Type, s flow.Strategy) error {
	var wrong []error
	if err := flow.CheckName(s.Name); err != nil {
		wrong = append(wrong, fmt.Errorf("-strategy %w", err))
	}
	for _, f := range typ.Check(s) {
		flag := f.Path[strings.LastIndex(f.Path, ".")+1:]
		wrong = append(wrong, fmt.Errorf("-%s %s", flag, f.Message))
	}
	return errors.Join(wrong...)
}

// update brings the file of one strategy up to date, and returns what it found.
// Others are the targets that the folder has.
func (d discover) update(ctx context.Context, dir string, typ strategy.Type, s flow.Strategy, others []catalog.PlacedTarget, dry, begun bool) ([]catalog.PlacedTarget, error) {
	open, err := d.open(dir)
	if err != nil {
		return nil, err
	}
	opened, err := open(s)
	if err != nil {
		return nil, err
	}
	discoverer, ok := opened.(strategy.Discoverer)
	if !ok {
		return nil, fmt.Errorf("strategies of type %s can't list what their system has: write its targets by hand", typ.Name)
	}
	found, err := discoverer.Discover(ctx)
	if err != nil {
		return nil, err
	}
	name := "targets-" + s.Name + ".yaml"
	file := filepath.Join(dir, name)
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	in := discovery.Input{Strategy: s.Name, Types: typ.TargetNames(), Command: "local targets " + typ.Name, Found: found, Now: d.now()}
	var placed []catalog.PlacedTarget
	for _, t := range found {
		placed = append(placed, catalog.PlacedTarget{Target: t, File: name})
	}
	for _, t := range others {
		if t.File != name {
			in.Elsewhere = append(in.Elsewhere, t.Target)
		}
	}
	after, changes, err := discovery.Update(before, in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if bytes.Equal(before, after) {
		tellUnchanged(d.out, file, s.Name, changes, len(before) > 0)
		return placed, nil
	}
	whole, report := catalog.LoadFS(replaced{catalog.Folder(dir), name, after}, d.org, d.types)
	if err := d.acceptable(dir, name, report); err != nil {
		return nil, err
	}
	if !dry {
		if err := replaceFile(file, after); err != nil {
			return nil, err
		}
	}
	tell(d.out, file, s.Name, changes, dry)
	d.hint(s, begun, whole)
	return placed, nil
}

func counted(n int) string { return count(n, "target") }

// count writes a number with its noun: "1 target", "2 targets".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// acceptable refuses a file that would be the first to have faults, or that has
// some itself. Others may be there from before, and are not ours to mend.
func (d discover) acceptable(dir, name string, report catalog.Report) error {
	_, before := catalog.LoadFS(catalog.Folder(dir), d.org, d.types)
	var ours catalog.Report
	for _, f := range report.Faults {
		if f.File == name || len(before.Faults) == 0 {
			ours.Faults = append(ours.Faults, f)
		}
	}
	if err := ours.Err(); err != nil {
		return fmt.Errorf("what was found can't be used, and was not written: %w", err)
	}
	return nil
}

func tell(out io.Writer, file, name string, c discovery.Changes, dry bool) {
	for _, x := range c.Added {
		fmt.Fprintf(out, "added    %s: %s\n", x.Name, x.Label)
	}
	for _, x := range c.Renamed {
		if x.Kept && x.Label != x.Was {
			fmt.Fprintf(out, "renamed  %s: now %s, and the label here stays yours\n", x.Name, x.Label)
			continue
		}
		if x.Label == x.Was {
			fmt.Fprintf(out, "changed  %s: %s\n", x.Name, x.Label)
			continue
		}
		fmt.Fprintf(out, "renamed  %s: %s, was %s\n", x.Name, x.Label, x.Was)
	}
	for _, x := range c.Gone {
		fmt.Fprintf(out, "gone     %s: %s\n", x.Name, x.Label)
	}
	for _, x := range c.Back {
		fmt.Fprintf(out, "back     %s: %s\n", x.Name, x.Label)
	}
	tellTaken(out, c)
	done := "is written"
	if dry {
		done = "would be written (-dry-run)"
	}
	fmt.Fprintf(out, "%s %s: strategy %s finds %s%s; %d added, %d renamed, %d gone, %d back\n",
		file, done, name, counted(c.Present), elsewhere(c), len(c.Added), len(c.Renamed), len(c.Gone), len(c.Back))
}

// tellUnchanged says that a file stays as it is, or is not there as before.
func tellUnchanged(out io.Writer, file, name string, c discovery.Changes, there bool) {
	tellTaken(out, c)
	state := "nothing has changed"
	if !there {
		state = "is not written, as nothing is new"
	}
	fmt.Fprintf(out, "%s: %s; strategy %s finds %s%s\n", file, state, name, counted(c.Present), elsewhere(c))
}

func tellTaken(out io.Writer, c discovery.Changes) {
	for _, x := range c.Taken {
		fmt.Fprintf(out, "left out %s: %s; another file has a target of that name\n", x.Name, x.Label)
	}
}

// elsewhere says how many of those that were found are in other files already.
func elsewhere(c discovery.Changes) string {
	if c.Elsewhere == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of which other files have", c.Elsewhere)
}

// hint says what is to be written by hand for what was found to be offered.
func (d discover) hint(s flow.Strategy, begun bool, whole *catalog.Catalog) {
	const all = `targets: ["*"] are all that were found`
	switch {
	case begun:
		fmt.Fprintf(d.out, "to offer them, write a strategy called %s of type %s; %s\n", s.Name, s.Type, all)
	case whole == nil:
		fmt.Fprintf(d.out, "local check finds faults still: mend them, and list what the strategy is to offer; %s\n", all)
	default:
		i := slices.IndexFunc(whole.Strategies, func(other flow.Strategy) bool { return other.Type == s.Type && strings.EqualFold(other.Name, s.Name) })
		fmt.Fprintf(d.out, "strategy %s offers %s; %s\n", s.Name, counted(len(whole.Strategies[i].Targets)), all)
	}
}

// replaceFile writes a file whole or not at all.
func replaceFile(file string, text []byte) error {
	mode := fs.FileMode(0o644)
	if old, err := os.Stat(file); err == nil {
		mode = old.Mode().Perm()
	}
	temp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.new") // of no name that is read as configuration
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(text)
	if err := errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), file)
}

// replaced is a folder in which one file has another text.
type replaced struct {
	fs.FS
	name string
	text []byte
}

func (r replaced) Open(name string) (fs.File, error) {
	if name != r.name {
		return r.FS.Open(name)
	}
	return &textFile{textInfo: textInfo{r.name, int64(len(r.text))}, Reader: bytes.NewReader(r.text)}, nil
}

func (r replaced) ReadDir(dir string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(r.FS, dir)
	if err != nil || dir != "." {
		return entries, err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == r.name })
	entries = append(entries, fs.FileInfoToDirEntry(textInfo{r.name, int64(len(r.text))}))
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

type textFile struct {
	textInfo
	*bytes.Reader
}

func (f *textFile) Stat() (fs.FileInfo, error) { return f.textInfo, nil }
func (f *textFile) Size() int64                { return f.size }
func (f *textFile) Close() error               { return nil }

type textInfo struct {
	name string
	size int64
}

func (i textInfo) Name() string       { return i.name }
func (i textInfo) Size() int64        { return i.size }
func (i textInfo) Mode() fs.FileMode  { return 0o444 }
func (i textInfo) ModTime() time.Time { return time.Time{} }
func (i textInfo) IsDir() bool        { return false }
func (i textInfo) Sys() any           { return nil }
