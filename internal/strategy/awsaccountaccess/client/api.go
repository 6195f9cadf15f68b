package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// api speaks to the account access manager:
// https://docs.aws.amazon.com/account-access/latest/APIReference/API_Operations.html
// The Go module of AWS's SDK for it is not to be had, so this is one of our own,
// of the SDK's parts: its calls are signed, wait for their turn, are repeated and
// fail like those of all the others.
type api struct {
	cfg         aws.Config
	now         func() time.Time
	application string // its ARN
}

// service is the name that calls are signed for, and begins the host's.
const service = "account-access"

// entitlement is of a user or a group to a role.
type entitlement struct {
	ID, User, Group, Role string
	Account               string // the role's, as people name it
}

// filter says which entitlements are meant: of all that is set. AWS refuses one
// in which nothing is.
type filter struct{ Role, User, Group string }

// principalRole is how the API writes who is entitled to what.
type principalRole struct {
	AccountName string     `json:"accountName,omitempty"`
	Principal   *principal `json:"principal,omitempty"`
	RoleARN     string     `json:"roleArn,omitempty"`
}

type principal struct {
	IdentityCenter struct {
		UserID  string `json:"userId,omitempty"`
		GroupID string `json:"groupId,omitempty"`
	} `json:"identityCenter"`
}

func by(role, user, group string) principalRole {
	p := principalRole{RoleARN: role}
	if user != "" || group != "" {
		p.Principal = &principal{}
		p.Principal.IdentityCenter.UserID, p.Principal.IdentityCenter.GroupID = user, group
	}
	return p
}

type roleOf struct {
	PrincipalRole principalRole `json:"principalRole"`
}

// create gives the id of the entitlement, which may have been there before.
func (a api) create(ctx context.Context, role, user string) (string, error) {
	in := struct {
		ApplicationARN string `json:"applicationArn"`
		Entitlement    roleOf `json:"entitlement"`
	}{a.application, roleOf{by(role, user, "")}}
	var out struct{ EntitlementID string }
	err := a.call(ctx, "CreateEntitlement", http.MethodPost, "/entitlements", in, &out)
	return out.EntitlementID, err
}

func (a api) delete(ctx context.Context, id string) error {
	at := "/entitlements/" + url.PathEscape(id) + "?" + url.Values{"applicationArn": {a.application}}.Encode()
	return a.call(ctx, "DeleteEntitlement", http.MethodDelete, at, nil, nil)
}

// list gives all entitlements that fit.
func (a api) list(ctx context.Context, f filter) ([]entitlement, error) {
	in := struct {
		ApplicationARN string `json:"applicationArn"`
		Filter         roleOf `json:"filter"`
		MaxResults     int    `json:"maxResults"`
		NextToken      string `json:"nextToken,omitempty"`
	}{a.application, roleOf{by(f.Role, f.User, f.Group)}, 100, ""}
	var all []entitlement
	for {
		var out struct {
			Entitlements []struct {
				EntitlementID string
				Entitlement   roleOf
			}
			NextToken string
		}
		if err := a.call(ctx, "ListEntitlements", http.MethodPost, "/entitlements-list", in, &out); err != nil {
			return nil, err
		}
		for _, e := range out.Entitlements {
			p := e.Entitlement.PrincipalRole
			if p.Principal == nil {
				continue // of a kind that is not known yet
			}
			who := p.Principal.IdentityCenter
			all = append(all, entitlement{e.EntitlementID, who.UserID, who.GroupID, p.RoleARN, p.AccountName})
		}
		if out.NextToken == "" {
			return all, nil
		}
		in.NextToken = out.NextToken
	}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

// call makes a call. Its errors are like those of the SDK's clients.
func (a api) call(ctx context.Context, operation, method, at string, in, out any) error {
	stack := middleware.NewStack(operation, smithyhttp.NewStackRequest)
	steps := []error{
		stack.Serialize.Add(middleware.SerializeMiddlewareFunc("Write", func(ctx context.Context, s middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
			if err := a.write(s.Request.(*smithyhttp.Request), method, at, in); err != nil {
				return middleware.SerializeOutput{}, middleware.Metadata{}, &smithy.SerializationError{Err: err}
			}
			return next.HandleSerialize(ctx, s)
		}), middleware.After),
		stack.Finalize.Add(retry.NewAttemptMiddleware(a.cfg.Retryer(), smithyhttp.RequestCloner), middleware.After),
		stack.Finalize.Add(&v4.ComputePayloadSHA256{}, middleware.After),
		stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("Sign", func(ctx context.Context, f middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			if err := a.sign(ctx, f.Request.(*smithyhttp.Request)); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, err
			}
			return next.HandleFinalize(ctx, f)
		}), middleware.After),
		stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("Read", func(ctx context.Context, d middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			answer, metadata, err := next.HandleDeserialize(ctx, d)
			if err == nil {
				err = read(answer.RawResponse.(*smithyhttp.Response), out)
			}
			return answer, metadata, err
		}), middleware.After),
	}
	for _, option := range a.cfg.APIOptions {
		steps = append(steps, option(stack))
	}
	for _, err := range steps {
		if err != nil {
			return fmt.Errorf("prepare %s: %w", operation, err)
		}
	}
	var sender smithyhttp.ClientDo = a.cfg.HTTPClient
	if a.cfg.HTTPClient == nil {
		sender = awshttp.NewBuildableClient()
	}
	_, _, err := middleware.DecorateHandler(smithyhttp.NewClientHandlerWithOptions(sender), stack).Handle(ctx, nil)
	if err != nil {
		return &smithy.OperationError{ServiceID: "account access manager", OperationName: operation, Err: err}
	}
	return nil
}

// sign signs a request, whose payload's hash is in the context.
func (a api) sign(ctx context.Context, r *smithyhttp.Request) error {
	credentials, err := a.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	return v4.NewSigner().SignHTTP(ctx, credentials, r.Request, v4.GetPayloadHash(ctx), service, a.cfg.Region, a.now())
}

// write makes the request. The service has hosts of the newer form only.
func (a api) write(r *smithyhttp.Request, method, at string, in any) error {
	base := aws.ToString(a.cfg.BaseEndpoint)
	if base == "" {
		base = "https://" + service + "." + a.cfg.Region + ".api.aws"
	}
	where, err := url.Parse(strings.TrimSuffix(base, "/") + at)
	if err != nil {
		return err
	}
	r.Method, r.URL = method, where
	if in == nil {
		return nil
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	withBody, err := r.SetStream(bytes.NewReader(body))
	if err != nil {
		return err
	}
	*r = *withBody
	return nil
}

// read reads the answer, by the rules of restJson1:
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
func read(answer *smithyhttp.Response, out any) error {
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return &smithy.DeserializationError{Err: err}
	}
	if answer.StatusCode/100 == 2 {
		if out == nil {
			return nil
		}
		if err := json.Unmarshal(body, out); err != nil {
			return &smithy.DeserializationError{Err: err, Snapshot: body}
		}
		return nil
	}
	var said struct {
		Type    string `json:"__type"`
		Code    string
		Message string
	}
	_ = json.Unmarshal(body, &said) // what a proxy answers is no JSON: then the status says all
	code := answer.Header.Get("X-Amzn-ErrorType")
	for _, other := range []string{said.Type, said.Code} {
		if code == "" {
			code = other
		}
	}
	code, _, _ = strings.Cut(code, ":")
	code = code[strings.LastIndex(code, "#")+1:]
	if code == "" {
		code = fmt.Sprintf("Status%d", answer.StatusCode)
	}
	fault := smithy.FaultClient
	if answer.StatusCode >= 500 {
		fault = smithy.FaultServer
	}
	return &smithyhttp.ResponseError{Response: answer, Err: &smithy.GenericAPIError{Code: code, Message: said.Message, Fault: fault}}
}
