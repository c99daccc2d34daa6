"""A worker killed in the middle, and the ledger away for five seconds: nothing is lost, nothing is decided twice."""
import json
import subprocess
import tempfile
import time

from support import Stack, Travellers, check, finals, main, wait_until

ENCOUNTERS = 200
BUDGET_MS = "60000"


def frames_for(travellers, count):
    """`count` frames of lane A1: enrolled people and strangers, plain and altered, in a fixed order."""
    pool = travellers.frames("A1", alteration=None, expected=None)
    return [pool[i % len(pool)] for i in range(count)]


def sequence(answers):
    """Outcomes in the order of the encounters: what must be equal however the run was disturbed."""
    return [(answer["outcome"], answer["reason"], answer["traveller"]) for answer in answers
            if answer["outcome"] is not None]


def check_whole(answers, count):
    """Exactly one answer per frame and close, exactly one final per encounter."""
    keys = [(answer["encounter"], answer["seq"]) for answer in answers]
    check(len(keys) == len(set(keys)), "a frame was answered twice")
    decided = [answer["encounter"] for answer in answers if answer["outcome"] is not None]
    check(len(decided) == count, f"{len(decided)} finals for {count} encounters")
    check(len(set(decided)) == count, "an encounter has two finals")


def run_disturbed(stack, frames, after, disturb, *more, budget=BUDGET_MS):
    """Run capture over the frames; call disturb() once `after` answers have come."""
    process = subprocess.Popen(stack.capture_command("A1", "--budget", budget, *more, *frames),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    answers = []
    for line in process.stdout:
        answers.append(json.loads(line))
        if len(answers) == after:
            disturb()
    errors = process.stderr.read()
    return process.wait(timeout=60), answers, errors


def test_worker_killed():
    with tempfile.TemporaryDirectory() as folder, Stack(workers=2) as stack:
        travellers = Travellers(folder)
        stack.board(travellers)
        frames = frames_for(travellers, ENCOUNTERS)
        undisturbed = stack.capture("A1", "--budget", BUDGET_MS, *frames)
        check_whole(undisturbed, ENCOUNTERS)

        code, answers, errors = run_disturbed(stack, frames, ENCOUNTERS // 3, lambda: stack.signal("worker-1"),
                                              "--concurrency", "1")
        check(code == 0, f"sallyport-capture: exit {code}: {errors[-2000:]}")
        check_whole(answers, ENCOUNTERS)
        check(sequence(answers) == sequence(undisturbed), "outcomes differ from the undisturbed run")
        records = [record["encounter"] for record in stack.records()]
        check(len(records) == len(set(records)) == 2 * ENCOUNTERS, f"{len(records)} records for {2 * ENCOUNTERS} finals")


def test_broker_killed():
    """Clients and workers come back by themselves; frames that were under way are sent again on the new session."""
    with tempfile.TemporaryDirectory() as folder, Stack(workers=1) as stack:
        travellers = Travellers(folder)
        stack.board(travellers)
        frames = frames_for(travellers, 40)
        undisturbed = stack.capture("A1", "--budget", BUDGET_MS, *frames)

        def kill_and_restart():
            stack.signal("broker")
            wait_until(lambda: not stack.alive("broker"), 10, "the broker is gone")
            stack.script("broker")

        code, answers, errors = run_disturbed(stack, frames, 15, kill_and_restart)
        check(code == 0, f"sallyport-capture: exit {code}: {errors[-2000:]}")
        check_whole(answers, len(frames))
        check(sequence(answers) == sequence(undisturbed), "outcomes differ from the undisturbed run")


def test_worker_drains():
    """SIGTERM in the middle: what it holds is finished, nothing is delivered again, the worker leaves."""
    with tempfile.TemporaryDirectory() as folder, Stack(workers=2) as stack:
        travellers = Travellers(folder)
        stack.board(travellers)
        frames = frames_for(travellers, 40)
        undisturbed = stack.capture("A1", "--budget", BUDGET_MS, *frames)
        code, answers, errors = run_disturbed(stack, frames, 15, lambda: stack.signal("worker-1", 15))
        check(code == 0, f"sallyport-capture: exit {code}: {errors[-2000:]}")
        check_whole(answers, len(frames))
        check(sequence(answers) == sequence(undisturbed), "outcomes differ from the undisturbed run")
        wait_until(lambda: not stack.alive("worker-1"), 20, "worker-1 leaves")
        check("BRK-REDELIVER" not in (stack.folder / "log/broker.log").read_text(), "a drained worker's jobs were redelivered")


def test_ledger_away():
    """A budget shorter than the outage: frames within it hear store_unavailable (a longer one would wait it out)."""
    with tempfile.TemporaryDirectory() as folder, Stack(workers=1) as stack:
        travellers = Travellers(folder)
        stack.board(travellers)
        frames = frames_for(travellers, 60)
        expected = finals(stack.capture("A1", "--budget", BUDGET_MS, *dict.fromkeys(frames)))
        outage = {}

        def take_away():
            stack.signal("ledger", 15)
            outage["from"] = time.monotonic()
            gone = subprocess.Popen(["bash", "-c", 'read -t 5 <> <(:); exec "$0" "$@"', stack.source_script(), "redis",
                                     "--dir", str(stack.folder), "ledger"], stdout=subprocess.DEVNULL)
            outage["process"] = gone

        code, answers, errors = run_disturbed(stack, frames, 10, take_away, "--pace", "100", budget="2500")
        outage["process"].wait(timeout=60)
        check(code in (0, 1), f"sallyport-capture: exit {code}: {errors[-2000:]}")
        for answer in answers:
            if answer["answer"] == "error":
                check(answer["reason"] == "store_unavailable", f"a frame heard {answer['reason']}")
        unanswered = [answer for answer in answers if answer["answer"] == "unanswered"]
        check(not unanswered, f"{len(unanswered)} frames hung")
        heard = [answer for answer in answers if answer["answer"] == "error"]
        check(heard, "five seconds without a ledger and no frame heard of it: the test did not disturb")
        for answer in answers:
            if answer["outcome"] is not None:
                name = answer["source"].rsplit("/", 1)[-1]
                check((answer["outcome"], answer["reason"], answer["traveller"]) == expected[name],
                      f"{name}: {answer['outcome']} differs from the undisturbed run")
        last = [answer for answer in answers if answer["outcome"] is not None][-1]
        check(last["source"].endswith(frames[-1].name), "the last encounter was not decided: the store never came back")


def test_galleries_wiped():
    """Templates are derived: a wiped "galleries" comes back from the durable store by re-enrolment."""
    with tempfile.TemporaryDirectory() as folder, Stack(workers=1) as stack:
        travellers = Travellers(folder)
        stack.board(travellers)
        frames = travellers.frames("A1")
        expected = finals(stack.capture("A1", *frames))
        stack.redis("galleries", "FLUSHALL")
        stack.signal("worker-1", 15)
        wait_until(lambda: not stack.alive("worker-1"), 20, "worker-1 drains")
        stack.script("worker", "1")
        seen = []

        def came_back():
            answers = finals(stack.capture("A1", *frames))
            seen.append(answers)
            wrong = [name for name, final in answers.items() if final[0] == "no_match" and expected[name][0] == "match"]
            check(not wrong, f"no_match from a gallery that is not whole: {wrong}")
            return answers == expected

        wait_until(came_back, 60, "the wiped galleries come back")
        check(any(final[1] == "gallery_stale" for final in seen[0].values()) or seen[0] == expected,
              "frames before the re-enrolment hear gallery_stale")


if __name__ == "__main__":
    main(test_worker_killed, test_broker_killed, test_worker_drains, test_ledger_away, test_galleries_wiped)
