package audit

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gofrs/flock"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/transparency"
)

// Folder keeps the files of the transparency log in a folder of this machine. Any
// number of processes may write. Methods are safe for concurrent use.
type Folder struct {
	Dir string // required; made by the first write
	// MakeRoom is as in Files.
	MakeRoom func(error) bool

	mu sync.Mutex
}

var (
	_ transparency.Files  = (*Folder)(nil)
	_ transparency.Keeper = (*Folder)(nil)
)

func (f *Folder) path(name string) string { return filepath.Join(f.Dir, filepath.FromSlash(name)) }

// Read implements [transparency.Files].
func (f *Folder) Read(_ context.Context, name string) ([]byte, error) {
	return os.ReadFile(f.path(name))
}

// Write implements [transparency.Files]. A full tile takes the place of its partial
// ones.
func (f *Folder) Write(ctx context.Context, name string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.appear(name, data); err != nil {
		return err
	}
	return os.RemoveAll(f.path(name + ".p"))
}

// Keep implements [transparency.Keeper], for a folder that is not the log's.
func (f *Folder) Keep(ctx context.Context, name string, text []byte) error {
	return f.Write(ctx, name, text)
}

// Remove removes a file that is pruned.
func (f *Folder) Remove(_ context.Context, name string) error { return removeIfThere(f.path(name)) }

func (f *Folder) appear(name string, data []byte) error {
	try := func() error {
		if err := makeDir(f.Dir); err != nil {
			return err
		}
		return appear(f.Dir, name, data)
	}
	err := try()
	if err != nil && f.MakeRoom != nil && f.MakeRoom(err) {
		err = try()
	}
	return err
}

// Checkpoint implements [transparency.Files].
func (f *Folder) Checkpoint(ctx context.Context) (text []byte, tag string, err error) {
	text, err = f.Read(ctx, transparency.CheckpointName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	return text, tagOf(text), err
}

func tagOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// SetCheckpoint implements [transparency.Files].
func (f *Folder) SetCheckpoint(ctx context.Context, text []byte, tag string) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := makeDir(f.Dir); err != nil {
		return err
	}
	lock := flock.New(f.path(".lock"), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	_, now, err := f.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if now != tag {
		return transparency.ErrChanged
	}
	return f.appear(transparency.CheckpointName, text)
}

// Keys reads the keys of the log in a file that only this user may read, and makes it,
// with a new key for the log of this origin, where there is none; made says that. The
// public keys are written into the log's folder, from which what writers that were
// killed left half done is cleared away. The error has flow.CodeDataDir for a file
// that others may read.
func (f *Folder) Keys(ctx context.Context, file, origin string) (keys []transparency.Key, made bool, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		k, err := transparency.NewKey(rand.Reader, origin)
		if err != nil {
			return nil, false, err
		}
		if err := appear(filepath.Dir(file), filepath.Base(file), []byte(k.Secret()+"\n")); err != nil {
			return nil, false, fmt.Errorf("keep the key of the transparency log: %w", err)
		}
		text, made = []byte(k.Secret()), true
	} else if err != nil {
		return nil, false, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, made, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, made, flow.Errorf(flow.CodeDataDir, "others may read %s, with which the record is signed: chmod 600 it, and make a new key if others have had access to this machine", file)
	}
	if keys, err = transparency.ParseKeys(string(text)); err != nil {
		return nil, made, fmt.Errorf("%s: %w", file, err)
	}
	var public strings.Builder
	for _, k := range keys {
		public.WriteString(k.Public() + "\n")
	}
	if err := clearLeft(f.Dir); err != nil {
		return nil, made, err
	}
	if there, err := f.Read(ctx, transparency.PublicKeyName); err == nil && bytes.Equal(there, []byte(public.String())) {
		return keys, made, nil
	}
	return keys, made, f.appear(transparency.PublicKeyName, []byte(public.String()))
}
