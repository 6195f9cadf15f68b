package strategy

import (
	"net"
	"net/url"
	"strings"

	"github.com/symflows/symflows/internal/flow"
	"github.com/symflows/symflows/internal/pattern"
)

// SettingAPIURL is the setting of integrations that says where the vendor's API
// is, where that does not follow from the external_id. Handlers' modules of the SDK
// have the same.
const SettingAPIURL = "api_url"

// APIURL declares it. otherwise says what is asked unless it is set: "the domain
// in external_id".
func APIURL(otherwise string) Setting {
	return Setting{Name: SettingAPIURL, About: "the address of the API, for a private instance or a proxy; unless set, " + otherwise, Check: CheckAddress}
}

// CheckAddress holds a text to the form of the address of a server: https, or this
// machine. The error has flow.CodeInvalid and says what to write.
func CheckAddress(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return flow.Errorf(flow.CodeInvalid, "is not an address like https://vendor.example.com")
	case u.User != nil:
		return flow.Errorf(flow.CodeInvalid, "must not contain a user name or password")
	case u.RawQuery != "" || u.Fragment != "":
		return flow.Errorf(flow.CodeInvalid, "must not have a part after ? or #")
	case u.Scheme == "https", u.Scheme == "http" && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()):
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must begin with https:// (http:// is for this machine only: localhost, 127.0.0.1)")
}

// domain is the name of a host, without https:// and without a port.
var domain = pattern.Of(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]+$`)

// CheckDomain holds a text to the form of a domain. The error has flow.CodeInvalid
// and says what to write.
func CheckDomain(v string) error {
	return Form(domain, "a domain, like vendor.example.com, without https://")(strings.TrimPrefix(v, "https://"))
}

// Domain is the domain in the external_id of an integration, in lower case; ""
// without an integration.
func Domain(i *flow.Integration) string {
	if i == nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(i.ExternalID), "https://"), "/"))
}

// Address is where the vendor's API is: what the integration's api_url says, or
// otherwise. It has no slash at its end.
func Address(i *flow.Integration, otherwise string) string {
	if i != nil && i.Settings[SettingAPIURL] != "" {
		otherwise = i.Settings[SettingAPIURL]
	}
	return strings.TrimSuffix(otherwise, "/")
}

// CheckExternalID finds what is wrong with the external_id of the strategy's
// integration. It is for [Type.Rules].
func CheckExternalID(s flow.Strategy, check func(string) error) []flow.Fault {
	if s.Integration == nil {
		return nil
	}
	if err := check(s.Integration.ExternalID); err != nil {
		return []flow.Fault{{Path: "integration.external_id", Message: flow.UserMessage(err)}}
	}
	return nil
}
