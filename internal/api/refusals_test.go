package api

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/symflows/symflows/events"
	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/store"
)

// refusal is a request that must be refused, and how.
type refusal struct {
	name         string
	method, path string // POST /events/request unless said otherwise
	body         string
	edit         func(*http.Request)
	// before brings the fixture to where the request is wrong; "{run}" in path
	// and body stands for the run that it returns.
	before func(*fixture) (runID string)
	status int
	code   flow.Code
	fields []string // in errors, in order
}

func header(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

func inputs(flowName, json string) string {
	return `{"flow_srn":"sym:flow:` + flowName + `:latest","flow_inputs":` + json + `}`
}

// access is the body of a request to the access flow with some inputs replaced.
func access(old, replacement string) string { return strings.Replace(accessBody, old, replacement, 1) }

// as has the requests that follow carry a token of another bot.
func as(before func(*fixture) string, token store.Token) func(*fixture) string {
	return func(f *fixture) string {
		id := before(f)
		f.carry(token)
		return id
	}
}

func refusals() []refusal {
	const (
		target = `"target_srn":"sym:access_target:aws_lambda_function:orders-db:latest"`
		nobody = "0d6e5a3c-0000-5000-8000-000000000000"
	)
	bad := func(name, body string, fields ...string) refusal {
		return refusal{name: name, body: body, status: 400, code: flow.CodeInvalid, fields: fields}
	}
	who := func(name string, edit func(*http.Request)) refusal {
		return refusal{name: name, body: reportBody, edit: edit, status: 401, code: flow.CodeUnauthenticated}
	}
	kind := func(name string, edit func(*http.Request)) refusal {
		return refusal{name: name, body: reportBody, edit: edit, status: 415, code: flow.CodeMediaType}
	}
	get := func(name, path string, status int, code flow.Code, fields ...string) refusal {
		return refusal{name: name, method: "GET", path: path, status: status, code: code, fields: fields}
	}
	end := func(name, body string, before func(*fixture) string, status int, code flow.Code, fields ...string) refusal {
		return refusal{name: name, path: "/events/deescalate", body: body, before: before, status: status, code: code, fields: fields}
	}
	again := func(name, body string, before func(*fixture) string, status int, code flow.Code, fields ...string) refusal {
		return refusal{name: "retry: " + name, path: "/events/retry", body: body, before: before, status: status, code: code, fields: fields}
	}
	more := func(name, body string, before func(*fixture) string, status int, code flow.Code, fields ...string) refusal {
		return refusal{name: "extend: " + name, path: "/runs/{run}/extend", body: body, before: before, status: status, code: code, fields: fields}
	}
	withdraw := func(name, body string, before func(*fixture) string, status int, code flow.Code, fields ...string) refusal {
		return refusal{name: "cancel: " + name, path: "/runs/{run}/cancel", body: body, before: before, status: status, code: code, fields: fields}
	}
	repeat := func(name, body string, before func(*fixture) string, status int, code flow.Code, fields ...string) refusal {
		return refusal{name: "again: " + name, path: "/runs/{run}/again", body: body, before: before, status: status, code: code, fields: fields}
	}
	list := []refusal{
		who("no token", func(r *http.Request) { r.Header.Del("Authorization") }),
		who("an empty token", header("Authorization", "Bearer ")),
		who("another scheme", func(r *http.Request) { r.SetBasicAuth("ci", "secret") }),
		who("a token without a scheme", func(r *http.Request) {
			r.Header.Set("Authorization", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		}),
		who("an unknown token", header("Authorization", "Bearer symflows_GUESSEDGUESSEDGUESSEDGUESS")),
		who("two tokens", func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }),
		{name: "an expired token", body: reportBody, before: func(f *fixture) string { f.pass(24 * time.Hour); return "" }, status: 401, code: flow.CodeUnauthenticated},
		{name: "a revoked token", body: reportBody, before: func(f *fixture) string {
			known, err := f.api.Tokens.List(f.t.Context())
			if err != nil {
				f.t.Fatal(err)
			}
			if err := f.api.Tokens.Revoke(f.t.Context(), flow.Operator, known[0].ID); err != nil {
				f.t.Fatal(err)
			}
			return ""
		}, status: 401, code: flow.CodeUnauthenticated},

		kind("no content type", func(r *http.Request) { r.Header.Del("Content-Type") }),
		kind("a form", header("Content-Type", "application/x-www-form-urlencoded")),
		kind("another charset", header("Content-Type", "application/json; charset=latin1")),
		kind("a compressed body", header("Content-Encoding", "gzip")),

		bad("no body", "", "body"),
		bad("blanks only", " \n", "body"),
		bad("half an object", `{"flow_srn":`, "body"),
		bad("no JSON", `flow_srn=x`, "body"),
		bad("something after the object", reportBody+"{}", "body"),
		bad("a comma too many", `{"flow_srn":"sym:flow:run-report:latest",}`, "body"),
		bad("a list", `["sym:flow:run-report:latest"]`, "body"),
		bad("null", `null`, "body"),
		bad("no UTF-8", "{\"flow_srn\":\"sym:flow:run-report:latest\",\"context\":\"\xff\"}", "body"),
		bad("a key twice", `{"flow_srn":"sym:flow:run-report:latest","flow_srn":"sym:flow:prod-access:latest"}`, "body"),
		bad("a key twice, written differently", `{"flow_srn":"sym:flow:run-report:latest","flow\u005fsrn":"x"}`, "body"),
		bad("a key twice, inside", `{"flow_srn":"sym:flow:run-report:latest","context":[{"a":{"b":1}},{"a":1,"a":2}]}`, "body"),
		bad("nested too deep", `{"flow_srn":"sym:flow:run-report:latest","context":`+strings.Repeat("[", 70)+strings.Repeat("]", 70)+`}`, "body"),
		bad("nested absurdly deep", `{"context":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`}`, "body"),
		bad("wrong types, all at once", `{"flow_srn":1,"flow_inputs":[],"user_email":{},"user_id":true}`, "flow_inputs", "flow_srn", "user_email", "user_id"),
		bad("a misspelt field", `{"flow_srn":"sym:flow:run-report:latest","user_emial":"alice@example.com"}`, "user_emial"),
		bad("a field in other letters", `{"Flow_SRN":"sym:flow:run-report:latest"}`, "Flow_SRN", "flow_srn"),
		bad("an empty e-mail address", `{"flow_srn":"sym:flow:run-report:latest","flow_inputs":{"table":"orders"},"user_email":""}`, "user_email"),
		bad("no flow", `{"flow_inputs":{}}`, "flow_srn"),
		bad("null for the flow", `{"flow_srn":null}`, "flow_srn"),

		bad("a flow that is no SRN", `{"flow_srn":"run-report"}`, "flow_srn"),
		bad("a flow of another org", `{"flow_srn":"other:flow:run-report:latest"}`, "flow_srn"),
		bad("another thing's SRN", `{"flow_srn":"sym:run:run-report:latest"}`, "flow_srn"),
		{name: "an unknown flow", body: inputs("nothing", `{}`), status: 404, code: flow.CodeUnknownFlow},
		{name: "an unknown version", body: `{"flow_srn":"sym:flow:run-report:9.9.9"}`, status: 404, code: flow.CodeUnknownFlow},
		{name: "an old version", body: `{"flow_srn":"sym:flow:run-report:1.0.1","flow_inputs":{"table":"orders"}}`, before: func(f *fixture) string {
			changed := flows()
			changed[1].Label = "Report"
			if _, err := f.api.Flows.Publish(f.t.Context(), flow.Author{}, changed); err != nil {
				f.t.Fatal(err)
			}
			return ""
		}, status: 404, code: flow.CodeUnknownFlow},
		{name: "a flow for Slack only", body: inputs("by-hand", `{}`), status: 403, code: flow.CodeWrongSource},

		bad("a missing field", inputs("run-report", `{}`), "flow_inputs.table"),
		bad("an empty field", inputs("run-report", `{"table":" "}`), "flow_inputs.table"),
		bad("an ill-typed text", inputs("run-report", `{"table":7}`), "flow_inputs.table"),
		bad("an ill-typed number", inputs("run-report", `{"table":"orders","rows":"many"}`), "flow_inputs.rows"),
		bad("a fraction", inputs("run-report", `{"table":"orders","rows":1.5}`), "flow_inputs.rows"),
		bad("a number that JSON can't carry", inputs("run-report", `{"table":"orders","rows":9007199254740993}`), "flow_inputs.rows"),
		bad("a number beyond all", inputs("run-report", `{"table":"orders","rows":1e999}`), "body"),
		bad("an ill-typed yes or no", inputs("run-report", `{"table":"orders","urgent":"yes"}`), "flow_inputs.urgent"),
		bad("a value that is not allowed", inputs("run-report", `{"table":"salaries"}`), "flow_inputs.table"),
		bad("a field that the flow lacks", inputs("run-report", `{"table":"orders","colour":"red"}`), "flow_inputs.colour"),
		bad("several wrong fields", inputs("run-report", `{"rows":[1],"colour":"red"}`), "flow_inputs.colour", "flow_inputs.rows", "flow_inputs.table"),

		bad("an approval-only flow with a target and a duration", inputs("run-report", `{"table":"orders",`+target+`,"duration":600}`), "flow_inputs.target_srn", "flow_inputs.duration"),
		bad("an access flow without target and duration", inputs("prod-access", `{"reason":"x"}`), "flow_inputs.duration", "flow_inputs.target_srn"),
		bad("a duration that is not offered", access("600", "601"), "flow_inputs.duration"),
		bad("a duration of no time", access("600", "0"), "flow_inputs.duration"),
		bad("a duration in odd words", access("600", `"ten minutes"`), "flow_inputs.duration"),
		bad("an emergency", access(`"user_email"`, `"break_glass":true,"user_email"`), "break_glass"),
		bad("an emergency, as Slack has it", access(`"duration"`, `"break_glass":["break_glass"],"duration"`), "flow_inputs.break_glass"),
		bad("an emergency, by other names", access(`"user_email"`, `"BreakGlass":{"at":"2026-03-02T09:00:00Z"},"submission":{"BreakGlass":true},"user_email"`), "BreakGlass", "submission"),
		bad("a start among the inputs", access(`"duration"`, `"start_at":"1893456000","duration"`), "flow_inputs.start_at"),
		bad("a start in odd words", access(`"user_email"`, `"start_at":"tomorrow","user_email"`), "start_at"),
		bad("a start that is a number", access(`"user_email"`, `"start_at":1893456000,"user_email"`), "start_at"),
		bad("a start that is over", access(`"user_email"`, `"start_at":"2001-03-02T09:00:00Z","user_email"`), "start_at"),
		bad("a start too far ahead", access(`"user_email"`, `"start_at":"2099-03-02T09:00:00Z","user_email"`), "start_at"),
		bad("a start of what needs none", `{"flow_srn":"sym:flow:run-report:latest","flow_inputs":{"table":"orders"},"start_at":"2099-03-02T09:00:00Z"}`, "start_at"),
		bad("a target of another org", access("sym:access_target", "other:access_target"), "flow_inputs.target_srn"),
		bad("a target of another type", access("aws_lambda_function", "okta_group"), "flow_inputs.target_srn"),
		bad("an unknown target", access("orders-db", "payroll-db"), "flow_inputs.target_srn"),
		bad("a target with the id of another", access("orders-db:latest", "orders-db:latest:0d6e5a3c-0000-5000-8000-000000000000"), "flow_inputs.target_srn"),
		bad("a target that is no SRN", access("sym:access_target:aws_lambda_function:orders-db:latest", "orders-db"), "flow_inputs.target_srn"),
		bad("a target that is no text", access(target, `"target_srn":1`), "flow_inputs.target_srn"),
		bad("a target as the form names it", access("target_srn", "target_id"), "flow_inputs.target_id"),

		bad("an unknown e-mail address", access("alice@", "nobody@"), "user_email"),
		bad("an unknown Slack id", access(`"user_email":"alice@example.com"`, `"user_id":"U024NOBODY"`), "user_id"),
		bad("an unknown id of ours", access(`"user_email":"alice@example.com"`, `"user_id":"`+nobody+`"`), "user_id"),
		bad("two ways to name a person", access(`"user_email"`, `"user_id":"U024ALICE","user_email"`), "user_id"),
		{name: "a guest", body: access("alice@", "guest@"), status: 403, code: flow.CodeForbidden},
		{name: "somebody who left", body: access("alice@", "gone@"), status: 403, code: flow.CodeForbidden},
		{name: "somebody who can't be looked up", body: access("alice@example.com", askInVain), status: 503, code: flow.CodeLookup},

		{name: "a megabyte", body: `{"context":"` + strings.Repeat("x", 1<<20) + `"}`, status: 413, code: flow.CodeTooLarge},
		{name: "a megabyte that does not say so", body: `{"context":"` + strings.Repeat("x", 1<<20) + `"}`, edit: func(r *http.Request) { r.ContentLength = -1 }, status: 413, code: flow.CodeTooLarge},
		{name: "a large context", body: access(`"flow_inputs"`, `"context":"`+strings.Repeat("x", 33<<10)+`","flow_inputs"`), status: 413, code: flow.CodeTooLarge, fields: []string{"context"}},
		{name: "large fields", body: access("Deploy build 1234", strings.Repeat("x", 33<<10)), status: 413, code: flow.CodeTooLarge},

		{name: "an empty idempotency key", body: reportBody, edit: header("Idempotency-Key", ""), status: 400, code: flow.CodeInvalid, fields: []string{"Idempotency-Key"}},
		{name: "a long idempotency key", body: reportBody, edit: header("Idempotency-Key", strings.Repeat("k", 256)), status: 400, code: flow.CodeInvalid, fields: []string{"Idempotency-Key"}},
		{name: "an odd idempotency key", body: reportBody, edit: header("Idempotency-Key", "clé"), status: 400, code: flow.CodeInvalid, fields: []string{"Idempotency-Key"}},
		{name: "two idempotency keys", body: reportBody, edit: header("Idempotency-Key", "a", "b"), status: 400, code: flow.CodeInvalid, fields: []string{"Idempotency-Key"}},
		{name: "an idempotency key used for something else", body: reportBody, edit: header("Idempotency-Key", "deploy-1"), before: func(f *fixture) string {
			if resp := f.send("POST", Base+"/events/request", accessBody, header("Idempotency-Key", "deploy-1")); resp.StatusCode != 200 {
				f.t.Fatalf("the first use: %d", resp.StatusCode)
			}
			return ""
		}, status: 409, code: flow.CodeIdempotency},

		end("deescalate: no run", `{}`, nil, 400, flow.CodeInvalid, "run_id"),
		end("deescalate: an ill-typed run", `{"run_id":7}`, nil, 400, flow.CodeInvalid, "run_id"),
		end("deescalate: a field too many", `{"run_id":"`+nobody+`","force":true}`, nil, 400, flow.CodeInvalid, "force"),
		end("deescalate: half a body", `{"run_id":`, nil, 400, flow.CodeInvalid, "body"),
		end("deescalate: what is no id", `{"run_id":"../../etc"}`, nil, 404, flow.CodeUnknownRun),
		end("deescalate: an unknown run", `{"run_id":"`+nobody+`"}`, nil, 404, flow.CodeUnknownRun),
		end("deescalate: a run that was just requested", `{"run_id":"{run}"}`, func(f *fixture) string { return f.request(accessBody).RunID }, 400, flow.CodeInvalidRun),
		end("deescalate: a run that is open", `{"run_id":"{run}"}`, func(f *fixture) string {
			id := f.request(accessBody).RunID
			f.route(id)
			return id
		}, 400, flow.CodeInvalidRun),
		end("deescalate: a run that is over", `{"run_id":"{run}"}`, func(f *fixture) string {
			id := f.escalated()
			f.pass(time.Hour)
			f.remove(id)
			return id
		}, 400, flow.CodeInvalidRun),
		end("deescalate: an approval-only run", `{"run_id":"{run}"}`, func(f *fixture) string { return f.request(reportBody).RunID }, 400, flow.CodeInvalidRun),
		end("deescalate: a large body", `{"run_id":"`+strings.Repeat("x", 1<<20)+`"}`, nil, 413, flow.CodeTooLarge),
		{name: "deescalate: a form", path: "/events/deescalate", body: "run_id=x", edit: header("Content-Type", "application/x-www-form-urlencoded"), status: 415, code: flow.CodeMediaType},
		{name: "deescalate: no token", path: "/events/deescalate", body: `{}`, edit: func(r *http.Request) { r.Header.Del("Authorization") }, status: 401, code: flow.CodeUnauthenticated},

		again("no run", `{}`, nil, 400, flow.CodeInvalid, "run_id"),
		again("an ill-typed run", `{"run_id":7}`, nil, 400, flow.CodeInvalid, "run_id"),
		again("a field too many", `{"run_id":"`+nobody+`","force":true}`, nil, 400, flow.CodeInvalid, "force"),
		again("half a body", `{"run_id":`, nil, 400, flow.CodeInvalid, "body"),
		again("what is no id", `{"run_id":"../../etc"}`, nil, 404, flow.CodeUnknownRun),
		again("an unknown run", `{"run_id":"`+nobody+`"}`, nil, 404, flow.CodeUnknownRun),
		again("a run that goes well", `{"run_id":"{run}"}`, (*fixture).escalated, 400, flow.CodeNothingFailed),
		again("a run that was tried again already", `{"run_id":"{run}"}`, func(f *fixture) string {
			id := f.stuck()
			ok[events.RetryOutput](f, "POST", Base+"/events/retry", `{"run_id":"`+id+`"}`)
			return id
		}, 400, flow.CodeNothingFailed),
		again("access that is given up", `{"run_id":"{run}"}`, func(f *fixture) string {
			id := f.open()
			f.receive(id, flow.ActionApprove, bob.Actor)
			f.decide(id)
			f.intend(id)
			f.change(id, func(flow.Run) flow.Input {
				return flow.Fail{Step: flow.EventEscalate, Reason: flow.Failure{Code: flow.CodeStrategy, Message: "no such role"}}
			})
			f.receive(id, flow.ActionDeescalate, bob.Actor)
			return id
		}, 409, flow.CodeStale),
		again("a token for other flows", `{"run_id":"{run}"}`, as((*fixture).stuck, store.Token{Flows: []string{"run-report"}}), 403, flow.CodeForbidden),
		again("a token for other people", `{"run_id":"{run}"}`, as((*fixture).stuck, store.Token{People: []string{"bob@example.com"}}), 403, flow.CodeForbidden),
		again("a token whose owner can't be looked up", `{"run_id":"{run}"}`, as((*fixture).stuck, store.Token{Owner: askInVain}), 503, flow.CodeLookup),
		again("a token for other flows, of what failed after an approval", `{"run_id":"{run}"}`, as((*fixture).afterFailed, store.Token{Flows: []string{"prod-access"}}), 403, flow.CodeForbidden),
		again("a large body", `{"run_id":"`+strings.Repeat("x", 1<<20)+`"}`, nil, 413, flow.CodeTooLarge),
		{name: "retry: a form", path: "/events/retry", body: "run_id=x", edit: header("Content-Type", "application/x-www-form-urlencoded"), status: 415, code: flow.CodeMediaType},
		{name: "retry: no token", path: "/events/retry", body: `{}`, edit: func(r *http.Request) { r.Header.Del("Authorization") }, status: 401, code: flow.CodeUnauthenticated},

		more("nothing", `{}`, (*fixture).escalated, 400, flow.CodeInvalid, "duration"),
		more("a duration in words", `{"duration":"30m"}`, (*fixture).escalated, 400, flow.CodeInvalid, "duration"),
		more("no time", `{"duration":0}`, (*fixture).escalated, 400, flow.CodeInvalid, "duration"),
		more("for ever", `{"duration":9223372036854775807}`, (*fixture).escalated, 400, flow.CodeInvalid, "duration"),
		more("a field too many", `{"duration":1800,"force":true}`, (*fixture).escalated, 400, flow.CodeInvalid, "force"),
		more("as long as nobody offers", `{"duration":1801}`, (*fixture).escalated, 400, flow.CodeNotExtendable),
		more("what is not granted", `{"duration":1800}`, (*fixture).stuck, 400, flow.CodeNotExtendable),
		more("what has ended", `{"duration":1800}`, func(f *fixture) string {
			id := f.escalated()
			f.pass(10 * time.Hour)
			return id
		}, 400, flow.CodeNotExtendable),
		more("a long reason", `{"duration":1800,"reason":"`+strings.Repeat("x", 4000)+`"}`, (*fixture).escalated, 413, flow.CodeTooLarge),
		more("a token for other flows", `{"duration":1800}`, as((*fixture).escalated, store.Token{Flows: []string{"run-report"}}), 403, flow.CodeForbidden),
		more("a token for other people", `{"duration":1800}`, as((*fixture).escalated, store.Token{People: []string{"bob@example.com"}}), 403, flow.CodeForbidden),
		more("a token whose owner can't be looked up", `{"duration":1800}`, as((*fixture).escalated, store.Token{Owner: askInVain}), 503, flow.CodeLookup),
		{name: "extend: the key of another", path: "/runs/{run}/extend", body: `{"duration":3600}`, edit: header(headerIdempotencyKey, "k"), before: func(f *fixture) string {
			id := f.escalated()
			f.send("POST", Base+"/runs/"+id+"/extend", `{"duration":1800}`, header(headerIdempotencyKey, "k"))
			return id
		}, status: 409, code: flow.CodeIdempotency},
		{name: "extend: the key of another reason", path: "/runs/{run}/extend", body: `{"duration":1800,"reason":"the tests"}`, edit: header(headerIdempotencyKey, "k"), before: func(f *fixture) string {
			id := f.escalated()
			f.send("POST", Base+"/runs/"+id+"/extend", `{"duration":1800,"reason":"the migration"}`, header(headerIdempotencyKey, "k"))
			return id
		}, status: 409, code: flow.CodeIdempotency},
		{name: "extend: an unknown run", path: "/runs/" + nobody + "/extend", body: `{"duration":1800}`, status: 404, code: flow.CodeUnknownRun},
		{name: "extend: a form", path: "/runs/" + nobody + "/extend", body: "duration=1", edit: header("Content-Type", "application/x-www-form-urlencoded"), status: 415, code: flow.CodeMediaType},
		{name: "extend: no token", path: "/runs/" + nobody + "/extend", body: `{}`, edit: func(r *http.Request) { r.Header.Del("Authorization") }, status: 401, code: flow.CodeUnauthenticated},

		withdraw("a field", `{"force":true}`, (*fixture).open, 400, flow.CodeInvalid, "force"),
		withdraw("a list", `[]`, (*fixture).open, 400, flow.CodeInvalid, "body"),
		withdraw("a form that is open in Slack", "", func(f *fixture) string { return f.formOf(alice.Actor, f.clock()) }, 409, flow.CodeIllegal),
		withdraw("a run that was denied", "", func(f *fixture) string {
			id := f.open()
			f.receive(id, flow.ActionDeny, bob.Actor)
			f.decide(id)
			return id
		}, 409, flow.CodeDecided),
		withdraw("access that is there", "", (*fixture).escalated, 409, flow.CodeDecided),
		withdraw("access that has started later", "", func(f *fixture) string {
			id := f.later()
			f.pass(2 * time.Hour)
			f.change(id, func(flow.Run) flow.Input { return flow.Begin{} })
			f.intend(id)
			return id
		}, 409, flow.CodeDecided),
		withdraw("a token for other flows", "", as((*fixture).open, store.Token{Flows: []string{"run-report"}}), 403, flow.CodeForbidden),
		withdraw("a token for other people", "", as((*fixture).open, store.Token{People: []string{"bob@example.com"}}), 403, flow.CodeForbidden),
		withdraw("a token for nobody", "", as((*fixture).open, store.Token{People: []string{}}), 403, flow.CodeForbidden),
		withdraw("a token for other people, of what is cancelled", "", as((*fixture).cancelled, store.Token{People: []string{"bob@example.com"}}), 403, flow.CodeForbidden),
		withdraw("a token whose owner can't be looked up", "", as((*fixture).open, store.Token{Owner: askInVain}), 503, flow.CodeLookup),
		withdraw("a large body", `{"x":"`+strings.Repeat("x", 1<<20)+`"}`, (*fixture).open, 413, flow.CodeTooLarge),
		{name: "cancel: an unknown run", path: "/runs/" + nobody + "/cancel", status: 404, code: flow.CodeUnknownRun},
		{name: "cancel: a form", path: "/runs/" + nobody + "/cancel", body: "force=1", edit: header("Content-Type", "application/x-www-form-urlencoded"), status: 415, code: flow.CodeMediaType},
		{name: "cancel: no token", path: "/runs/" + nobody + "/cancel", edit: func(r *http.Request) { r.Header.Del("Authorization") }, status: 401, code: flow.CodeUnauthenticated},

		repeat("a field too many", `{"flow_srn":"sym:flow:run-report:latest","user_email":"bob@example.com","reason":"x"}`, (*fixture).cancelled, 400, flow.CodeInvalid, "flow_srn", "reason", "user_email"),
		repeat("an emergency", `{"flow_inputs":{"break_glass":["break_glass"]}}`, (*fixture).cancelled, 400, flow.CodeInvalid, "flow_inputs.break_glass"),
		repeat("a duration that is not offered", `{"flow_inputs":{"duration":601}}`, (*fixture).cancelled, 400, flow.CodeInvalid, "flow_inputs.duration"),
		repeat("a target as the form names it", `{"flow_inputs":{"target_id":"orders-db"}}`, (*fixture).cancelled, 400, flow.CodeInvalid, "flow_inputs.target_id"),
		repeat("a start that is over", `{"start_at":"2001-03-02T09:00:00Z"}`, (*fixture).cancelled, 400, flow.CodeInvalid, "start_at"),
		repeat("a request that is open", "", (*fixture).open, 409, flow.CodeIllegal),
		repeat("access that is there", "", (*fixture).escalated, 409, flow.CodeIllegal),
		repeat("access that starts later", "", (*fixture).later, 409, flow.CodeIllegal),
		repeat("a request that is not open yet", "", func(f *fixture) string { return f.request(accessBody).RunID }, 409, flow.CodeIllegal),
		repeat("a form that was never sent", "", func(f *fixture) string { return f.lapsed(alice.Actor) }, 409, flow.CodeIllegal),
		{name: "again: the key of another", path: "/runs/{run}/again", body: `{"flow_inputs":{"reason":"Once more"}}`, edit: header(headerIdempotencyKey, "k"), before: func(f *fixture) string {
			id := f.cancelled()
			f.send("POST", Base+"/runs/"+id+"/again", "", header(headerIdempotencyKey, "k"))
			return id
		}, status: 409, code: flow.CodeIdempotency},
		{name: "again: the key of a request", path: "/runs/{run}/again", edit: header(headerIdempotencyKey, "k"), before: func(f *fixture) string {
			id := f.cancelled()
			f.send("POST", Base+"/events/request", accessBody, header(headerIdempotencyKey, "k"))
			return id
		}, status: 409, code: flow.CodeIdempotency},
		repeat("a target that the flow does not have any more", "", func(f *fixture) string {
			id := f.cancelled()
			changed := flows()
			changed[0].Strategy.Targets[0].Name = "customers-db"
			f.publish(changed)
			return id
		}, 400, flow.CodeInvalid, "flow_inputs.target_srn"),
		repeat("a flow that programs can't start any more", "", func(f *fixture) string {
			id := f.cancelled()
			changed := flows()
			changed[0].Params.AllowedSources = &[]flow.Channel{flow.ChannelSlack}
			f.publish(changed)
			return id
		}, 403, flow.CodeWrongSource),
		repeat("a flow that is gone", "", func(f *fixture) string {
			id := f.cancelled()
			f.publish(flows()[1:])
			return id
		}, 404, flow.CodeUnknownFlow),
		repeat("what another bot asked for itself", "", as(func(f *fixture) string { return f.withdrawn(f.request(reportBody).RunID) }, store.Token{}), 403, flow.CodeForbidden),
		repeat("a token for other flows", "", as((*fixture).cancelled, store.Token{Flows: []string{"run-report"}}), 403, flow.CodeForbidden),
		repeat("a token for other people", "", as((*fixture).cancelled, store.Token{People: []string{"bob@example.com"}}), 403, flow.CodeForbidden),
		repeat("a token whose owner can't be looked up", "", as((*fixture).cancelled, store.Token{Owner: askInVain}), 503, flow.CodeLookup),
		repeat("a large body", `{"context":"`+strings.Repeat("x", 1<<20)+`"}`, (*fixture).cancelled, 413, flow.CodeTooLarge),
		{name: "again: an unknown run", path: "/runs/" + nobody + "/again", status: 404, code: flow.CodeUnknownRun},
		{name: "again: a form", path: "/runs/" + nobody + "/again", body: "reason=x", edit: header("Content-Type", "application/x-www-form-urlencoded"), status: 415, code: flow.CodeMediaType},
		{name: "again: no token", path: "/runs/" + nobody + "/again", edit: func(r *http.Request) { r.Header.Del("Authorization") }, status: 401, code: flow.CodeUnauthenticated},

		get("an event that is no id", "/events/7", 404, flow.CodeUnknownEvent),
		get("an unknown event", "/events/"+nobody, 404, flow.CodeUnknownEvent),
		get("an event id with a slash", "/events/a%2Fb", 404, flow.CodeUnknownEvent),
		{name: "a run's id for an event's", method: "GET", path: "/events/{run}", before: func(f *fixture) string { return f.request(reportBody).RunID }, status: 404, code: flow.CodeUnknownEvent},
		get("a run that is no id", "/runs/7", 404, flow.CodeUnknownRun),
		get("an unknown run", "/runs/"+nobody, 404, flow.CodeUnknownRun),
		get("a receipt of an unknown run", "/runs/"+nobody+"/receipt", 404, flow.CodeUnknownRun),
		{name: "a receipt of what is not logged yet", method: "GET", path: "/runs/{run}/receipt", before: (*fixture).open, status: 404, code: flow.CodeNotLogged},
		{name: "a receipt where there is no log", method: "GET", path: "/runs/{run}/receipt", before: func(f *fixture) string {
			f.api.Receipts = nil
			return f.open()
		}, status: 404, code: flow.CodeNotLogged},
		get("runs by nothing", "/runs", 400, flow.CodeInvalid, "status"),
		get("runs of an unknown status", "/runs?status=granted", 400, flow.CodeInvalid, "status"),
		get("runs that are no emergencies", "/runs?status=denied&break_glass=false", 400, flow.CodeInvalid, "break_glass"),
		get("all emergencies", "/runs?break_glass=true", 400, flow.CodeInvalid, "status"),
		get("no runs at all", "/runs?status=denied&limit=0", 400, flow.CodeInvalid, "limit"),
		get("too many runs", "/runs?status=denied&limit=101", 400, flow.CodeInvalid, "limit"),
		get("an unknown parameter", "/runs?status=denied&user=alice", 400, flow.CodeInvalid, "user"),
		get("a parameter twice", "/runs?status=denied&status=expired", 400, flow.CodeInvalid, "status"),
		get("an empty parameter", "/runs?status=denied&requester=", 400, flow.CodeInvalid, "requester"),
		get("several wrong parameters", "/runs?status=x&limit=x&user=x", 400, flow.CodeInvalid, "limit", "status", "user"),
		get("a made-up cursor", "/runs?status=denied&cursor=abc", 400, flow.CodeInvalid, "cursor"),
		get("a query that can't be read", "/runs?status=%zz", 400, flow.CodeInvalid, "query"),

		get("request by GET", "/events/request", 405, flow.CodeMethod),
		{name: "runs by DELETE", method: "DELETE", path: "/runs/" + nobody, status: 405, code: flow.CodeMethod},
		{name: "flows by POST", method: "POST", path: "/flows", body: `{}`, status: 405, code: flow.CodeMethod},
		{name: "runs of others, by an agent", method: "GET", path: "/runs?requester=bob@example.com", before: func(f *fixture) string {
			f.carryAgent("helper", "alice@example.com")
			return ""
		}, status: 403, code: flow.CodeForbidden},
		{name: "more than an agent may ask for", body: agentBody, before: func(f *fixture) string {
			withAgents(f)
			for range store.DefaultAgentLimits.AtOnce {
				f.request(agentBody)
			}
			return ""
		}, status: 429, code: flow.CodeAgentLimit},
		get("what an unknown flow takes", "/flows/nothing", 404, flow.CodeUnknownFlow),
		get("no such path", "/approve", 404, flow.CodeNotFound),
		get("the base", "", 404, flow.CodeNotFound),
		{name: "drift, by a token without the right", method: "GET", path: "/drift", before: func(f *fixture) string {
			value, _, err := f.api.Tokens.Create(f.t.Context(), flow.Operator, store.Token{Bot: "deploys", Owner: "bob@example.com"}, time.Hour)
			if err != nil {
				f.t.Fatal(err)
			}
			f.token = value
			return ""
		}, status: 403, code: flow.CodeForbidden},
		get("a slash at the end", "/flows/", 404, flow.CodeNotFound),
		get("two slashes", "//flows", 404, flow.CodeNotFound),
		get("a detour", "/runs/../flows", 404, flow.CodeNotFound),
	}
	guessed := func(f *fixture) string {
		f.api.Attempts = &Attempts{PerMinute: 1, Now: f.clock}
		f.send(http.MethodGet, "/api/v1/flows", "", header("Authorization", "Bearer guess"))
		return ""
	}
	for _, path := range []string{"/events/request", "/events/deescalate", "/events/retry", "/runs/" + nobody + "/extend", "/runs/" + nobody + "/cancel", "/runs/" + nobody + "/again"} {
		list = append(list, refusal{name: "a bad token before " + path, path: path, body: `{}`, before: guessed, status: 429, code: flow.CodeTooManyAttempts})
	}
	for _, path := range []string{"/events/" + nobody, "/runs/" + nobody, "/runs/" + nobody + "/receipt", "/runs?status=denied", "/flows", "/flows/run-report", "/drift"} {
		after := get("a bad token before "+path, path, 429, flow.CodeTooManyAttempts)
		after.before = guessed
		list = append(list, after)
		r := get("no token for "+path, path, 401, flow.CodeUnauthenticated)
		r.edit = func(r *http.Request) { r.Header.Del("Authorization") }
		list = append(list, r)
	}
	return list
}

// run sends the request and holds the answer to what must be.
func (c refusal) run(t *testing.T, doc *document) {
	f := newFixture(t)
	method, path, body := c.method, c.path, c.body
	if method == "" {
		method = "POST"
	}
	if path == "" && method == "POST" {
		path = "/events/request"
	}
	if c.before != nil {
		id := c.before(f)
		path, body = strings.ReplaceAll(path, "{run}", id), strings.ReplaceAll(body, "{run}", id)
	}
	stored := f.stored()
	resp := f.send(method, Base+path, body, c.edit)
	answer := doc.check(t, method, Base+path, resp)
	var got events.APIError
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	if resp.StatusCode != c.status || got.Code != string(c.code) {
		t.Errorf("got %d %s, want %d %s\n%s", resp.StatusCode, got.Code, c.status, c.code, answer)
	}
	fields := []string(nil)
	for _, e := range got.Errors {
		fields = append(fields, e.Field)
	}
	if diff := cmp.Diff(c.fields, fields); diff != "" {
		t.Errorf("fields: -want +got\n%s%s", diff, answer)
	}
	if diff := cmp.Diff(stored, f.stored()); diff != "" {
		t.Errorf("a refused request changed the table:\n%s", diff)
	}
	switch resp.StatusCode {
	case 401:
		if got := resp.Header.Get("WWW-Authenticate"); got != "Bearer" {
			t.Errorf("WWW-Authenticate is %q", got)
		}
	case 405:
		if got := resp.Header.Get("Allow"); got == "" || strings.Contains(got, method) {
			t.Errorf("Allow is %q for %s", got, method)
		}
	}
	if strings.Contains(f.log.String(), f.token) {
		t.Error("the token is in the log")
	}
}

// A body is not even read for somebody who has no token.
func TestTokenBeforeBody(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	resp := f.send("POST", Base+"/events/request", "", func(r *http.Request) {
		r.Header.Del("Authorization")
		r.Body = io.NopCloser(untouchable{t})
	})
	if resp.StatusCode != 401 {
		t.Errorf("got %d", resp.StatusCode)
	}
}

type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}
