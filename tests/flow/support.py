"""What the flow tests share: a real stack in a folder of its own, sample travellers, and small asserts.

Every test is a program: exit 0 passed, 77 skipped (with the reason printed), anything else failed. Environment, set by
CTest and tests/run.sh: SALLYPORT_SOURCE, SALLYPORT_BIN, SALLYPORT_PACK (the default pack), SALLYPORT_PHOTOS (the
model package's sample photos). For other machines: $SALLYPORT_BACKEND, which all workers are told to use and then found
on; $SALLYPORT_SETTINGS, more settings of the workers, KEY=VALUE with blanks between; $SALLYPORT_BUDGET, of frames where a
test names none, in ms; $SALLYPORT_STACKS, a short path to make the stacks' folders in, in place of /tmp. Only processes
started here are ended, by their pid; everything is loopback.
"""
import contextlib
import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(os.environ.get("SALLYPORT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("SALLYPORT_BIN", SOURCE / "build/release/bin"))
FLIGHT, VESSEL = "air-zx-417-20261204-jfk", "sea-excr-v0881-20261203-usmia"


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(77)


def need(variable):
    """The folder an environment variable names, or a skip."""
    path = os.environ.get(variable, "")
    if not path or not pathlib.Path(path).is_dir():
        skip(f"${variable} names no folder (tests/run.sh sets it)")
    return pathlib.Path(path)


def check(truth, what):
    """An assert that python -O cannot remove and that says what was expected."""
    if not truth:
        raise AssertionError(what)


def wait_until(condition, seconds, what):
    """Poll with a deadline; never sleep to synchronise."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return value


def run(*command, code=0, timeout=120, **more):
    """Run a program; its exit code must be `code` (None: any). Returns the finished process with text output."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout, **more)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}, expected {code}\n"
                             f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    return done


class Travellers:
    """The demo's sample travellers: manifests, portraits, frames and the truth about them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        run(BIN / "sallyport-demo-frames", "--pack", need("SALLYPORT_PACK"), "--photos", need("SALLYPORT_PHOTOS"),
            "--output", self.folder)
        with open(self.folder / "truth.csv", newline="") as table:
            self.truth = list(csv.DictReader(table))

    def frames(self, lane=None, alteration="plain", expected=True):
        """Frame files, in order: of enrolled people (expected=True), of strangers (False) or of both (None)."""
        return [self.folder / "frames" / row["lane"] / row["frame"] for row in self.truth
                if (lane is None or row["lane"] == lane) and (alteration is None or row["alteration"] == alteration)
                and (expected is None or (row["expected"] != "-") == expected)]

    def expected(self, frame):
        name = pathlib.Path(frame).name
        return next(row["expected"] for row in self.truth if row["frame"] == name)


class Stack:
    """deploy/stack.sh in a temporary folder; a context manager that takes it down again."""

    def __init__(self, workers=1, heartbeat=300):
        self.workers, self.heartbeat = workers, heartbeat
        self.pack = need("SALLYPORT_PACK")
        self.backend = os.environ.get("SALLYPORT_BACKEND", "")
        settings = os.environ.get("SALLYPORT_SETTINGS", "").split() + ([f"engine.backend={self.backend}"] if self.backend else [])
        self.settings = [part for setting in settings for part in ("--set", setting)]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sp-flow-", dir=os.environ.get("SALLYPORT_STACKS", "/tmp")))
        self.folder.chmod(0o755)

    def script(self, verb, *operands, code=0):
        return run(SOURCE / "deploy/stack.sh", verb, "--dir", self.folder, "--bin", BIN, "--pack", self.pack,
                   "--heartbeat", self.heartbeat, "--workers", self.workers, *self.settings, *operands, code=code)

    def __enter__(self):
        try:
            self.script("up")
            self.check_backends()
        except BaseException:
            self.leave(True)
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.check_backends()  # also those that were started again
        finally:
            self.leave(kind is not None)

    def leave(self, failed):
        if failed:
            self.show_logs()
        with contextlib.suppress(Exception):
            self.script("down", code=None)
        shutil.rmtree(self.folder, ignore_errors=True)

    def check_backends(self):
        """Every start of every worker took the backend that was asked for: one on another proves nothing about it."""
        for log in (self.folder / "log").glob("worker-*.log") if self.backend else ():
            ready = [line for line in log.read_text(errors="replace").splitlines() if "WRK-READY" in line]
            check(ready and all(f'backend="{self.backend}' in line for line in ready), f"{log.name} is not on {self.backend}: {ready}")

    def show_logs(self):
        for log in sorted((self.folder / "log").glob("*.log")):
            print(f"---- {log.name}\n{log.read_text(errors='replace')[-3000:]}", file=sys.stderr)

    def source_script(self):
        return str(SOURCE / "deploy/stack.sh")

    def alive(self, name):
        try:
            os.kill(self.pid(name), 0)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return pathlib.Path(f"/proc/{self.pid(name)}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"

    def pid(self, name):
        return int((self.folder / "run" / f"{name}.pid").read_text())

    def signal(self, name, number=signal.SIGKILL):
        os.kill(self.pid(name), number)

    def ops(self, *arguments, code=0):
        return run(BIN / "sallyport", "--config", self.folder / "etc/ops.yaml", *arguments, code=code)

    def publish(self, table, portraits, *more, code=0):
        return self.ops("manifest", "publish", table, "--portraits", portraits, *more, code=code)

    def lane(self, name, manifests, kind="single", mode="air", fpir="0.0005", once="no"):
        self.ops("lane", "set", name, "--kind", kind, "--mode", mode, "--terminal", "T1", "--fpir", fpir, "--once", once,
                 "--reveal-scores")
        if manifests:
            self.ops("lane", "assign", name, *manifests)

    def board(self, travellers):
        """Both sample manifests published and assigned to their lanes."""
        self.publish(travellers.folder / "flight.csv", travellers.folder / "portraits")
        self.publish(travellers.folder / "vessel.csv", travellers.folder / "portraits")
        self.lane("A1", [FLIGHT])
        self.lane("G1", [VESSEL], mode="sea")

    def rows(self, manifest):
        """The rows of a manifest as `manifest show --json` prints them."""
        return json.loads(self.ops("manifest", "show", manifest, "--json").stdout)["rows"]

    def references(self):
        """pseudonym -> traveller_ref of both manifests."""
        return {row["pseudonym"]: row["traveller_ref"] for manifest in (FLIGHT, VESSEL) for row in self.rows(manifest)}

    def capture_command(self, lane, *arguments):
        budget = os.environ.get("SALLYPORT_BUDGET", "")
        more = ("--budget", budget) if budget and "--budget" not in arguments else ()
        return [str(part) for part in (BIN / "sallyport-capture", "--config", self.folder / "etc/capture.yaml",
                                       "--lane", lane, "--json", *more, *arguments)]

    def capture(self, lane, *arguments, code=0):
        """Answers of sallyport-capture, one dict per line."""
        done = run(*self.capture_command(lane, *arguments), code=code, timeout=900 if "SALLYPORT_BUDGET" in os.environ else 120)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def records(self):
        """The decision stream, opened and verified with the recorder's key."""
        done = run(BIN / "sallyport", "--config", self.folder / "etc/recorder.yaml", "records", "tail", "--json",
                   "--count", "100000")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def redis(self, role, *command, code=0):
        """One redis-cli command as the role's admin."""
        environment = dict(os.environ, REDISCLI_AUTH=(self.folder / f"secrets/{role}-admin.pass").read_text().strip())
        return run("redis-cli", "-s", self.folder / f"run/{role}.sock", "--user", "admin", *command, code=code,
                   env=environment).stdout.strip()


def finals(answers):
    """source name -> (outcome, reason, traveller) of each encounter; exactly one final per encounter is checked."""
    result = {}
    for answer in answers:
        if answer["outcome"] is not None:
            name = pathlib.Path(answer["source"]).name
            check(name not in result, f"{name}: two finals")
            result[name] = (answer["outcome"], answer["reason"], answer["traveller"])
    return result


def main(*tests):
    """Run the tests in order, or those that the command line names; the first failure ends the program."""
    for test in (test for test in tests if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]):
        start = time.monotonic()
        test()
        print(f"ok   {test.__name__} ({time.monotonic() - start:.1f} s)")
