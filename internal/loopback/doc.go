// Package loopback tells who on this machine is at the other end of a
// connection. An address on loopback is open to every user of a machine; what
// is served there to processes of our own user must ask for more than an
// address.
//
// Linux shows the owner of each socket in /proc/net/tcp. Where the system
// shows no such thing, [ErrNotTold] says so, and the paths and tokens of the
// protocols above are the only lock.
package loopback
