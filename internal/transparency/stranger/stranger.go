// Package stranger verifies a transparency log of records as somebody would who has
// read the published formats and none of our code: it has its own hashing and its own
// parsing, from the standard library only. Tests hold the log to it.
//
// The formats: c2sp.org/signed-note, c2sp.org/tlog-checkpoint,
// c2sp.org/tlog-cosignature, c2sp.org/tlog-tiles, c2sp.org/tlog-proof, RFC 6962 §2.1.
package stranger

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

type hash = [32]byte

func leafHash(data []byte) hash { return sha256.Sum256(append([]byte{0}, data...)) }

func nodeHash(l, r hash) hash {
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

// root is MTH of RFC 6962, over leaf hashes.
func root(d []hash) hash {
	switch len(d) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return d[0]
	}
	k := 1
	for k*2 < len(d) {
		k *= 2
	}
	return nodeHash(root(d[:k]), root(d[k:]))
}

// key reads a verifier key: name+id+base64(type, public key).
func key(text string) (name string, public ed25519.PublicKey, err error) {
	parts := strings.SplitN(strings.TrimSpace(text), "+", 3)
	if len(parts) != 3 {
		return "", nil, errors.New("not a verifier key")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 33 || raw[0] != 1 {
		return "", nil, errors.New("not a key of Ed25519")
	}
	if id(parts[0], 1, raw[1:]) != parts[1] {
		return "", nil, errors.New("the key's id is wrong")
	}
	return parts[0], raw[1:], nil
}

func id(name string, kind byte, public []byte) string {
	sum := sha256.Sum256(append(append([]byte(name), '\n', kind), public...))
	return fmt.Sprintf("%x", sum[:4])
}

// checkpoint is a signed tree head.
type checkpoint struct {
	size int
	root hash
	at   time.Time
}

func open(text []byte, vkey string) (c checkpoint, err error) {
	name, public, err := key(vkey)
	if err != nil {
		return c, err
	}
	cut := bytes.LastIndex(text, []byte("\n\n"))
	if cut < 0 || !bytes.HasSuffix(text, []byte("\n")) {
		return c, errors.New("not a signed note")
	}
	body, signatures := text[:cut+1], string(text[cut+2:])
	lines := strings.Split(string(body), "\n")
	if len(lines) != 4 || lines[0] != name {
		return c, fmt.Errorf("a checkpoint of %q has three lines: %q", name, body)
	}
	if c.size, err = strconv.Atoi(lines[1]); err != nil {
		return c, err
	}
	raw, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(raw) != 32 {
		return c, errors.New("no root hash")
	}
	c.root = hash(raw)
	plain, timed := false, false
	for line := range strings.Lines(signatures) {
		parts := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(parts) != 3 || parts[0] != "—" {
			return c, fmt.Errorf("not a signature line: %q", line)
		}
		raw, err := base64.StdEncoding.DecodeString(parts[2])
		if err != nil || len(raw) < 5 || parts[1] != name {
			continue
		}
		switch fmt.Sprintf("%x", raw[:4]) {
		case id(name, 1, public):
			if !ed25519.Verify(public, body, raw[4:]) {
				return c, errors.New("wrong signature")
			}
			plain = true
		case id(name, 4, public):
			if len(raw) != 4+8+64 {
				return c, errors.New("wrong length of a cosignature")
			}
			at := binary.BigEndian.Uint64(raw[4:])
			if !ed25519.Verify(public, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, body), raw[12:]) {
				return c, errors.New("wrong cosignature")
			}
			c.at, timed = time.Unix(int64(at), 0).UTC(), true
		}
	}
	if !plain || !timed {
		return c, errors.New("not signed by the key, with and without the time")
	}
	return c, nil
}

// number writes the N of a tile's path.
func number(n int) string {
	out := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		out = fmt.Sprintf("x%03d/", n%1000) + out
	}
	return out
}

// tile reads a tile or bundle of this many, or the full one in its place.
func tile(log fs.FS, level string, n, w int) ([]byte, error) {
	name := "tile/" + level + "/" + number(n)
	if w < 256 {
		data, err := fs.ReadFile(log, name+".p/"+strconv.Itoa(w))
		if !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return fs.ReadFile(log, name)
}

// Verify checks a whole log in a folder against a verifier key, and gives its leaves
// and the time of its checkpoint.
func Verify(log fs.FS, vkey string) (leaves [][]byte, at time.Time, err error) {
	text, err := fs.ReadFile(log, "checkpoint")
	if err != nil {
		return nil, at, err
	}
	c, err := open(text, vkey)
	if err != nil {
		return nil, at, err
	}
	var hashes []hash
	for n := 0; n*256 < c.size; n++ {
		w := min(256, c.size-n*256)
		data, err := tile(log, "entries", n, w)
		if err != nil {
			return nil, at, err
		}
		for range w {
			if len(data) < 2 || len(data) < 2+int(data[0])<<8+int(data[1]) {
				return nil, at, fmt.Errorf("bundle %d is too short", n)
			}
			size := int(data[0])<<8 + int(data[1])
			leaves, hashes = append(leaves, data[2:2+size]), append(hashes, leafHash(data[2:2+size]))
			data = data[2+size:]
		}
	}
	if root(hashes) != c.root {
		return nil, at, errors.New("the entries are not those of the checkpoint")
	}
	// Every tile is what follows from the entries.
	level := hashes
	for l := 0; len(level) > 0; l++ {
		var above []hash
		for n := 0; n*256 < len(level); n++ {
			some := level[n*256 : min(len(level), n*256+256)]
			data, err := tile(log, strconv.Itoa(l), n, len(some))
			if err != nil {
				return nil, at, err
			}
			for i, h := range some {
				if len(data) < 32*i+32 || !bytes.Equal(data[32*i:32*i+32], h[:]) {
					return nil, at, fmt.Errorf("tile %d of level %d is wrong at %d", n, l, i)
				}
			}
			if len(some) == 256 {
				above = append(above, root(some))
			}
		}
		level = above
	}
	return leaves, c.at, nil
}

// CheckReceipt checks a proof that a leaf is in a log, offline.
func CheckReceipt(leaf []byte, proof, vkey string) error {
	head, note, ok := strings.Cut(proof, "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a proof")
	}
	c, err := open([]byte(note), vkey)
	if err != nil {
		return err
	}
	index, err := strconv.Atoi(strings.TrimPrefix(lines[1], "index "))
	if err != nil || index >= c.size {
		return errors.New("no index")
	}
	h, fn, sn := leafHash(leaf), index, c.size-1 // RFC 9162 §2.1.3.2
	for _, line := range lines[2:] {
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != 32 || sn == 0 {
			return errors.New("not a path")
		}
		if fn&1 == 1 || fn == sn {
			h = nodeHash(hash(raw), h)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			h = nodeHash(h, hash(raw))
		}
		fn, sn = fn>>1, sn>>1
	}
	if sn != 0 || h != c.root {
		return errors.New("the path does not lead to the root")
	}
	return nil
}

// KeyChange is what a note of a change of keys says.
type KeyChange struct {
	At      time.Time
	Size    int
	Keys    []string
	Vouched bool // by one that signed before
}

// Keys reads a note of a change of keys, as docs/audit.md has its text.
func Keys(text []byte) (c KeyChange, err error) {
	cut := bytes.LastIndex(text, []byte("\n\n"))
	if cut < 0 || !bytes.HasSuffix(text, []byte("\n")) {
		return c, errors.New("not a signed note")
	}
	body := text[:cut+1]
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	if len(lines) < 5 {
		return c, fmt.Errorf("too few lines: %q", body)
	}
	if c.At, err = time.Parse(time.RFC3339, strings.TrimPrefix(lines[1], "at ")); err != nil {
		return c, err
	}
	tree := strings.Split(lines[2], " ")
	if len(tree) != 3 || tree[0] != "from" {
		return c, fmt.Errorf("no tree: %q", lines[2])
	}
	if c.Size, err = strconv.Atoi(tree[1]); err != nil {
		return c, err
	}
	if raw, err := base64.StdEncoding.DecodeString(tree[2]); err != nil || len(raw) != 32 {
		return c, errors.New("no root hash")
	}
	encoded, ok := strings.CutPrefix(lines[len(lines)-1], "last ")
	last, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || !ok {
		return c, fmt.Errorf("no last checkpoint: %v", err)
	}
	for _, line := range lines[3 : len(lines)-1] {
		vkey, ok := strings.CutPrefix(line, "key ")
		if !ok {
			return c, fmt.Errorf("not a key: %q", line)
		}
		name, public, err := key(vkey)
		if err != nil || lines[0] != name+"/keys" {
			return c, fmt.Errorf("a key of another log: %q, %v", line, err)
		}
		if !signed(name, public, body, string(text[cut+2:])) {
			return c, fmt.Errorf("%s has not signed it", vkey)
		}
		c.Keys = append(c.Keys, vkey)
		if _, err := open(last, vkey); err == nil {
			c.Vouched = true
		}
	}
	return c, nil
}

// signed tells whether a key has signed a text, without a time.
func signed(name string, public ed25519.PublicKey, body []byte, signatures string) bool {
	for line := range strings.Lines(signatures) {
		parts := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(parts) != 3 || parts[0] != "—" || parts[1] != name {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(parts[2])
		if err == nil && len(raw) == 4+64 && fmt.Sprintf("%x", raw[:4]) == id(name, 1, public) && ed25519.Verify(public, body, raw[4:]) {
			return true
		}
	}
	return false
}
