// Package confine runs strangers' programs: customers' handlers and functions,
// and the first lines of a file of Python that somebody proposes.
//
//	we ──start, SIGTERM, SIGHUP──▶ keeper ──▶ program ──▶ what it starts
//	     ◀─status, report (fd 3)──           └─ PID 1 of its own namespaces ─┘
//
// The keeper is our own binary, started once more by the name of [keeperName].
// It stands between us and the program, has the program's environment and none
// of our memory, and sees to its end.
//
// # What a program can reach
//
// On Linux it has no capabilities, can't gain any (no_new_privs), and, where the
// kernel lets us, is in namespaces of its own for users, processes and mounts,
// with a /proc that shows nothing but what it has started: neither us nor the
// shells above us, whose environments may have anything. [Process.Isolation]
// says whether it is so, and why not. There we are still hidden, if [Hide] was
// called before; the processes above us are not. Files and the network are
// those of our user, always.
//
// # Nothing outlives it
//
// When the program ends, or is ended, all that it has started ends with it,
// whatever sessions and groups that has made for itself: the kernel ends a
// namespace with its first process; without namespaces the keeper, to which
// orphans fall (subreaper), finds and ends them. The same happens should we be
// killed. A program and what it starts are at most [Program.Processes]: the
// keeper counts, five times a second, and ends all if there are more. Where the
// kernel allows (namespaces, Linux 6.14), there are never more than 1,024
// threads either, which is Lambda's limit.
//
// Elsewhere than on Linux a program is in a process group of its own, and this
// is all: what leaves the group stays.
package confine
