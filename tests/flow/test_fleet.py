"""A manifest that lives, seen by its workers: a traveller crosses once, also when workers die; a new version is what the next
final names; look-alikes are found; and a desk sees who holds what."""
import json
import os
import shutil
import subprocess
import tempfile
import time

import msgpack

import client as protocol
from support import BIN, FLIGHT, Stack, Travellers, check, main, run, wait_until
from test_client import connect, expect
from test_publish import edit

BUDGET_MS = 20000


def final_of(rows):
    """The one final among the answers of an encounter."""
    decided = [row for row in rows if row["outcome"] is not None]
    check(len(decided) == 1, f"not one final: {rows}")
    return decided[0]


def present(client, frame, lane="B1", encounter=None):
    """One frame, the last, and its final (with a close where the frame did not decide)."""
    encounter = encounter or protocol.new_encounter()
    rows = client.send_frame(lane, frame.read_bytes(), encounter, budget_ms=BUDGET_MS, timeout=25)
    if rows[0]["outcome"] is None:
        rows = client.ask(protocol.CLOSE, lane, encounter, 2, client.closing(lane, encounter, 2, budget_ms=BUDGET_MS),
                          timeout=25)
    return final_of(rows)


def known_frames(travellers):
    """One plain frame of each enrolled person of the flight whose final is a match: reference -> frame."""
    frames = {}
    for frame in travellers.frames("A1"):
        frames.setdefault(travellers.expected(frame), frame)
    return frames


def once(stack, travellers):
    """The same traveller twice: the second encounter is referred; the first, resent, hears its match again; an officer lets
    the traveller cross once more."""
    stack.lane("B1", [FLIGHT], once="yes")
    reference, frame = next(iter(known_frames(travellers).items()))
    with connect(stack, ("A1", "B1")) as client:
        first = protocol.new_encounter()
        heard = present(client, frame, encounter=first)
        check(heard["outcome"] == "match", f"the first crossing: {heard}")
        for _ in range(2):
            second = present(client, frame)
            check((second["outcome"], second["reason"]) == ("refer", "already_boarded"), f"the second: {second}")
        again = present(client, frame, encounter=first)
        check((again["outcome"], again["traveller"]) == ("match", heard["traveller"]), f"sent again: {again}")
        check(present(client, frame, lane="A1")["outcome"] == "match", "a lane where people go to and fro")
        stack.ops("manifest", "release", FLIGHT, reference)
        check(present(client, frame)["outcome"] == "match", "released, so once more")
        check(present(client, frame)["reason"] == "already_boarded", "and no more")
        done = stack.ops("manifest", "release", FLIGHT, "nobody", code=None)
        check(done.returncode != 0 and "manifest show" in done.stderr, f"an unknown reference: {done.stderr}")
    return {reference}


def killed_between(stack, travellers, taken):
    """Workers are killed at any moment of a match: each traveller still has exactly one."""
    people = [(reference, frame) for reference, frame in known_frames(travellers).items() if reference not in taken][:6]
    killed = "worker-1"
    for i, (_, frame) in enumerate(people):
        with connect(stack, ("B1",)) as client:
            encounter = protocol.new_encounter()
            client.send(*client.frame("B1", encounter, 1, frame.read_bytes(), budget_ms=BUDGET_MS))
            deadline = time.monotonic() + 0.02 * i + 0.01  # another moment each time
            while time.monotonic() < deadline:
                pass
            stack.signal(killed)
            header, body = client.answer(encounter, 1, 30)
            check(header["answer"] == protocol.DECIDED, f"delivered again: {header}")
            decision = client.decisions("B1", encounter, body)[0]
            check(decision["outcome"] == 1, f"its own claim is found: {decision['outcome']} {decision['reason']}")
            check(present(client, frame)["reason"] == "already_boarded", "a second encounter is referred")
        wait_until(lambda: not stack.alive(killed), 10, "the worker is gone")
        stack.script("worker", killed.rsplit("-", 1)[1])
        killed = "worker-2" if killed == "worker-1" else "worker-1"
    matches = [record["traveller"] for record in stack.records() if record["lane"] == "B1" and record["outcome"] == "match"]
    pseudonyms = {row["traveller_ref"]: row["pseudonym"] for row in stack.rows(FLIGHT)}
    for reference, _ in people:
        check(matches.count(pseudonyms[reference]) == 1, f"{reference}: {matches.count(pseudonyms[reference])} matches")


def freshness(stack, travellers):
    """A published version is what the next final names: within a second, and none names one that was not current any more."""
    table = travellers.folder / "flight.csv"
    lines = table.read_text().splitlines()
    frame = next(iter(known_frames(travellers).values()))
    worst = 0.0
    with connect(stack, ("A1",)) as client:
        present(client, frame, lane="A1")
        for turn in range(4):
            changed = stack.folder / "changed.csv"
            cells = lines[-1].split(",")
            at = lines[0].split(",").index("seat_or_cabin")
            cells[at] = f"{20 + turn}F"
            changed.write_text("\n".join(lines[:-1] + [",".join(cells)]) + "\n")
            process = subprocess.Popen([str(part) for part in (
                BIN / "sallyport", "--config", stack.folder / "etc/ops.yaml", "manifest", "publish", changed, "--portraits",
                travellers.folder / "portraits", "--json")], stdout=subprocess.PIPE, text=True)
            current = int(stack.redis("ledger", "GET", f"sp:m:{{{FLIGHT}}}:current").split()[0])
            flipped = None
            while flipped is None or time.monotonic() < flipped + 1:
                # what was current before the frame left is the least that its final may name
                standing = int(stack.redis("ledger", "GET", f"sp:m:{{{FLIGHT}}}:current").split()[0])
                if standing > current and flipped is None:
                    flipped = time.monotonic()
                heard = present(client, frame, lane="A1")
                named = heard["versions"]["galleries"][0]["version"]
                check(named >= standing, f"a final names version {named}, {standing} was current before its frame left")
                check(heard["outcome"] == "match", f"and matches under it: {heard}")
                if flipped is not None and named > current:
                    worst = max(worst, time.monotonic() - flipped)
                    break
                check(flipped is None or time.monotonic() < flipped + 1, "no final named the new version within 1 s")
            check(process.wait(timeout=60) == 0 and json.loads(process.stdout.read())["version"] == current + 1, "published")
    print(f"     a new version was named at most {worst * 1000:.0f} ms after the flip was seen")


def look_alikes(stack, travellers):
    """The one woman who is in two photographs, as two travellers: a review finds the pair."""
    other = next(row for row in travellers.truth if row["alteration"] == "other photo" and row["frame"].endswith("-plain.jpg"))
    portraits = stack.folder / "portraits"
    shutil.copytree(travellers.folder / "portraits", portraits)
    shutil.copy(travellers.folder / "portraits" / f"{other['expected']}.jpg", portraits / "SAMPLE-A.jpg")
    shutil.copy(travellers.folder / "frames" / other["lane"] / other["frame"], portraits / "SAMPLE-B.jpg")

    def add(rows):
        rows = [dict(row, journey="419") for row in rows if row["traveller_ref"] != other["expected"]]
        return rows + [dict(rows[0], traveller_ref=name, surname=name, given="SAMPLE", doc_number=name, photo_uri="",
                            seat_or_cabin=seat) for name, seat in (("SAMPLE-A", "30A"), ("SAMPLE-B", "30B"))]

    table = edit(travellers.folder / "flight.csv", stack.folder / "pair.csv", add)
    manifest = json.loads(stack.publish(table, portraits, "--json").stdout)["manifest"]
    references = {row["pseudonym"]: row["traveller_ref"] for row in stack.rows(manifest)}
    with connect(stack, (), "ops") as desk:
        header, review = desk.review(manifest)
        check(header["answer"] == protocol.DECIDED and review["version"] == 1, f"review: {header} {review}")
        check(review["people"] == len(references) and review["missing"] == 0, f"all are reviewed: {review}")
        pairs = [(sorted(references[name.hex()] for name in pair[:2]), pair[2]) for pair in review["pairs"]]
        check([names for names, _ in pairs] == [["SAMPLE-A", "SAMPLE-B"]], f"pairs: {pairs}, review: {review}")
        check(pairs[0][1] >= review["threshold"] - review["margin"] and review["count"] == 1, f"{review}")
        print(f"     look-alikes at {pairs[0][1]:.3f}, threshold {review['threshold']:.3f}")
        _, review = desk.review(FLIGHT)
        check(review["count"] == 0 and review["people"] == review["usable"] > 0, f"nobody looks like another: {review}")
        header, review = desk.review("air-zx-9-20261204-jfk")
        check(protocol.REASONS[header["reason"]] == "gallery_stale" and review is None, f"an unknown manifest: {header}")
    with connect(stack) as camera:
        header, _ = camera.review(FLIGHT)
        check(protocol.REASONS[header["reason"]] == "not_authorised", f"a camera asks for a review: {header}")


def reports(stack):
    """What the workers say of themselves, read with the desk's rights: name -> report."""
    def ask(*command):
        environment = dict(os.environ, REDISCLI_AUTH=(stack.folder / "secrets/galleries-ops.pass").read_text().strip())
        return subprocess.run(["redis-cli", "-s", str(stack.folder / "run/galleries.sock"), "--user", "ops", *command],
                              capture_output=True, env=environment).stdout[:-1]
    names = ask("SMEMBERS", "sp:fleet").decode().split()
    told = {name: ask("MGET", f"sp:fleet:{name}") for name in names}
    return {name: msgpack.unpackb(data, raw=False) if data else None for name, data in told.items()}


def who_is_there(stack):
    """What the broker tells a desk, and what the workers say of themselves."""
    with connect(stack, ("A1", "B1")) as client, connect(stack, (), "ops") as desk:
        lanes = desk.connected("lanes")
        check([row[:2] for row in lanes] == [["A1", "capture"], ["B1", "capture"]], f"lanes: {lanes}")
        workers = desk.connected("workers")
        check([row[0] for row in workers] == ["worker-1", "worker-2"], f"workers: {workers}")
        check(all(row[3] > 0 and row[4] < 2000 for row in workers), f"workers: {workers}")
        expect("not_authorised", "a camera asks who is there", client.connected, "lanes")
        expect("bad_message", "of what nobody tells", desk.connected, "secrets")
        said = wait_until(lambda: all((now := reports(stack)).values()) and now, 15, "every worker reports")
        for name, _, pack, _, _ in workers:
            check(said[name]["worker"] == name and said[name]["pack"] == pack, f"{name}: {said[name]}")
            check(abs(said[name]["at_ms"] - time.time() * 1000) < 15000, f"{name}: {said[name]}")
        standing = int(stack.redis("ledger", "GET", f"sp:m:{{{FLIGHT}}}:current").split()[0])
        people = len(stack.rows(FLIGHT))
        wait_until(lambda: any([FLIGHT, standing, people, 0] in report["galleries"] for report in reports(stack).values()), 15,
                   f"version {standing} of the flight is hot at a worker that says so")
        stack.signal("worker-2")
        wait_until(lambda: [row[0] for row in desk.connected("workers")] == ["worker-1"], 10, "the broker misses it")


def workers_of(stack):
    """name -> pack of the workers that the broker has."""
    with connect(stack, (), "ops") as desk:
        return {row[0]: row[2] for row in desk.connected("workers")}


def two_packs(stack, travellers):
    """Worker 2 comes back with another model pack: enrolments find their own, and the lanes go on under either."""
    other = stack.folder / "other-pack"
    shutil.copytree(stack.pack, other)
    recipe = (other / "pack.yaml").read_text()
    check("mean: [122.782, 117.001, 104.298]" in recipe, "the default pack's recipe")
    (other / "pack.yaml").write_text(recipe.replace("mean: [122.782, 117.001, 104.298]", "mean: [122.7, 117.0, 104.2]"))
    run("chmod", "-R", "a+rX", other)
    config = stack.folder / "etc/worker-2.yaml"
    lines = config.read_text().splitlines()
    at = lines.index("pack:") + 1
    lines[at] = f'  directory: "{other}"'
    config.write_text("\n".join(lines) + "\n")
    stack.script("worker", "2")
    ops = lambda pack, *more, code=0: stack.ops(*more, "--set", f"pack.directory={pack}", "--set", "enrol.budget=1500", code=code)
    published = ("manifest", "publish", stack.folder / "second.csv", "--portraits", travellers.folder / "portraits", "--json")
    edit(travellers.folder / "flight.csv", stack.folder / "second.csv", lambda rows: [dict(row, journey="420") for row in rows])
    packs = workers_of(stack)
    check(packs["worker-1"] != packs["worker-2"], f"two packs: {packs}")
    report = json.loads(ops(stack.pack, *published).stdout)
    check(report["enrolled"] == report["travellers"], f"all by the worker of the desk's pack: {report}")
    manifest = report["manifest"]
    stack.signal("worker-1")
    wait_until(lambda: list(workers_of(stack)) == ["worker-2"], 10, "the broker misses it")
    edit(stack.folder / "second.csv", stack.folder / "third.csv", lambda rows: [dict(row, journey="421") for row in rows])
    done = ops(stack.pack, "manifest", "publish", stack.folder / "third.csv", *published[3:], code=None)
    check(done.returncode != 0 and "no worker of model pack" in done.stderr, f"the desk is told: {done.stderr}")
    # Nobody is left who runs the index's pack: worker 2 wants every portrait under its own, and matches then.
    stack.lane("C1", [manifest])
    frame = next(iter(known_frames(travellers).values()))
    with connect(stack, ("C1",)) as client:
        heard = wait_until(lambda: (now := present(client, frame, "C1"))["outcome"] == "match" and now, 30,
                           "the other pack has enrolled all")
        check(heard["versions"]["pack"] == packs["worker-2"].hex(), f"a decision names the pack it was made under: {heard}")
    wait_until(lambda: reports(stack)["worker-1"] is None, 15, "the report of a dead worker expires")


def test_a_manifest_that_lives():
    with tempfile.TemporaryDirectory() as folder, Stack(workers=2) as stack:
        travellers = Travellers(folder)
        stack.board(travellers)
        taken = once(stack, travellers)
        killed_between(stack, travellers, taken)
        freshness(stack, travellers)
        look_alikes(stack, travellers)
        who_is_there(stack)
        two_packs(stack, travellers)


if __name__ == "__main__":
    main(test_a_manifest_that_lives)
