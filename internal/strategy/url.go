package strategy

import (
	"net"
	"net/url"

	"github.com/symflows/symflows/internal/flow"
)

// CheckURL holds a text to the address of a server that is sent signed requests:
// https, or http on this machine. The error has flow.CodeInvalid and says what to write.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return flow.Errorf(flow.CodeInvalid, "is not an address like https://grants.example.com/sym")
	case u.User != nil:
		return flow.Errorf(flow.CodeInvalid, "must not contain a user name or password: use signing_secret_id")
	case u.Fragment != "":
		return flow.Errorf(flow.CodeInvalid, "must not have a part after #: it would not be sent")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return flow.Errorf(flow.CodeInvalid, "must begin with https:// (http:// is for this machine only: localhost, 127.0.0.1)")
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
