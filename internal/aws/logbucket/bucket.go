// Package logbucket keeps the files of the transparency log in a bucket of S3, and
// reads buckets as folders. Its counterpart on this machine is audit.Folder.
package logbucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/transparency"
)

// Bucket is a bucket, or what lies under a prefix of it.
type Bucket struct {
	API    *s3.Client // required
	Name   string     // required
	Prefix string     // "" or with "/" at its end
	// Locked says that what is put there can't be deleted for a time (Object Lock). Partial
	// files, whose content is in later ones, are then locked for a day only.
	Locked bool
	Now    func() time.Time // required if it is locked
	// Kept is told of partial files that could not be removed: they take room, and no more.
	// It may be nil.
	Kept func(ctx context.Context, name string, why error)
}

var (
	_ transparency.Files  = Bucket{}
	_ transparency.Keeper = Bucket{}
)

// Parse reads s3://bucket/prefix.
func Parse(url string) (name, prefix string, ok bool) {
	rest, ok := strings.CutPrefix(url, "s3://")
	name, prefix, _ = strings.Cut(rest, "/")
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return name, prefix, ok && name != ""
}

// codeOf gives S3's code of an error.
func codeOf(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

func (b Bucket) fault(doing, name string, err error) error {
	if code := codeOf(err); code == "NoSuchKey" || code == "NotFound" {
		return &fs.PathError{Op: "get", Path: name, Err: fs.ErrNotExist}
	}
	return &flow.Error{Code: flow.CodeUnavailable, Message: fmt.Sprintf("s3://%s/%s%s could not be %s", b.Name, b.Prefix, name, doing), Cause: err}
}

func (b Bucket) get(ctx context.Context, name string) (data []byte, tag string, err error) {
	out, err := b.API.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.Name, Key: aws.String(b.Prefix + name)})
	if err != nil {
		return nil, "", b.fault("read", name, err)
	}
	data, err = io.ReadAll(out.Body)
	if err = errors.Join(err, out.Body.Close()); err != nil {
		return nil, "", b.fault("read", name, err)
	}
	return data, aws.ToString(out.ETag), nil
}

// Read implements [transparency.Files].
func (b Bucket) Read(ctx context.Context, name string) ([]byte, error) {
	data, _, err := b.get(ctx, name)
	return data, err
}

func (b Bucket) put(ctx context.Context, name string, data []byte, condition func(*s3.PutObjectInput)) error {
	in := &s3.PutObjectInput{
		Bucket: &b.Name, Key: aws.String(b.Prefix + name), Body: bytes.NewReader(data),
		ContentType: aws.String(contentType(name)), ChecksumAlgorithm: types.ChecksumAlgorithmSha256, // which a bucket with Object Lock asks for
	}
	condition(in)
	_, err := b.API.PutObject(ctx, in)
	return err
}

// contentType is what tlog-tiles has files served as.
func contentType(name string) string {
	switch top, _, _ := strings.Cut(name, "/"); top {
	case "tile":
		return "application/octet-stream"
	case "values":
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

// partial is in the names of tiles and bundles that are not full.
const partial = ".p/"

// lockedFor is how long partial files can't be deleted: verifiers that read the log as it
// was a moment ago find them.
const lockedFor = 24 * time.Hour

// Write implements [transparency.Files]. What is there already stays, but that a full tile
// takes the place of its partial ones.
func (b Bucket) Write(ctx context.Context, name string, data []byte) error {
	err := b.put(ctx, name, data, func(in *s3.PutObjectInput) {
		in.IfNoneMatch = aws.String("*")
		if b.Locked && strings.Contains(name, partial) {
			in.ObjectLockMode, in.ObjectLockRetainUntilDate = types.ObjectLockModeGovernance, aws.Time(b.Now().Add(lockedFor))
		}
	})
	switch codeOf(err) {
	case "PreconditionFailed", "ConditionalRequestConflict": // 412; 409: it is being written by somebody else
		err = b.there(ctx, name, err)
	}
	if err != nil {
		return b.fault("written", name, err)
	}
	if strings.HasPrefix(name, "tile/") && !strings.Contains(name, partial) {
		b.clear(ctx, name+partial)
	}
	return nil
}

// Keep implements [transparency.Keeper], for a bucket that is not the log's.
func (b Bucket) Keep(ctx context.Context, name string, text []byte) error {
	return b.Write(ctx, name, text)
}

// Remove removes a file that is pruned. Its version stays as long as the bucket has it.
func (b Bucket) Remove(ctx context.Context, name string) error {
	if _, err := b.API.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.Name, Key: aws.String(b.Prefix + name)}); err != nil {
		return b.fault("removed", name, err)
	}
	return nil
}

// there tells whether somebody else has written a file meanwhile; why says that one tried.
func (b Bucket) there(ctx context.Context, name string, why error) error {
	if codeOf(why) == "PreconditionFailed" {
		return nil
	}
	if _, _, err := b.get(ctx, name); err != nil {
		return why
	}
	return nil
}

// clear removes the files below a folder, as far as that can be done.
func (b Bucket) clear(ctx context.Context, folder string) {
	kept := func(name string, why error) {
		if b.Kept != nil {
			b.Kept(ctx, name, why)
		}
	}
	pages := s3.NewListObjectsV2Paginator(b.API, &s3.ListObjectsV2Input{Bucket: &b.Name, Prefix: aws.String(b.Prefix + folder)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			kept(folder, err)
			return
		}
		for _, o := range page.Contents {
			if _, err := b.API.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.Name, Key: o.Key}); err != nil {
				kept(aws.ToString(o.Key), err)
				return
			}
		}
	}
}

// Replace keeps a file that may change, such as the public keys. It writes nothing if
// that is how it is.
func (b Bucket) Replace(ctx context.Context, name string, data []byte) error {
	for try := 1; ; try++ {
		there, tag, err := b.get(ctx, name)
		if err == nil && bytes.Equal(there, data) {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err = b.put(ctx, name, data, condition(tag)); err == nil {
			return nil
		}
		if raced := lost(err); !raced || try == 2 {
			return b.fault("written", name, err)
		}
	}
}

// lost tells whether somebody else has written at the same time: 412, 409; 404 of what was
// deleted meanwhile.
func lost(err error) bool {
	return slices.Contains([]string{"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}, codeOf(err))
}

// condition has a file be written only if it is the one of a tag, or if there is none.
func condition(tag string) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) {
		in.CacheControl = aws.String("no-cache")
		if tag == "" {
			in.IfNoneMatch = aws.String("*")
		} else {
			in.IfMatch = &tag
		}
	}
}

// Checkpoint implements [transparency.Files].
func (b Bucket) Checkpoint(ctx context.Context) (text []byte, tag string, err error) {
	text, tag, err = b.get(ctx, transparency.CheckpointName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	return text, tag, err
}

// SetCheckpoint implements [transparency.Files].
func (b Bucket) SetCheckpoint(ctx context.Context, text []byte, tag string) error {
	err := b.put(ctx, transparency.CheckpointName, text, condition(tag))
	if lost(err) {
		return transparency.ErrChanged
	}
	if err != nil {
		return b.fault("written", transparency.CheckpointName, err)
	}
	return nil
}

// FS shows the bucket as a folder, to be read until the context ends.
func (b Bucket) FS(ctx context.Context) fs.FS { return folder{ctx, b} }

type folder struct {
	ctx context.Context
	Bucket
}

var (
	_ fs.ReadFileFS = folder{}
	_ fs.ReadDirFS  = folder{}
	_ fs.StatFS     = folder{}
	_ fs.SubFS      = folder{}
)

// Open implements fs.FS.
func (f folder) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	data, err := f.Read(f.ctx, name)
	if err != nil {
		return nil, err
	}
	return &file{entry{name: path.Base(name), size: int64(len(data))}, bytes.NewReader(data)}, nil
}

// ReadFile implements fs.ReadFileFS.
func (f folder) ReadFile(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return f.Read(f.ctx, name)
}

// Sub implements fs.SubFS.
func (f folder) Sub(dir string) (fs.FS, error) {
	if !fs.ValidPath(dir) {
		return nil, &fs.PathError{Op: "sub", Path: dir, Err: fs.ErrInvalid}
	}
	if dir != "." {
		f.Prefix += dir + "/"
	}
	return f, nil
}

// Stat implements fs.StatFS. It takes what is asked for to be a folder with something in it, as
// walks ask for the folder that they begin with.
func (f folder) Stat(name string) (fs.FileInfo, error) {
	entries, err := f.ReadDir(name)
	if err == nil && len(entries) == 0 && name != "." {
		err = &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return entry{name: path.Base(name), dir: true}, err
}

// ReadDir implements fs.ReadDirFS.
func (f folder) ReadDir(name string) (entries []fs.DirEntry, err error) {
	dir := f.Prefix
	if name != "." {
		dir += name + "/"
	}
	pages := s3.NewListObjectsV2Paginator(f.API, &s3.ListObjectsV2Input{Bucket: &f.Name, Prefix: &dir, Delimiter: aws.String("/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(f.ctx)
		if err != nil {
			return nil, f.fault("listed", name, err)
		}
		for _, p := range page.CommonPrefixes {
			entries = append(entries, entry{name: path.Base(aws.ToString(p.Prefix)), dir: true})
		}
		for _, o := range page.Contents {
			if base := strings.TrimPrefix(aws.ToString(o.Key), dir); base != "" {
				entries = append(entries, entry{name: base, size: aws.ToInt64(o.Size)})
			}
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// entry is an object or a folder.
type entry struct {
	name string
	size int64
	dir  bool
}

func (e entry) Name() string               { return e.name }
func (e entry) Size() int64                { return e.size }
func (e entry) IsDir() bool                { return e.dir }
func (e entry) ModTime() time.Time         { return time.Time{} }
func (e entry) Sys() any                   { return nil }
func (e entry) Type() fs.FileMode          { return e.Mode().Type() }
func (e entry) Info() (fs.FileInfo, error) { return e, nil }
func (e entry) Mode() fs.FileMode {
	if e.dir {
		return fs.ModeDir | 0o500
	}
	return 0o400
}

// file is an object that was read.
type file struct {
	entry
	*bytes.Reader
}

func (f *file) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *file) Size() int64                { return f.entry.Size() }
func (*file) Close() error                 { return nil }
