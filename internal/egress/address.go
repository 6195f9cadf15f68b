package egress

import (
	"fmt"
	"net/netip"
	"syscall"
)

// Rule says which addresses may be connected to. The zero one is that of the
// configuration API: public addresses alone.
type Rule struct {
	private  bool // addresses of private networks may be, too
	loopback bool // those of this machine may be, too
}

// The rules.
var (
	Public  = Rule{}                              // for what the configuration API owns
	Network = Rule{private: true}                 // for what files own, in AWS
	Machine = Rule{private: true, loopback: true} // for what files own, on one machine
)

// Refused says that something is not connected to, because of where it leads.
type Refused struct {
	Address string // what it leads to: 10.1.2.3; "" if that was not looked at
	Why     string // "leads to the machine that calls": it goes on from "its address"
}

func (e *Refused) Error() string {
	if e.Address == "" {
		return "not connected to: its address " + e.Why
	}
	return fmt.Sprintf("not connected to: its address %s (%s)", e.Why, e.Address)
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// Special addresses, by the registries of IANA (RFC 6890 and what came after it).
var (
	// never are those that no configuration may name: of a link, of many, of none, and
	// IPv4 in the dress of IPv6 but for those below. Metadata of AWS is at link-local
	// addresses and in fd00:ec2::/32, that of Azure at a public one.
	never = prefixes("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "168.63.129.16/32",
		"::/8", "2001::/32", "2002::/16", "fe80::/10", "fec0::/10", "ff00::/8", "fd00:ec2::/32")
	// loopback is this machine. In AWS, Lambda's own API is there.
	loopback = prefixes("127.0.0.0/8", "::1/128")
	// reserved are those in the public ranges that no server on the internet has.
	reserved = prefixes("100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"2001::/23", "2001:db8::/32", "3fff::/20")
	private = prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
	// global is what of IPv6 is public at all.
	global = netip.MustParsePrefix("2000::/3")
	// nat64 are IPv4 addresses, as DNS64 writes them where there is IPv6 only.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

// Check returns nil if an address may be connected to, and a [*Refused] otherwise.
func (r Rule) Check(address netip.Addr) error {
	inside := address.WithZone("").Unmap()
	if bytes := inside.As16(); nat64.Contains(inside) {
		inside = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	in := func(list []netip.Prefix) bool {
		for _, p := range list {
			if p.Contains(inside) {
				return true
			}
		}
		return false
	}
	refuse := func(why string) error { return &Refused{Address: address.String(), Why: why} }
	switch {
	case in(loopback):
		if !r.loopback {
			return refuse("leads to the machine that calls")
		}
	case !inside.IsValid(), in(never):
		return refuse("leads where no configuration may have anything called")
	case in(private), in(reserved), inside.Is6() && !global.Contains(inside):
		if !r.private {
			return refuse("leads to no public server, as all must that the configuration API names")
		}
	}
	return nil
}

// control is for [net.Dialer.Control]: it looks at what is about to be connected to.
func (r Rule) control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil { // the path of a socket
		if r.loopback {
			return nil
		}
		return &Refused{Address: address, Why: "leads to the machine that calls"}
	}
	return r.Check(to.Addr())
}
