"""Handlers of the tests."""

import os
import sys


def echo(event, context):
    print("seen", event, flush=True)
    return {"event": event, "arn": context.invoked_function_arn, "id": context.aws_request_id,
            "remaining": context.get_remaining_time_in_millis(), "name": context.function_name,
            "cwd": os.getcwd(), "pid": os.getpid()}


def fail(event, context):
    raise ValueError(f"no such table: {event['table']}")


def unserialisable(event, context):
    return {1, 2, 3}


def leave(event, context):
    sys.exit(3)


def too_large(event, context):
    return "x" * (7 << 20)


def allocate(event, context):
    return len(bytearray(event << 20))
