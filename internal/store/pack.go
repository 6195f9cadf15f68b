package store

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
)

// pack writes v as JSON, compressed: a flow with thousands of targets would
// not fit into an item otherwise.
func pack(v any) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := errors.Join(json.NewEncoder(z).Encode(v), z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// packed tells whether a body was packed. JSON never begins so.
func packed(body []byte) bool { return bytes.HasPrefix(body, []byte{0x1f, 0x8b}) }

func unpack(body []byte, v any) error {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return json.NewDecoder(z).Decode(v)
}
