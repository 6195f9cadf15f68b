package loopback

import (
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOwner(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			if strings.HasPrefix(address, "[") {
				t.Logf("this machine has no IPv6: %v", err)
				continue
			}
			t.Fatal(err)
		}
		defer l.Close()
		peer, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		uid, err := ownerOf(peer.LocalAddr(), l.Addr())
		if err != nil || uid != os.Geteuid() {
			t.Errorf("%s: got %d, %v; want %d", address, uid, err, os.Geteuid())
		}
		if err := ours(peer.LocalAddr(), l.Addr()); err != nil {
			t.Errorf("%s: our own connection: %v", address, err)
		}
		if _, err := ownerOf(l.Addr(), l.Addr()); err == nil {
			t.Errorf("%s: a connection that is not there has an owner", address)
		}
	}
}

// A socket of IPv6 that speaks IPv4, as programs in Java have.
func TestOwnerOfMappedAddress(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Logf("this machine has no IPv6: %v", err)
		return
	}
	defer unix.Close(socket)
	here := l.Addr().(*net.TCPAddr)
	to := &unix.SockaddrInet6{Port: here.Port, Addr: netip.AddrFrom16(here.AddrPort().Addr().As16()).As16()}
	if err := unix.Connect(socket, to); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if uid, err := ownerOf(c.RemoteAddr(), c.LocalAddr()); err != nil || uid != os.Geteuid() {
		t.Errorf("got %d, %v; want %d", uid, err, os.Geteuid())
	}
}

// The rows are of another machine, where two users have connected to us and a
// third has gone.
func TestOwnerIn(t *testing.T) {
	t.Parallel()
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2329 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 20 1
   1: 0100007F:2329 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 21 1
   2: 0100007F:9C40 0100007F:2329 01 00000000:00000000 00:00000000 00000000  1001        0 22 1
   3: 0100007F:9C41 0100007F:2329 01 00000000:00000000 00:00000000 00000000  1000        0 23 1
   4: 0100007F:9C42 0100007F:2329 06 00000000:00000000 03:00000F9D 00000000     0        0 0 3
`
	here := netip.MustParseAddrPort("127.0.0.1:9001")
	if kernel(here) != "0100007F:2329" {
		t.Fatalf("this machine writes %s as %s: give this test rows in its order", here, kernel(here))
	}
	for port, want := range map[uint16]struct {
		uid   int
		found bool
	}{40000: {1001, true}, 40001: {1000, true}, 40002: {0, false}, 40003: {0, false}} {
		uid, found, err := ownerIn(strings.NewReader(table), netip.AddrPortFrom(here.Addr(), port), here)
		if uid != want.uid || found != want.found || err != nil {
			t.Errorf("port %d: got %d, %t, %v; want %+v", port, uid, found, err, want)
		}
	}
}

// A process of another user on this machine gets no answer.
func TestAnotherUser(t *testing.T) {
	t.Parallel()
	l, err := Listen(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, page)
	if os.Geteuid() != 0 {
		t.Log("only root can become another user: TestOwnerIn and TestListenRefuses show the same in two halves")
		return
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{stranger + "=" + l.Addr().String()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("user 65534 was answered %q, %v", out, err)
	}
}
