"""Keeps a process for the handlers of each flow, and answers messages with it.

    main.handler ──▶ Pool ──▶ Process ◀── socket, JSON lines ──▶ worker ──▶ sym.run
                     (by flow (deadline,                         (limits,
                     and      output,                            handlers)
                     source)  death)

The protocol's text is in internal/sdk/doc.go. What holds here:

- One process per flow and source: no flow sees another's globals. It lives on for
  the next message, and is replaced when it was too slow, died, ran out of memory
  or could not import its file.
- A handler talks to us through a socket of its own number, never through its
  standard output: whatever it prints there is kept as its output, up to a limit.
  Processes that it starts don't have the socket. They end with the worker, whatever
  sessions they have made; those that have lost their parents end when the message
  is answered (Linux). There may be 32 at a time: they are counted while handlers run.
- Its environment is made from nothing: see runner.process.ENVIRONMENT. In AWS it has
  the credentials of this function's role, which is there for handlers and may
  read the secrets and invoke the functions that the environment names, nothing
  else. On one machine it has no credentials, and asks the services instead.
- Its directory, home and temporary directory are one that goes with it.

It is no sandbox against malice: handlers of all flows of this function run as one
user, with one role and one network. Flows that must not trust each other need
functions of their own (docs/security.md).
"""
