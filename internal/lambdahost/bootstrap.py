"""Runs a Python handler as Lambda does, with the standard library only.

It speaks the Lambda Runtime API at AWS_LAMBDA_RUNTIME_API: asks for an
invocation, calls the handler that _HANDLER names ("module.function", the module
being in LAMBDA_TASK_ROOT) with the payload and a context, and sends its result
or its exception back, in the form that AWS's own Python runtime uses.
"""

import ctypes
import http.client
import importlib
import json
import os
import sys
import time
import traceback

VERSION = "/2018-06-01/runtime"
PR_SET_DUMPABLE = 4  # from linux/prctl.h


class Context:
    """What a handler gets as its second argument."""

    client_context = None
    identity = None

    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))


class Failure(Exception):
    """A failure that AWS has its own type name for."""

    def __init__(self, error_type, message):
        super().__init__(message)
        self.error_type = error_type


def described(error, request_id=""):
    """The exception as the Runtime API wants it, in JSON, without our own frames."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    return json.dumps({
        "errorMessage": str(error),
        "errorType": getattr(error, "error_type", type(error).__name__),
        "requestId": request_id,
        "stackTrace": traceback.format_list(frames),
    })


def load(handler):
    """The function that "module.function" names."""
    module, _, name = handler.rpartition(".")
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise Failure("Runtime.ImportModuleError", f"Unable to import module '{module}': {error}") from error
    try:
        return getattr(found, name)
    except AttributeError as error:
        raise Failure("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module}'") from error


class Runtime:
    """The Runtime API at an address, which may go on with a path."""

    def __init__(self, address):
        host, slash, path = address.partition("/")
        self._connection = http.client.HTTPConnection(host)
        self._base = slash + path + VERSION

    def next(self):
        self._connection.request("GET", self._base + "/invocation/next")
        response = self._connection.getresponse()
        return response.read(), Context(response.headers)

    def post(self, path, body):
        self._connection.request("POST", self._base + path, body, {"Content-Type": "application/json"})
        self._connection.getresponse().read()

    def hang_up(self):
        self._connection.close()


def answer(handler, event, context):
    """The path and the body to post for one invocation."""
    base = f"/invocation/{context.aws_request_id}"
    try:
        result = handler(json.loads(event), context)
        try:
            return base + "/response", json.dumps(result)
        except (TypeError, ValueError) as error:
            raise Failure("Runtime.MarshalError", f"Unable to marshal response: {error}") from error
    except Exception as error:  # whatever the handler raises is its answer
        return base + "/error", described(error, context.aws_request_id)


def hide():
    """Keeps other processes of our user out of our environment, which has the address
    that we answer to."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, *map(ctypes.c_ulong, (0, 0, 0, 0)))


def main():
    hide()
    runtime = Runtime(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load(os.environ["_HANDLER"])
    except Exception as error:
        runtime.post("/init/error", described(error))
        sys.exit(1)
    while True:
        path, body = answer(handler, *runtime.next())
        try:
            runtime.post(path, body)
        except ConnectionError:
            # The host has hung up on an answer that is too large, which it knows,
            # or is gone: then the next request ends us.
            runtime.hang_up()


if __name__ == "__main__":
    try:
        main()
    except (ConnectionError, http.client.HTTPException):
        sys.exit(1)  # the host is gone
