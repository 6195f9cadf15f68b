package app

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/config"
	"github.com/symflows/symflows/internal/diff"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/policy"
	"github.com/symflows/symflows/internal/store"
	"github.com/symflows/symflows/internal/store/dynamo"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

const diffUsage = `diff says in plain words what the flows let happen that they did not before, and
what not any more. It runs none of their code.

  local diff -base origin/main            against a commit, a branch or a tag of git
  local diff -base 1.0.3                  against that published version of each flow
  local diff -base latest                 against what is published now
  local diff -base main -markdown         for a pull request

It ends with status 3 where anything gets wider, or may: what code and settings of
strategies let happen can't be told by comparing.

`

// widened is the error of a diff by which something gets wider.
type widened struct{}

func (widened) Error() string {
	return "something gets wider, or may: see what is listed as wider or unclear"
}

// ExitStatus is what the command ends with.
func (widened) ExitStatus() int { return 3 }

func diffCommand(ctx context.Context, args []string, settings config.Settings, out io.Writer) error {
	set := flags("local diff", out)
	base := set.String("base", "", "what to compare with: a commit of git, 1.0.N or latest (required)")
	dir := set.String("flows", "flows", flowsUsage)
	data := set.String("data", ".local", dataUsage+", whose published versions 1.0.N and latest are")
	outputs := set.String("outputs", "", "instead of -data: what make deploy has written (cdk.out/outputs.json), of a deployment in AWS that is asked with this shell's AWS credentials")
	directory := set.String("directory", "", "file that says who people are, and who is in which group, to count them (docs/policy.md)")
	asJSON := set.Bool("json", false, "print the changes as JSON")
	markdown := set.Bool("markdown", false, "print them as Markdown, for a pull request")
	set.Usage = func() {
		fmt.Fprint(out, diffUsage)
		set.PrintDefaults()
	}
	if err := parse(set, args); err != nil {
		return err
	}
	if *base == "" {
		return errors.New("-base is required: name what to compare with, such as -base origin/main or -base latest")
	}
	if *asJSON && *markdown {
		return errors.New("give -json or -markdown, not both")
	}
	after, report := catalog.Load(*dir, settings.Org, builtin.Types())
	if err := report.Err(); err != nil {
		return err
	}
	var people diff.People
	if *directory != "" {
		given, err := directoryFile(*directory, settings.Org)
		if err != nil {
			return err
		}
		people = crowd{given}
	}
	var before *catalog.Catalog
	var err error
	if version := *base; version == flow.Latest || publishedVersion.MatchString(version) {
		var others []*flow.Flow
		before, others, err = published(ctx, *data, *outputs, version)
		for _, f := range others { // what files say takes the place of what the API has stored
			if !slices.ContainsFunc(after.Flows, func(own *flow.Flow) bool { return strings.EqualFold(own.Name, f.Name) }) {
				after.Flows = append(after.Flows, f)
			}
		}
	} else {
		before, err = committed(ctx, *dir, version, settings.Org)
	}
	if err != nil {
		return err
	}
	changes := diff.Flows(before.Flows, after.Flows, people)
	if !reflect.DeepEqual(before.Filter, after.Filter) && !publishedVersion.MatchString(*base) { // versions are of flows
		changes = append(changes, diff.FlowChanges{Flow: "the list of flows", Changes: []diff.Change{{
			Attribute: "flows_filter", Way: diff.Unclear, Text: "other code, or other settings of it, say who is shown which flows",
		}}})
	}
	switch {
	case *asJSON:
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(append([]diff.FlowChanges{}, changes...))
	case *markdown:
		err = diff.Markdown(out, changes)
	default:
		err = diff.Text(out, changes)
	}
	if err == nil && diff.Widens(changes) {
		err = widened{}
	}
	return err
}

var publishedVersion = regexp.MustCompile(`^1\.0\.[0-9]+$`)

// published reads flows as they are published, here or in AWS. Of flows that have not
// come as far as the version, it gives the latest. Those that the configuration API owns
// are in no folder: others are these as they are now.
func published(ctx context.Context, data, outputs, version string) (_ *catalog.Catalog, others []*flow.Flow, err error) {
	var at store.Store
	if outputs != "" {
		table, err := output(outputs, "TableName")
		if err != nil {
			return nil, nil, err
		}
		cfg, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("find AWS credentials: %w", err)
		}
		at = dynamo.New(cfg, table, time.Now)
	} else {
		if _, err := os.Stat(databaseFile(data)); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("nothing is published in %s: start local first, give the folder that it has by -data, or a deployment by -outputs; a commit of git needs neither", data)
		}
		db, err := openState(data)
		if err != nil {
			return nil, nil, err
		}
		defer db.Close()
		at = db
	}
	flows := &store.Flows{Store: at}
	list, err := flows.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	var c catalog.Catalog
	for _, summary := range list {
		if summary.Owner == entity.API {
			f, err := flows.Latest(ctx, summary.Name)
			if err != nil {
				return nil, nil, err
			}
			others = append(others, f)
		}
		if number(version) < number(summary.Version) {
			summary.Version = version
		}
		f, err := flows.Version(ctx, summary.Name, summary.Version)
		if err != nil {
			return nil, nil, err
		}
		c.Flows = append(c.Flows, f)
	}
	filter, owner, err := flows.FilterAndOwner(ctx)
	if owner != entity.API {
		c.Filter = filter
	}
	return &c, others, err
}

// number is N of a version 1.0.N; of latest, more than any has.
func number(version string) int {
	n, err := strconv.Atoi(version[strings.LastIndex(version, ".")+1:])
	if err != nil {
		return int(^uint(0) >> 1)
	}
	return n
}

// committed reads the flows of a folder as they are in a commit of git. It is an empty
// configuration where the commit does not have the folder.
func committed(ctx context.Context, dir, ref, org string) (*catalog.Catalog, error) {
	at := dir
	git := func(args ...string) ([]byte, error) {
		var faults bytes.Buffer
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", at}, args...)...)
		cmd.Stderr = &faults
		answer, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(faults.String()))
		}
		return answer, nil
	}
	commit, err := git("rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if err != nil {
		return nil, fmt.Errorf("%q is no commit of the repository of %s, and no version: give one such as origin/main, 1.0.3 or latest", ref, dir)
	}
	id := strings.TrimSpace(string(commit))
	prefix, err := git("rev-parse", "--show-prefix")
	if err != nil {
		return nil, err
	}
	top, err := git("rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	at = strings.TrimSpace(string(top)) // archive does nothing below it
	tree := id + ":" + strings.TrimSuffix(strings.TrimSpace(string(prefix)), "/")
	if _, err := git("cat-file", "-e", tree); err != nil {
		return &catalog.Catalog{}, nil
	}
	archive, err := git("archive", "--format=tar", tree)
	if err != nil {
		return nil, err
	}
	unpacked, err := os.MkdirTemp("", "symflows-diff-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(unpacked)
	if err := unpackTar(archive, unpacked); err != nil {
		return nil, fmt.Errorf("read the flows of %s: %w", ref, err)
	}
	c, report := catalog.LoadPart(dir+" of "+ref, catalog.Folder(unpacked), org, builtin.Types())
	if err := report.Err(); err != nil {
		return nil, fmt.Errorf("what to compare with is no configuration: %w", err)
	}
	return c, nil
}

// unpackTar writes the files of an archive into a folder, and nothing outside of it.
// Links are left out.
func unpackTar(archive []byte, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	files := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.Clean(header.Name)
		switch header.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o700)
		case tar.TypeReg:
			var content []byte
			if content, err = io.ReadAll(files); err == nil {
				err = root.WriteFile(name, content, 0o600)
			}
		}
		if err != nil {
			return err
		}
	}
}

// crowd counts the people of a directory.
type crowd struct{ *policy.Directory }

var _ diff.People = crowd{}

// Named implements diff.People.
func (c crowd) Named(name string) []string {
	kind, who, _ := strings.Cut(name, ":")
	if kind == "user" {
		return slices.DeleteFunc(c.roles(store.RoleMember, store.RoleGuest), func(email string) bool { return !strings.EqualFold(email, who) })
	}
	var emails []string
	members, _ := c.Group(context.Background(), who) // a group that is not there has nobody
	for _, u := range members {
		if u.Role == store.RoleMember || u.Role == store.RoleGuest {
			emails = append(emails, u.Email)
		}
	}
	return emails
}

// Members implements diff.People.
func (c crowd) Members(guests bool) []string {
	if guests {
		return c.roles(store.RoleMember, store.RoleGuest)
	}
	return c.roles(store.RoleMember)
}

func (c crowd) roles(roles ...store.Role) []string {
	var emails []string
	for _, u := range c.People() {
		if slices.Contains(roles, u.Role) {
			emails = append(emails, u.Email)
		}
	}
	return emails
}
