package loopback

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// attempts are how often a table is read before a connection counts as gone: a
// row can slip from one read to the next when others are added and removed.
const attempts = 3

// Owner gives the user who opened a connection to us from peer, as our end at
// here sees it. The error is [ErrNotTold] if this system keeps that to itself;
// any other means that there is no such connection (any more).
func Owner(peer, here netip.AddrPort) (uid int, err error) {
	peer, here = plain(peer), plain(here)
	told := false
	for range attempts {
		for _, form := range forms(peer, here) {
			file, err := os.Open(form.table)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				continue
			}
			if err != nil {
				return 0, fmt.Errorf("see who connects: %w", err)
			}
			told = true
			uid, found, err := ownerIn(file, form.peer, form.here)
			file.Close()
			if err != nil {
				return 0, fmt.Errorf("see who connects: %w", err)
			}
			if found {
				return uid, nil
			}
		}
	}
	if !told {
		return 0, ErrNotTold
	}
	return 0, fmt.Errorf("see who connects: there is no connection from %s to %s", peer, here)
}

// form is a place where a connection may be listed.
type form struct {
	table      string
	peer, here netip.AddrPort
}

// forms are the places of one: programs (those in Java, for example) may use
// sockets of IPv6 for addresses of IPv4.
func forms(peer, here netip.AddrPort) []form {
	six := form{"/proc/net/tcp6", mapped(peer), mapped(here)}
	if peer.Addr().Is6() {
		return []form{six}
	}
	return []form{{"/proc/net/tcp", peer, here}, six}
}

func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func mapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
}

// established is a connection's state in the table: the row of one that its
// owner has closed no longer says whose it was.
const established = "01"

// ownerIn finds the row of the peer's socket, of which the local address is the
// peer's and the remote one is ours:
//
//	sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid …
func ownerIn(table io.Reader, peer, here netip.AddrPort) (uid int, found bool, err error) {
	local, remote := kernel(peer), kernel(here)
	rows := bufio.NewScanner(table)
	for rows.Scan() {
		f := strings.Fields(rows.Text())
		if len(f) < 8 || f[1] != local || f[2] != remote || f[3] != established {
			continue
		}
		uid, err = strconv.Atoi(f[7])
		return uid, err == nil, err
	}
	return 0, false, rows.Err()
}

// kernel writes an address as the table has it: words of 32 bits in the
// machine's own order, and the port, all in hexadecimal.
func kernel(a netip.AddrPort) string {
	var b strings.Builder
	for words := a.Addr().AsSlice(); len(words) > 0; words = words[4:] {
		fmt.Fprintf(&b, "%08X", binary.NativeEndian.Uint32(words))
	}
	fmt.Fprintf(&b, ":%04X", a.Port())
	return b.String()
}
