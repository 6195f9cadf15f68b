package store

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"sync"
)

// pack writes v as JSON, compressed: a flow with thousands of targets would
// not fit into an item otherwise.
func pack(v any) ([]byte, error) {
	text, err := encode(v)
	if err != nil {
		return nil, err
	}
	return compress(text)
}

// packAsIs is pack for what has texts of JSON inside, which are to come back letter by
// letter: entities are compared by them.
func packAsIs(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return compress(b.Bytes())
}

// encode writes v as the JSON that packed items hold.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	err := json.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

// compressors are kept: each has tables of most of a megabyte.
var compressors = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func compress(text []byte) ([]byte, error) {
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	var b bytes.Buffer
	z.Reset(&b)
	_, err := z.Write(text)
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// packed tells whether a body was packed. JSON never begins so.
func packed(body []byte) bool { return bytes.HasPrefix(body, []byte{0x1f, 0x8b}) }

func unpack(body []byte, v any) error {
	text, err := decompress(body)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

func decompress(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
