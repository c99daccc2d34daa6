"""Which backend a worker takes, and that it says why: the same programs on a machine without a CUDA device."""
import subprocess

from support import BIN, Stack, check, main, skip


def worker(stack, *settings, timeout=60):
    """A second start of worker 1 with other settings, as an operator would; its exit code and its lines."""
    done = subprocess.run([str(BIN / "sallyport-worker"), "--config", str(stack.folder / "etc/worker-1.yaml"),
                           *(part for setting in settings for part in ("--set", setting))],
                          capture_output=True, text=True, timeout=timeout)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def reason_without_device(stack):
    """Why auto did not take CUDA; a skip where it did."""
    log = (stack.folder / "log/worker-1.log").read_text()
    ready = [line for line in log.splitlines() if "WRK-READY" in line]
    check(len(ready) == 1, f"one WRK-READY line, not {len(ready)}")
    backend = ready[0].split('backend="', 1)[1].split('"', 1)[0]
    if backend.startswith("cuda"):
        skip(f"a CUDA device works here ({backend}); this test is about machines without one")
    check(backend.startswith("cpu"), f"auto without a device runs on the CPU, not on {backend}")
    return ready[0].split('reason="', 1)[1].split('"', 1)[0]


def test_auto_says_why_it_runs_on_the_cpu():
    with Stack() as stack:
        reason = reason_without_device(stack)
        check(reason.startswith("cuda: ") and len(reason) > len("cuda: no"), f"the reason is a sentence: {reason!r}")
        cuda_is_one_clear_error(stack, reason)


def cuda_is_one_clear_error(stack, reason):
    code, lines = worker(stack, "engine.backend=cuda")
    check(code not in (0, None) and code > 0, f"exit code {code}: an error, and no signal")
    check(len(lines) == 1, f"one line, not {len(lines)}: {lines}")
    check("WRK-FAIL" in lines[0] and "engine.backend" in lines[0] and reason in lines[0],
          f"the error names the setting and the same reason as auto: {lines[0]}")
    code, lines = worker(stack, "engine.backend=gpu")
    check(code > 0 and any("auto|cpu|ref|cuda" in line for line in lines), f"a backend that does not exist: {lines}")


main(test_auto_says_why_it_runs_on_the_cpu)
