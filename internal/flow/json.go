package flow

import (
	"bytes"
	"encoding/json"
)

// EncodeJSON writes a value as JSON with "<", ">" and "&" as they are. What is
// stored and what limits count is encoded by it: [json.Marshal] makes six bytes
// of each of them, so that a text of people would be six times as long.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
