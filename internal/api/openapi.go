package api

import (
	_ "embed"
	"encoding/json"
)

// openAPI is the description of the API (OpenAPI 3.1).
//
//go:embed openapi.json
var openAPI json.RawMessage
