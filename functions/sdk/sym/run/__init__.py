"""Runs handlers: the half of the handler protocol that is inside a process.

    source     a file's text → its handlers
    wire       messages of the protocol → the objects of sym.sdk
    calls      one message → its handlers, one after the other
    values     what handlers return → values of the protocol
    faults     what went wrong → values of the protocol

The runner beside this package keeps such a process for each flow; sym.sdk.testing
does without.
"""
