package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/client"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

const (
	configURLUsage = "URL of the API of a deployment (output ApiUrl; default SYM_API_URL), asked with the token in SYM_JWT, which may configure, or else with this shell's AWS credentials"
	configHelp     = "usage: local config export|import [-hand-over] [-url URL]"
)

// configCommand moves configuration between the API and files.
func configCommand(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(configHelp)
	}
	switch args[0] {
	case "export":
		return exportConfig(ctx, args[1:], getenv, out)
	case "import":
		return importConfig(ctx, args[1:], getenv, out)
	}
	return fmt.Errorf("there is no command \"config %s\": %s", args[0], configHelp)
}

// configAPI is how a deployment's configuration API is asked.
type configAPI struct {
	list  func(ctx context.Context, after string) (events.EntityList, error)
	offer func(ctx context.Context, in events.OfferInput) (events.OfferOutput, error)
}

func openConfigAPI(ctx context.Context, at, token string) (configAPI, error) {
	if at == "" {
		return configAPI{}, errors.New("whose configuration? Give -url, or set SYM_API_URL")
	}
	if token != "" {
		address, err := client.Address(at)
		c := client.New(address, token)
		return configAPI{c.Configured, c.Offer}, err
	}
	signed, err := tokensAt(ctx, at)
	return configAPI{
		func(ctx context.Context, after string) (list events.EntityList, err error) {
			err = signed.call(ctx, http.MethodGet, api.SignedEntitiesPath+"all?"+url.Values{"after": {after}}.Encode(), nil, &list)
			return list, err
		},
		func(ctx context.Context, in events.OfferInput) (answer events.OfferOutput, err error) {
			err = signed.call(ctx, http.MethodPost, api.SignedEntitiesPath+"offer", in, &answer)
			return answer, err
		},
	}, err
}

// all reads all that a deployment has configured, and its org.
func (c configAPI) all(ctx context.Context) (all []entity.Entity, org string, err error) {
	for after := ""; ; {
		list, err := c.list(ctx, after)
		if err != nil {
			return nil, "", err
		}
		for _, e := range list.Entities {
			all = append(all, entity.Entity{ID: e.ID, Kind: entity.Kind(e.Kind), Type: e.Type, Name: e.Name, Owner: entity.Owner(e.Owner), File: e.File, Attributes: e.Attributes})
		}
		if after = list.Next; after == "" {
			return all, list.Org, nil
		}
	}
}

// offeredAtOnce is how many entities one request offers.
const offeredAtOnce = 200

// handOver offers entities, whose documents have names, to another owner. What is in the way
// is said before anything is changed.
func (c configAPI) handOver(ctx context.Context, list []entity.Entity, names map[string]string) (until time.Time, err error) {
	for _, check := range []bool{true, false} {
		for some := range slices.Chunk(list, offeredAtOnce) {
			in := events.OfferInput{Check: check}
			for _, e := range some {
				o := events.OfferedEntity{Kind: string(e.Kind), ID: e.ID, Digest: e.Digest()}
				if name := names[e.ID]; name != e.Name {
					o.As = name
				}
				in.Entities = append(in.Entities, o)
			}
			answer, err := c.offer(ctx, in)
			if err != nil {
				return until, err
			}
			until = answer.Until
		}
	}
	return until, nil
}

// exportConfig writes what the API has as files, and, once they are there, offers it to
// them.
func exportConfig(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	set := flags("local config export", out)
	into := set.String("into", "flows", "folder of the configuration, which the files are written into; no file that is there is overwritten")
	at := set.String("url", getenv("SYM_API_URL"), configURLUsage)
	over := set.Bool("hand-over", false, "offer what the API has to the files, which are there: their next publish takes it over")
	if err := parse(set, args); err != nil {
		return err
	}
	deployment, err := openConfigAPI(ctx, *at, getenv("SYM_JWT"))
	if err != nil {
		return err
	}
	all, org, err := deployment.all(ctx)
	if err != nil {
		return err
	}
	exported, err := catalog.Export(all, org)
	if err != nil {
		return err
	}
	if len(exported.Files) == 0 {
		fmt.Fprintln(out, "the configuration API has nothing")
		return nil
	}
	if *over {
		return handToFiles(ctx, deployment, all, exported, *into, org, out)
	}
	if err := absent(*into, exported.Files); err != nil {
		return err
	}
	if err := readBack(*into, org, all, exported); err != nil {
		return err
	}
	if err := writeNew(*into, exported.Files); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(exported.Files)) {
		fmt.Fprintln(out, "wrote "+filepath.Join(*into, filepath.FromSlash(name)))
	}
	for _, e := range all {
		if name, ok := exported.Names[e.ID]; ok && name != e.Name {
			fmt.Fprintf(out, "%s is named %s in files, where no two of its kind may have one name\n", words(e), name)
		}
	}
	fmt.Fprintln(out, "The API has all of this still, and a publish of these files is refused until it is handed over: look at them, then run this with -hand-over, then publish them.")
	return nil
}

// words names an entity as people do.
func words(e entity.Entity) string {
	return strings.TrimSpace(strings.ReplaceAll(string(e.Kind), "_", " ") + " " + e.Name)
}

// handToFiles offers what the API has to files that say the same.
func handToFiles(ctx context.Context, deployment configAPI, all []entity.Entity, exported catalog.Exported, folder, org string, out io.Writer) error {
	read, report := catalog.Load(folder, org, builtin.Types())
	if err := report.Err(); err != nil {
		return err
	}
	if differ := exported.Differ(all, read.Drafts); len(differ) > 0 {
		return fmt.Errorf("%s does not say what the API has of these: %s; write them anew by config export into another folder, and take over what differs. Nothing was changed", folder, strings.Join(differ, ", "))
	}
	theirs := slices.DeleteFunc(slices.Clone(all), func(e entity.Entity) bool { return e.Owner != entity.API })
	until, err := deployment.handOver(ctx, theirs, exported.Names)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "offered to the files until %s: %d entities. What the API changes meanwhile stays its own.\n", until.Format(time.RFC3339), len(theirs))
	fmt.Fprintf(out, "Publish %s now (make deploy, or start anew on one machine). Then have Terraform forget what it has no more:\n", folder)
	for _, e := range theirs {
		fmt.Fprintf(out, "terraform state rm $(terraform state list -id=%s) # %s\n", e.ID, words(e))
	}
	return nil
}

// importConfig says what becomes of files that the API takes over, and offers it to the API.
func importConfig(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	set := flags("local config import", out)
	folder := set.String("flows", "flows", flowsUsage)
	at := set.String("url", getenv("SYM_API_URL"), configURLUsage)
	over := set.Bool("hand-over", false, "offer what the files have to the API: their next publish without it hands it over")
	lossy := set.Bool("accept-loss", false, "with -hand-over: though Terraform will take away what it has no words for, as is listed without")
	if err := parse(set, args); err != nil {
		return err
	}
	deployment, err := openConfigAPI(ctx, *at, getenv("SYM_JWT"))
	if err != nil {
		return err
	}
	all, org, err := deployment.all(ctx)
	if err != nil {
		return err
	}
	read, report := catalog.Load(*folder, org, builtin.Types())
	if err := report.Err(); err != nil {
		return err
	}
	leaving, staying, err := catalog.Leaving(all, read)
	if err != nil {
		return err
	}
	for _, e := range staying {
		fmt.Fprintf(out, "%s stays in the files: an isolated flow, which the API can't have, is it or needs it\n", words(e))
	}
	if len(leaving) == 0 {
		fmt.Fprintln(out, "the files have nothing that the API could take over")
		return nil
	}
	lost := false
	for _, e := range leaving {
		if unsaid := e.Unsaid(); len(unsaid) > 0 {
			lost = true
			fmt.Fprintf(out, "%s: Terraform has no words for %s, and takes it away with its first change of it\n", words(e), strings.Join(unsaid, ", "))
		}
	}
	policies, err := filepath.Glob(filepath.Join(*folder, "*.policy.yaml"))
	if err != nil {
		return err
	}
	for _, file := range policies {
		fmt.Fprintf(out, "%s: cases of flows that leave the files can't be run any more\n", filepath.Base(file))
	}
	if *over {
		if lost && !*lossy {
			return errors.New("nothing was changed: put what Terraform has no words for into Python (get_approvers, get_permissions, hooks), or give -accept-loss")
		}
		until, err := deployment.handOver(ctx, leaving, nil)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "offered to the API until %s: %d entities. What the files change meanwhile stays theirs.\n", until.Format(time.RFC3339), len(leaving))
		fmt.Fprintf(out, "Remove these documents now, and publish what is left of %s (make deploy, or start anew on one machine):\n", *folder)
		for _, e := range leaving {
			fmt.Fprintf(out, "%s: %s\n", e.File, words(e))
		}
		fmt.Fprintln(out, "Then write the resources in HCL, by these names or others, and import them:")
	} else {
		fmt.Fprintln(out, "After -hand-over, and a publish of files without these, they are imported by:")
	}
	used := map[string]bool{}
	for _, e := range leaving {
		address, id := e.Resource()
		if used[address] {
			address += "_" + strings.ReplaceAll(e.Type, "-", "_")
		}
		used[address] = true
		fmt.Fprintf(out, "terraform import %s %s\n", address, id)
	}
	return nil
}

// absent returns an error if any of the files is there already.
func absent(folder string, files map[string][]byte) error {
	var there []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if _, err := os.Lstat(filepath.Join(folder, filepath.FromSlash(name))); err == nil {
			there = append(there, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("%s has these files already, and nothing is overwritten: %s; move them away, or name another folder with -into", folder, strings.Join(there, ", "))
	}
	return nil
}

// writeNew writes files that are not there yet.
func writeNew(folder string, files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = f.Write(files[name])
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// readBack returns an error unless the files, beside those of the folder, say what the API
// has.
func readBack(folder, org string, all []entity.Entity, exported catalog.Exported) error {
	trial, err := os.MkdirTemp("", "sym-export-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(trial)
	if _, err := os.Stat(folder); err == nil {
		if err := os.CopyFS(trial, catalog.Folder(folder)); err != nil {
			return fmt.Errorf("read %s: %w", folder, err)
		}
	}
	if err := writeNew(trial, exported.Files); err != nil {
		return err
	}
	read, report := catalog.LoadPart(folder, catalog.Folder(trial), org, builtin.Types())
	if err := report.Err(); err != nil {
		return fmt.Errorf("these files would have faults, and are not written: %w", err)
	}
	if differs := exported.Differ(all, read.Drafts); len(differs) > 0 {
		return fmt.Errorf("these would say something else in files, which are not written: %s", strings.Join(differs, ", "))
	}
	return nil
}
