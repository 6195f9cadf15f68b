"""Worker processes: their lives, limits and deaths."""

import hashlib
import json
import os
import select
import selectors
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from runner import family, process
from runner.limits import Limits
from runner.pool import Pool
from runner.process import MAX_OUTPUT, _Output
from sym.run import encode
from sym.sdk import testing
from tests.servers import as_json, serving

MINUTES = 600  # seconds; no test waits for it

HOOK = """\
import ctypes, os, signal, subprocess, sys, threading, time
from sym.sdk.annotations import hook, reducer
from sym.sdk.integrations import *
from sym.sdk.templates import ApprovalTemplate

@hook
def on_request(event):
"""
LINE = HOOK.count("\n") + 1


def text_of(body):
    return HOOK + "".join(f"    {line}\n" for line in body.splitlines())


def message(text, **parts):
    """A message of the protocol that calls on_request."""
    return {
        "version": 1,
        "id": "1",
        "op": "handle",
        "timeout_ms": MINUTES * 1000,
        "source": {"name": "impl.py", "text": text},
        "event": encode.event(testing.event(flow=parts.pop("flow", "prod-access"))),
        "handlers": ["on_request"],
        **parts,
    }


class Clock:
    """Stands still until a handler says that it has started what never ends. Then its
    time is over at the next look, so that no test depends on how fast the machine is."""

    def __init__(self, folder):
        self._mark = os.path.join(folder, "started")
        self._time = 0.0
        self.signal = f"open({self._mark!r}, 'x').close(); print('started')"  # the print makes us look

    def __call__(self):
        if os.path.exists(self._mark):
            self._time += 2 * MINUTES
        return self._time

    def stop(self):
        os.unlink(self._mark)


class Deaf(selectors.DefaultSelector):
    """Is never told that something was printed, as when the print comes a moment after
    the last look."""

    def register(self, fileobj, events, data=None):
        return None if isinstance(fileobj, int) else super().register(fileobj, events, data)

    def select(self, timeout=None):
        return super().select(0.01)  # so that the clock is looked at


class Runner(unittest.TestCase):
    def setUp(self):
        for name in ("START", "_TRACE", "_END"):
            self.enterContext(mock.patch.object(process, name, MINUTES))
        self.use(Pool(Limits(), os.environ))

    def use(self, pool):
        self.pool = pool
        self.addCleanup(pool.close)

    def clock(self):
        """A clock that measures the workers from now on."""
        clock = Clock(self.enterContext(tempfile.TemporaryDirectory()))
        self.use(Pool(Limits(), os.environ, clock))
        return clock

    def answer(self, body, **parts):
        """The response to a call of a hook with a body."""
        return self.pool.answer(message(text_of(body), **parts))

    def result(self, body, **parts):
        response = self.answer(body, **parts)
        self.assertNotIn("error", response)
        return response["results"][0]

    def value(self, expression):
        """What an expression is in a worker."""
        result = self.result(f"return ApprovalTemplate.approve(value={expression})")
        self.assertEqual(result["state"], "returned", result)
        return result["value"]["fields"]["value"]


class Calls(Runner):
    def test_response(self):
        response = self.answer("print('hello')\nreturn ApprovalTemplate.approve(reason='ok')")
        ms = response["results"][0].pop("ms")
        self.assertIsInstance(ms, int)
        self.assertEqual(response, {"version": 1, "handlers": ["on_request"], "results": [{
            "handler": "on_request", "state": "returned", "output": "hello\n",
            "value": {"event": "approve", "fields": {"reason": "ok"}},
        }]})

    def test_describe(self):
        for op in ("describe", "handle"):
            response = self.pool.answer(message(text_of("pass"), op=op, handlers=[]))
            self.assertEqual(response, {"version": 1, "handlers": ["on_request"], "results": []})

    def test_describe_by_reading(self):
        with mock.patch("runner.pool.Process", side_effect=AssertionError("a worker was started")):
            def read(text):
                return self.pool.answer(message(text, op="describe", handlers=None, read=True))

            self.assertEqual(read(text_of("raise ValueError")), {"version": 1, "handlers": ["on_request"], "results": []})
            self.assertEqual(read("def on_request(event): ...")["warnings"][0]["line"], 1)
            error = read("def get_flows(user): ...")["error"]
            self.assertEqual((error["code"], error["line"]), ("SDK:NOT_DECORATED", 1))
            for text in ("x =", "\0", "x = " + "(" * 5000):
                self.assertEqual(read(text)["error"]["code"], "SDK:IMPORT_ERROR")

    def test_warnings(self):
        for _ in range(2):  # a worker that lives on is described again
            response = self.pool.answer(message(text_of("pass") + "def on_deny(event): ...\n", op="describe"))
            self.assertEqual(response["handlers"], ["on_request"])
            [warning] = response["warnings"]
            self.assertEqual((warning["code"], warning["file"], warning["line"]), ("SDK:NOT_DECORATED", "impl.py", LINE + 1))

    def test_unknown_fields(self):
        self.assertEqual(self.result("return None", novel={"a": 1})["state"], "returned")

    def test_services(self):
        asked = []

        def answer(path, headers, body):
            asked.append(json.loads(body))
            return as_json({"value": 3})

        with serving(answer) as url:
            result = self.result("return ApprovalTemplate.approve(n=event.user.get_event_count('request'))",
                                 services={"url": url, "token": "t0ken"})
        self.assertEqual(result["value"]["fields"], {"n": 3})
        self.assertEqual((asked[0]["token"], asked[0]["op"]), ("t0ken", "event_count"))

    def test_a_worker_lives_on(self):
        body = "counter = globals().setdefault('counter', [])\ncounter.append(1)\nreturn ApprovalTemplate.approve(n=len(counter), pid=os.getpid())"
        first, second = self.result(body), self.result(body)
        self.assertEqual([r["value"]["fields"]["n"] for r in (first, second)], [1, 2])
        self.assertEqual(first["value"]["fields"]["pid"], second["value"]["fields"]["pid"])

    def test_flows_share_nothing(self):
        body = "import sym\nseen = getattr(sym, 'seen', [])\nsym.seen = [*seen, event.flow.name]\nreturn ApprovalTemplate.approve(seen=seen)"
        seen = [self.result(body, flow=flow)["value"]["fields"]["seen"] for flow in ("a", "b", "a", "b")]
        self.assertEqual(seen, [[], [], ["a"], ["b"]])

    def test_new_source_is_a_new_process(self):
        pids = {self.result(f"return ApprovalTemplate.approve(pid=os.getpid(), n={n})")["value"]["fields"]["pid"] for n in (1, 2)}
        self.assertEqual(len(pids), 2)

    def test_flow_beside_the_event(self):
        change = "import os\ndef on_change_a(username, form):\n    form.additional_header_text = str(os.getpid())\n    return form\n"
        form = {"fields": [], "flow_vars": {}}
        pids = [
            self.pool.answer(message(change, op="on_change", field="a", username="a", form=form, event=None, flow=flow))
            ["results"][0]["value"]["additional_header_text"]
            for flow in ("a", "a")
        ]
        self.assertEqual(pids[0], pids[1])

    def test_workers_are_few(self):
        self.use(Pool(Limits(workers=2), os.environ))
        body = "return ApprovalTemplate.approve(pid=os.getpid())"
        pids = [self.result(body, flow=flow)["value"]["fields"]["pid"] for flow in ("a", "b", "a", "c", "a", "b")]
        self.assertEqual((pids[0], pids[0]), (pids[2], pids[4]))  # used last, so kept
        self.assertNotEqual(pids[1], pids[5])
        with self.assertRaises(ProcessLookupError):
            os.kill(pids[1], 0)

    def test_close_ends_and_tidies(self):
        fields = self.result("return ApprovalTemplate.approve(pid=os.getpid(), home=os.getcwd())")["value"]["fields"]
        self.assertTrue(Path(fields["home"]).is_dir())
        self.pool.close()
        self.assertFalse(Path(fields["home"]).exists())
        with self.assertRaises(ProcessLookupError):
            os.kill(fields["pid"], 0)


class Faults(Runner):
    def test_bad_messages(self):
        good = message(text_of("pass"))
        cases = [
            [], "x", None, {}, {**good, "version": 2}, {**good, "op": "dance"}, {**good, "source": None},
            {**good, "source": {"name": "impl.py"}}, {**good, "source": {**good["source"], "sha256": "00"}},
            {**good, "timeout_ms": -1}, {**good, "timeout_ms": "10"}, {**good, "event": None},
            {**good, "handlers": ["get_identity"]}, {**good, "event": {"name": "request"}},
        ]
        for case in cases:
            with self.subTest(case):
                response = self.pool.answer(case)
                self.assertEqual(response["error"]["code"], "SDK:BAD_MESSAGE", response)
                self.assertEqual(response["results"], [])

    def test_sha256(self):
        text = text_of("pass")
        source = {"name": "impl.py", "text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        self.assertEqual(self.pool.answer(message(text, source=source))["results"][0]["state"], "returned")

    def test_imports(self):
        cases = [
            ("print('here')\n1/0", "SDK:IMPORT_ERROR", 2, "ZeroDivisionError"),
            ("\ndef f(:", "SDK:IMPORT_ERROR", 2, "SyntaxError"),
            ("import nothing_like_it", "SDK:IMPORT_ERROR", 1, "nothing_like_it"),
            ("import sys\nsys.exit()", "SDK:IMPORT_ERROR", 2, "sys.exit"),
            ("from sym.sdk.integrations import slack\nslack.send_message('#a', 'x')", None, 2, ""),
            ("def get_permissions(event): ...", "SDK:NOT_DECORATED", 1, "decorated"),
            ("import os\nos._exit(4)", "SDK:WORKER_DIED", None, "exit status 4"),
        ]
        for text, code, line, words in cases:
            with self.subTest(text):
                response = self.pool.answer(message(text))
                self.assertEqual((response["handlers"], response["results"]), ([], []))
                self.assertEqual(response["error"].get("line"), line, response)
                self.assertIn(words, response["error"]["message"])
                if code:
                    self.assertEqual(response["error"]["code"], code)
        self.assertEqual(self.pool.answer(message(cases[0][0]))["output"], "here\n")

    def test_import_that_hangs(self):
        text = f"import threading\n{self.clock().signal}; threading.Event().wait()"
        response = self.pool.answer(message(text))
        self.assertEqual((response["error"]["code"], response["error"]["line"]), ("SDK:TIMEOUT", 2))

    def test_time_outs(self):
        for body in ("while True: pass", "threading.Event().wait()", "subprocess.run(['sleep', '1000'])",
                     "while True: print('x' * 1000)", "while True: os.write(1, b'x' * 65536)",
                     "try:\n    threading.Event().wait()\nexcept BaseException:\n    pass"):
            with self.subTest(body):
                clock = self.clock()
                result = self.result(f"{clock.signal}\n{body}")
                clock.stop()
                self.assertEqual((result["state"], result["error"]["code"]), ("failed", "SDK:TIMEOUT"))
                self.assertEqual(result["error"]["file"], "impl.py")
                self.assertGreaterEqual(result["error"]["line"], LINE)
                self.assertEqual(self.result("return None")["state"], "returned")

    def test_a_fresh_worker_follows(self):
        clock = self.clock()
        first = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "first")
        body = f"if not os.path.exists({first!r}):\n    open({first!r}, 'x').close()\n    {clock.signal}\n    threading.Event().wait()"
        self.assertEqual(self.result(body)["error"]["code"], "SDK:TIMEOUT")
        clock.stop()
        self.assertEqual(self.result(body)["state"], "returned")

    def test_rest_after_a_death_is_skipped(self):
        text = text_of("os._exit(1)") + "\n@reducer\ndef get_permissions(event): ...\n"
        response = self.pool.answer(message(text, handlers=["on_request", "get_permissions", "get_approvers"]))
        self.assertEqual([(r["handler"], r["state"]) for r in response["results"]],
                         [("on_request", "failed"), ("get_permissions", "skipped"), ("get_approvers", "skipped")])
        self.assertEqual(response["handlers"], ["on_request", "get_permissions"])

    def test_deaths(self):
        cases = [
            ("os._exit(7)", "exit status 7", None),
            ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL", None),
            ("ctypes.string_at(0)", "SIGSEGV", LINE),
            ("os.abort()", "SIGABRT", LINE),
        ]
        for body, words, line in cases:
            with self.subTest(body):
                result = self.result(body)
                self.assertEqual((result["state"], result["error"]["code"]), ("failed", "SDK:WORKER_DIED"), result)
                self.assertIn(words, result["error"]["message"])
                if line:
                    self.assertEqual(result["error"]["line"], line)
        self.enterContext(mock.patch.object(process, "_END", 0.01))  # it does not end, only hangs up
        result = self.result("os.closerange(3, 200)\nthreading.Event().wait()")
        self.assertEqual(result["error"]["code"], "SDK:WORKER_DIED")
        self.assertIn("stopped talking", result["error"]["message"])

    def test_last_words(self):
        """Nothing of what was printed is lost, when nobody heard of it until the end."""
        self.enterContext(mock.patch.object(selectors, "DefaultSelector", Deaf))
        cases = [
            ("os._exit(7)", "failed", "SDK:WORKER_DIED"),
            ("os.kill(os.getpid(), signal.SIGKILL)", "failed", "SDK:WORKER_DIED"),
            ("raise MemoryError", "failed", "SDK:WORKER_DIED"),
            ("raise ValueError", "failed", "SDK:HANDLER_ERROR"),
            ("return None", "returned", None),
        ]
        for body, state, code in cases:
            with self.subTest(body):
                result = self.result(f"print('last words')\n{body}")
                self.assertEqual((result["state"], result.get("error", {}).get("code")), (state, code), result)
                self.assertEqual(result.get("output", "").splitlines()[:1], ["last words"])
        with self.subTest("time-out"):
            result = self.result(f"print('last words')\n{self.clock().signal}\nthreading.Event().wait()")
            self.assertEqual((result["error"]["code"], result["output"]), ("SDK:TIMEOUT", "last words\nstarted\n"))
        for end in ("os._exit(3)", "1/0", self.clock().signal + "\nwhile True: pass"):
            with self.subTest(f"import: {end}"):
                response = self.pool.answer(message(f"import os\nprint('last words')\n{end}"))
                self.assertIn("error", response)
                self.assertEqual(response.get("output", "").splitlines()[:1], ["last words"])

    def test_last_words_between_handlers(self):
        self.enterContext(mock.patch.object(selectors, "DefaultSelector", Deaf))
        response = self.answer("""\
import json
dumps = json.dumps
def write(message, **options):
    if message == {"done": True}:
        print("last words")
        os._exit(3)
    return dumps(message, **options)
json.dumps = write""")
        self.assertEqual((response["error"]["code"], response["output"]), ("SDK:WORKER_DIED", "last words\n"))
        self.assertEqual(response["results"][0]["state"], "returned")

    @unittest.skipUnless(sys.platform == "linux", "only Linux limits memory")
    def test_memory(self):
        for body in ("x = bytearray(2 ** 32)", "x = []\nwhile True: x.append(bytes(2 ** 24))"):
            with self.subTest(body):
                result = self.result(body)
                self.assertEqual(result["error"]["code"], "SDK:WORKER_DIED")
        self.assertEqual(self.value("len(bytes(2 ** 24))"), 2**24)

    def test_death_between_messages(self):
        pid = self.value("os.getpid()")
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.assertNotEqual(self.value("os.getpid()"), pid)

    def test_late_messages_end_early(self):
        left = iter([60.0, 1.05, 0.0])
        response = self.pool.answer(message(text_of("threading.Event().wait()")), lambda: next(left))
        self.assertEqual(response["results"][0]["error"]["code"], "SDK:TIMEOUT")


class Isolation(Runner):
    def test_environment(self):
        ours = {"SYM_SLACK_TOKEN": "xoxb", "SLACK_SIGNING_SECRET": "s", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "_HANDLER": "main.handler",
                "PATH": os.environ["PATH"], "AWS_REGION": "us-east-1", "AWS_SESSION_TOKEN": "of the role", "SOMETHING": "else"}
        self.use(Pool(Limits(), ours))
        names = set(self.value("sorted(os.environ)")) - {"LC_CTYPE", "LD_LIBRARY_PATH"}
        self.assertEqual(names, {
            "PATH", "AWS_REGION", "AWS_SESSION_TOKEN", "HOME", "TMPDIR", "PYTHONPATH", "PYTHONIOENCODING", "PYTHONSAFEPATH",
        })

    def test_own_directory(self):
        home, temp, cwd, names = self.value("[os.environ['HOME'], __import__('tempfile').gettempdir(), os.getcwd(), os.listdir()]")
        self.assertEqual((home, temp, names), (cwd, cwd, []))
        self.assertNotEqual(cwd, os.getcwd())

    def test_its_files_are_no_modules(self):
        self.assertEqual(self.result("open('colorsys.py', 'w').write('1/0')\nimport colorsys")["state"], "returned")

    def test_standard_input_is_empty(self):
        self.assertEqual(self.value("sys.stdin.read()"), "")

    def test_output(self):
        result = self.result("""\
print("print")
sys.stderr.write("stderr\\n")
os.write(1, b"fd 1\\n")
os.write(2, b"fd 2\\n")
subprocess.run(["echo", "child"])
sys.__stdout__.write("bytes \\udcff\\n")
sys.stdout = open(os.devnull, "w")
print("nowhere")""")
        self.assertEqual(sorted(result["output"].splitlines()),
                         sorted(["print", "stderr", "fd 1", "fd 2", "child", "bytes \\udcff"]))
        self.assertNotIn("output", self.result("return None"))

    def test_output_of_each(self):
        text = text_of("print('one')") + "\n@reducer\ndef get_permissions(event):\n    print('two')\n"
        response = self.pool.answer(message(text, handlers=["on_request", "get_permissions"]))
        self.assertEqual([r["output"] for r in response["results"]], ["one\n", "two\n"])

    def test_megabytes(self):
        output = self.result("for _ in range(100): print('x' * 99_999)")["output"]
        self.assertTrue(output.startswith("x" * 1000))
        self.assertIn(f"{100 * 100_000 - MAX_OUTPUT} bytes more were cut off", output)
        self.assertLess(len(output), MAX_OUTPUT + 100)

    def test_no_protocol_on_standard_output(self):
        forged = '{\\"result\\": {\\"handler\\": \\"on_request\\", \\"state\\": \\"returned\\"}}'
        result = self.result(f'print("{forged}")\nraise ValueError')
        self.assertEqual(result["state"], "failed")

    def test_forks(self):
        for body in (
            "os.fork()",  # both return
            "if os.fork() == 0:\n    os._exit(0)",
            "if os.fork() == 0:\n    raise ValueError",
            "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()",
            "subprocess.Popen(['sleep', '1000'])",
            "if os.fork() == 0:\n    threading.Event().wait()",
        ):
            with self.subTest(body):
                self.assertEqual(self.result(f"{body}\nreturn ApprovalTemplate.approve()")["value"]["event"], "approve")
                self.assertEqual(self.result(f"{body}\nreturn ApprovalTemplate.deny()")["value"]["event"], "deny")

    def test_a_child_does_not_hide_a_death(self):
        result = self.result("if os.fork() == 0:\n    threading.Event().wait()\nos._exit(3)")
        self.assertIn("exit status 3", result["error"]["message"])

    @unittest.skipUnless(sys.platform == "linux", "only Linux tells of processes that are not ours")
    def test_children_end_with_the_worker(self):
        child = os.pidfd_open(self.value("subprocess.Popen(['sleep', '1000']).pid"))
        self.addCleanup(os.close, child)
        self.assertEqual(select.select([child], [], [], 0)[0], [])
        self.pool.close()
        self.assertEqual(select.select([child], [], [], MINUTES)[0], [child])

    @unittest.skipUnless(sys.platform == "linux", "only Linux tells of processes that are not ours")
    def test_children_that_leave_end_with_the_worker(self):
        child = os.pidfd_open(self.value("subprocess.Popen(['sleep', '1000'], start_new_session=True).pid"))
        self.addCleanup(os.close, child)
        self.assertEqual(select.select([child], [], [], 0)[0], [])
        self.pool.close()
        self.assertEqual(select.select([child], [], [], MINUTES)[0], [child])

    @unittest.skipUnless(sys.platform == "linux", "only Linux tells of processes that are not ours")
    def test_too_many_children(self):
        for where in ("on_request", "The import"):
            with self.subTest(where):
                alive = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "alive")
                os.mkfifo(alive)
                reading = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
                self.addCleanup(os.close, reading)
                body = f"""\
alive = os.open({alive!r}, os.O_WRONLY)
for _ in range(Limit + 1):
    subprocess.Popen(['sleep', '1000'], start_new_session=True, pass_fds=[alive])
threading.Event().wait()""".replace("Limit", str(Limits().processes))
                text = text_of(body) if where == "on_request" else text_of("pass") + body
                response = self.pool.answer(message(text))
                error = response.get("error") or response["results"][0]["error"]
                self.assertEqual(error["code"], "SDK:WORKER_DIED")
                self.assertIn(where, error["message"])
                self.assertIn("more than 32 processes", error["message"])
                self.assertTrue(select.select([reading], [], [], MINUTES)[0])  # all have closed it
                self.assertEqual(os.read(reading, 1), b"")

    @unittest.skipUnless(sys.platform == "linux", "only Linux has them fall to us")
    def test_orphans_end_with_the_message(self):
        body = """\
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(writing, str(os.getpid()).encode())
        threading.Event().wait()
    os._exit(0)
os.wait()
return ApprovalTemplate.approve(pid=int(os.read(reading, 20)))"""
        script = """\
import json, os, sys
import main
class Context:
    def get_remaining_time_in_millis(self):
        return 600_000
answer = main.handler(json.load(sys.stdin), Context())
pid = answer["results"][0]["value"]["fields"]["pid"]
try:
    os.kill(pid, 0)
    print("lives")
except ProcessLookupError:
    print("gone")
main.pool.close()
"""
        done = subprocess.run([sys.executable, "-B", "-c", script], input=json.dumps(message(text_of(body))), text=True,
                              capture_output=True, cwd=Path(__file__).parents[1])
        self.assertEqual((done.stdout, done.stderr), ("gone\n", ""))

    def test_talk_out_of_turn(self):
        self.enterContext(mock.patch.object(process, "_END", 0.01))
        body = "for number in range(3, 30):\n    try: os.write(number, b'nonsense\\n')\n    except OSError: pass"
        self.assertEqual(self.result(body)["error"]["code"], "SDK:WORKER_DIED")
        self.assertEqual(self.result("return None")["state"], "returned")

    @unittest.skipUnless(sys.platform == "linux", "only Linux can")
    def test_hidden(self):
        dumpable = self.value("ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)")  # PR_GET_DUMPABLE
        self.assertEqual(dumpable, 0)


class Settings(unittest.TestCase):
    def test_limits(self):
        self.assertEqual(Limits.of({}), Limits())
        self.assertEqual(Limits.of({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024"}).memory_mb, 512)
        self.assertEqual(Limits.of({"SYM_WORKER_MEMORY_MB": "100", "SYM_WORKERS": "2"}), Limits(memory_mb=100, workers=2))
        for bad in ("0", "-1", "1.5", "many"):
            with self.subTest(bad), self.assertRaises(ValueError) as caught:
                Limits.of({"SYM_WORKERS": bad})
            self.assertIn("SYM_WORKERS", str(caught.exception))

    def test_output(self):
        output = _Output()
        output.add(b"a" * MAX_OUTPUT)
        self.assertEqual(output.take(), "a" * MAX_OUTPUT)
        output.add("ü".encode() * MAX_OUTPUT)
        self.assertTrue(output.take().endswith(f"\n… {MAX_OUTPUT} bytes more were cut off"))
        self.assertEqual(output.take(), "")


class Main(unittest.TestCase):
    def test_handler(self):
        with mock.patch.object(family, "keep_orphans"):  # what else this process has started is no orphan
            import main

        self.addCleanup(main.pool.close)
        context = mock.Mock(get_remaining_time_in_millis=lambda: MINUTES * 1000)
        response = main.handler(message(text_of("return ApprovalTemplate.deny(reason='no')")), context)
        self.assertEqual(response["results"][0]["value"], {"event": "deny", "fields": {"reason": "no"}})
        self.assertEqual(main.handler({}, context)["error"]["code"], "SDK:BAD_MESSAGE")
