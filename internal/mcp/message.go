package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// The codes of JSON-RPC, and the one that the Model Context Protocol has for versions.
const (
	codeParse       = -32700
	codeRequest     = -32600
	codeMethod      = -32601
	codeParams      = -32602
	codeUnsupported = -32022
)

// statelessVersion is the revision of the protocol since which there are no sessions, and
// methods that are not there are 404.
const statelessVersion = "2026-07-28"

// served has the methods that a server of tools has, and whether they need parameters. The
// SDK answers others as well (with empty lists of what there is none of), which is more
// than we have told clients that we can.
var served = map[string]bool{
	"initialize": true, "server/discover": false, "ping": false, "tools/list": false, "tools/call": true,
}

// refusal is the answer to a message that there is nothing to do for.
type refusal struct {
	id      json.RawMessage
	code    int
	message string
	data    any
}

// check finds out whether a message is one of the protocol's that is served here: the SDK
// answers some that are not with plain text, and ends the connection for others. What is
// not refused may be handed on, but where silent says that it needs neither that nor an
// answer.
func check(message []byte) (refused *refusal, silent bool) {
	if !json.Valid(message) {
		return &refusal{code: codeParse, message: "this is no JSON"}, false
	}
	if bytes.HasPrefix(bytes.TrimLeft(message, " \t\r\n"), []byte("[")) {
		return nil, false // a batch, which the SDK takes where the client's version has them
	}
	var m struct {
		JSONRPC *string         `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  *string         `json:"method"`
		Params  json.RawMessage `json:"params"`
		Result  json.RawMessage `json:"result"`
		Error   json.RawMessage `json:"error"`
	}
	if json.Unmarshal(message, &m) != nil || m.JSONRPC == nil || *m.JSONRPC != "2.0" {
		return &refusal{code: codeRequest, message: `this is no message of JSON-RPC 2.0: send an object with "jsonrpc": "2.0" and a method`}, false
	}
	if m.Method == nil {
		if m.Result == nil && m.Error == nil {
			return &refusal{code: codeRequest, message: "this message has no method"}, false
		}
		return nil, true // an answer, and we ask nothing
	}
	if m.ID == nil {
		return nil, !slices.Contains(notifications, *m.Method)
	}
	if !strings.ContainsAny(string(m.ID[:1]), `"-0123456789`) {
		return &refusal{code: codeRequest, message: "the id of a request is a string or a number"}, false
	}
	needs, known := served[*m.Method]
	switch {
	case !known:
		return &refusal{m.ID, codeMethod, fmt.Sprintf("there is no method %q here: this is a server of tools", *m.Method), nil}, false
	case m.Params == nil && needs:
		return &refusal{m.ID, codeParams, *m.Method + " needs params", nil}, false
	case m.Params != nil && m.Params[0] != '{':
		return &refusal{m.ID, codeParams, "params are an object", nil}, false
	}
	return nil, false
}

// notifications are those that mean something to a server of tools.
var notifications = []string{"notifications/initialized", "notifications/cancelled"}

// checkVersion refuses versions of the protocol that are not spoken here. What is later than
// all that we know the SDK refuses, with the id of the request.
func checkVersion(version string) *refusal {
	spoken := sdk.SupportedProtocolVersions()
	if version == "" || version > spoken[0] || slices.Contains(spoken, version) {
		return nil
	}
	return &refusal{
		code: codeUnsupported, message: "this version of the protocol is not spoken here: use one of " + strings.Join(spoken, ", "),
		data: map[string]any{"supported": spoken, "requested": version},
	}
}

// json is the refusal as it is sent. Where the id can't be told, it is null.
func (f *refusal) json() []byte {
	type failed struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	}
	id := f.id
	if id == nil {
		id = json.RawMessage("null")
	}
	b, err := json.Marshal(struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   failed          `json:"error"`
	}{"2.0", id, failed{f.code, f.message, f.data}})
	if err != nil {
		panic(err) // of what was read as JSON, and our own words
	}
	return b
}

// status is that of HTTP. Before [statelessVersion], what is said to a request is an
// answer like any other.
func (f *refusal) status(version string) int {
	answers := f.code == codeMethod || f.code == codeParams
	switch {
	case answers && version < statelessVersion:
		return http.StatusOK
	case f.code == codeMethod:
		return http.StatusNotFound
	}
	return http.StatusBadRequest
}
