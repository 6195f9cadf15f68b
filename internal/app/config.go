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

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/api"
	"github.com/symflows/symflows/internal/catalog"
	"github.com/symflows/symflows/internal/client"
	"github.com/symflows/symflows/internal/entity"
	"github.com/symflows/symflows/internal/strategy/builtin"
)

const (
	configURLUsage = "URL of the API of a deployment (output ApiUrl; default SYM_API_URL), asked with the token in SYM_JWT, which may configure, or else with this shell's AWS credentials"
	configHelp     = "usage: local config export [-into DIR] [-url URL]"
)

// configCommand moves configuration between the API and files.
func configCommand(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(configHelp)
	}
	switch args[0] {
	case "export":
		return exportConfig(ctx, args[1:], getenv, out)
	}
	return fmt.Errorf("there is no command \"config %s\": %s", args[0], configHelp)
}

// configuredAt reads a part of what a deployment has configured: what comes after another.
type configuredAt func(ctx context.Context, after string) (events.EntityList, error)

func askConfigured(ctx context.Context, url, token string) (configuredAt, error) {
	if token != "" {
		address, err := client.Address(url)
		return client.New(address, token).Configured, err
	}
	signed, err := tokensAt(ctx, url)
	return func(ctx context.Context, after string) (list events.EntityList, err error) {
		err = signed.call(ctx, http.MethodGet, api.SignedEntitiesPath+"all?"+values("after", after), nil, &list)
		return list, err
	}, err
}

func values(name, value string) string { return url.Values{name: {value}}.Encode() }

// all reads all that a deployment has configured, and its org.
func (ask configuredAt) all(ctx context.Context) (all []entity.Entity, org string, err error) {
	for after := ""; ; {
		list, err := ask(ctx, after)
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

// exportConfig writes what the API has as files, and changes nothing else.
func exportConfig(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	set := flags("local config export", out)
	into := set.String("into", "flows", "folder of the configuration, which the files are written into; no file that is there is overwritten")
	at := set.String("url", getenv("SYM_API_URL"), configURLUsage)
	if err := parse(set, args); err != nil {
		return err
	}
	if *at == "" {
		return errors.New("whose configuration? Give -url, or set SYM_API_URL")
	}
	ask, err := askConfigured(ctx, *at, getenv("SYM_JWT"))
	if err != nil {
		return err
	}
	all, org, err := ask.all(ctx)
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
			fmt.Fprintf(out, "%s %s is named %s in files, where no two of its kind may have one name\n", strings.ReplaceAll(string(e.Kind), "_", " "), e.Name, name)
		}
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
