package functions_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"
)

// serveGateway is API Gateway with an HTTP API: it hands requests to functions
// as events of payload format 2.0, and turns what they answer back
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
func (a *account) serveGateway(w http.ResponseWriter, r *http.Request) {
	function, key, parameters := route(r)
	if function == "" {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	event, err := gatewayEvent(r, key)
	if err != nil {
		return // the client is gone
	}
	event.PathParameters = parameters
	if function == "tokens" || strings.Contains(key, "/signed/") { // the route has IAM authorisation
		caller := signedFor.FindStringSubmatch(r.Header.Get("Authorization"))
		if caller == nil || caller[2] != "execute-api" {
			refuse(w, http.StatusForbidden, "Forbidden")
			return
		}
		event.RequestContext.Authorizer = &awsevents.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			IAM: &awsevents.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{
				AccessKey: caller[1], AccountID: accountID, CallerID: "AIDAADMIN", UserARN: "arn:aws:iam::" + accountID + ":user/admin", UserID: "AIDAADMIN",
			},
		}
	}
	payload, err := json.Marshal(event)
	a.must(err)
	answer, failed := a.invoke(functionARN(function), payload)
	if failed != nil {
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	writeAnswer(w, answer)
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // who has gone needs no answer
}

// route finds the function of a path, and the key of its route.
func route(r *http.Request) (function, key string, parameters map[string]string) {
	path := r.URL.Path
	id, named := strings.CutPrefix(path, "/api/v1/tokens/")
	proxy, api := strings.CutPrefix(path, "/api/v1/")
	switch {
	case path == "/api/v1/identities", path == "/api/v1/users":
		return "tokens", "ANY " + path, nil
	case path == "/api/v1/tokens":
		return "tokens", "ANY /api/v1/tokens", nil
	case named && !strings.Contains(id, "/"):
		return "tokens", "ANY /api/v1/tokens/{id}", map[string]string{"id": id}
	case strings.HasPrefix(path, "/api/v1/entities/"):
		return "config", "ANY /api/v1/entities/{proxy+}", map[string]string{"proxy": strings.TrimPrefix(path, "/api/v1/entities/")}
	case strings.HasPrefix(path, "/api/v1/signed/entities/"):
		return "config", "ANY /api/v1/signed/entities/{proxy+}", map[string]string{"proxy": strings.TrimPrefix(path, "/api/v1/signed/entities/")}
	case api:
		return "api", "ANY /api/v1/{proxy+}", map[string]string{"proxy": proxy}
	case path == "/mcp":
		return "api", "ANY /mcp", nil
	}
	if r.Method == http.MethodPost {
		switch path {
		case "/slack/commands", "/slack/interactions", "/slack/options", "/slack/events":
			return "slack", "POST " + path, nil
		}
	}
	return "", "", nil
}

func gatewayEvent(r *http.Request, key string) (awsevents.APIGatewayV2HTTPRequest, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return awsevents.APIGatewayV2HTTPRequest{}, err
	}
	now := time.Now().UTC()
	event := awsevents.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: key, RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{"host": r.Host}, QueryStringParameters: joined(r.URL.Query()),
		RequestContext: awsevents.APIGatewayV2HTTPRequestContext{
			RouteKey: key, AccountID: accountID, Stage: "$default", RequestID: uuid.NewString(), APIID: "a1b2c3d4e5",
			DomainName: "a1b2c3d4e5.execute-api." + region + ".amazonaws.com", DomainPrefix: "a1b2c3d4e5",
			Time: now.Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
			HTTP: awsevents.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: "192.0.2.1", UserAgent: r.UserAgent(),
			},
		},
	}
	for name, values := range r.Header {
		if name == "Cookie" {
			event.Cookies = strings.Split(strings.Join(values, "; "), "; ")
			continue
		}
		event.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	// Only what is text for sure comes as it is; forms, for one, do not.
	if event.Body = string(body); len(body) > 0 && !isText(r.Header.Get("Content-Type")) {
		event.Body, event.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return event, nil
}

func joined(query url.Values) map[string]string {
	if len(query) == 0 {
		return nil
	}
	out := map[string]string{}
	for name, values := range query {
		out[name] = strings.Join(values, ",")
	}
	return out
}

func isText(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	switch kind {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}

// writeAnswer writes what a function answered. One without a status code is the
// body itself.
func writeAnswer(w http.ResponseWriter, answer []byte) {
	var out awsevents.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(answer, &out); err != nil || out.StatusCode == 0 {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
		return
	}
	for name, value := range out.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range out.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	body := []byte(out.Body)
	if out.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(out.Body); err != nil {
			refuse(w, http.StatusInternalServerError, "Internal Server Error")
			return
		}
	}
	w.WriteHeader(out.StatusCode)
	_, _ = w.Write(body)
}
