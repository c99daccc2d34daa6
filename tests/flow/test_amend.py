"""A manifest that is amended while its travellers board: what a change costs, that no answer is stale, that nobody is lost or
there twice; then another model pack, the close, the purge."""
import csv
import json
import pathlib
import shutil
import tempfile
import threading
import time

from support import FLIGHT, Stack, Travellers, check, main, run, wait_until

AMENDMENTS = 20


def report(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def table_of(travellers):
    with open(travellers.folder / "flight.csv", newline="") as table:
        reader = csv.DictReader(table)
        return list(reader), reader.fieldnames


def write(path, rows, columns):
    with open(path, "w", newline="") as table:
        writer = csv.DictWriter(table, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def current(stack):
    """(version, state) as workers read it."""
    version, state = stack.redis("ledger", "GET", f"sp:m:{{{FLIGHT}}}:current").split()
    return int(version), state


def references(stack):
    found = [row["traveller_ref"] for row in stack.rows(FLIGHT)]
    check(len(found) == len(set(found)), f"somebody is there twice: {sorted(found)}")
    return set(found)


def costs_three(stack, travellers, folder):
    """Three of all travellers change: three embeddings, without the files of the others. A carrier's JSON does the same."""
    rows, columns = table_of(travellers)
    portraits = folder / "three"
    portraits.mkdir()
    added = []
    for i in range(3):
        name = f"SAMPLE-NEW-{i}"
        shutil.copy(travellers.folder / "portraits" / f"{rows[i]['traveller_ref']}.jpg", portraits / f"{name}.jpg")
        added.append(dict(rows[i], traveller_ref=name, surname=name, doc_number=name, photo_uri=""))
    change = write(folder / "change.csv", added, columns)
    told = report(stack.publish(change, portraits, "--kind", "change", "--json"))[0]
    check((told["enrolled"], told["added"], told["kept"]) == (3, 3, len(rows)), f"a change of three: {told}")
    told = report(stack.ops("manifest", "publish", change, "--kind", "removal", "--json"))[0]
    check((told["removed"], told["enrolled"], told["state"]) == (3, 0, "AMENDED"), f"a removal: {told}")
    check(references(stack) == {row["traveller_ref"] for row in rows}, "as before")
    refused = stack.ops("manifest", "publish", change, "--kind", "change", "--carrier", "QQ", code=None)
    check(refused.returncode != 0 and "carrier" in refused.stderr, f"another carrier's: {refused.stderr}")


def amend(stack, travellers, folder):
    """One traveller leaves and comes back, again and again, while everybody's frames come. Returns the versions made:
    [(version, not before ms, may be current until ms, is the traveller in it)]."""
    rows, columns = table_of(travellers)
    frame = travellers.frames("A1")[0]
    lost = travellers.expected(frame)
    lone = write(folder / "lone.csv", [row for row in rows if row["traveller_ref"] == lost], columns)
    steady = next(row for row in rows if row["traveller_ref"] != lost)
    windows, portraits = [[current(stack)[0], 0, 0, True]], travellers.folder / "portraits"
    stop, failures = threading.Event(), []

    def frames():
        mine = [frame] + [other for other in travellers.frames("A1") if travellers.expected(other) != lost][:2]
        while not stop.is_set():
            try:
                stack.capture("A1", *mine)
            except AssertionError as error:
                failures.append(str(error))
                return

    camera = threading.Thread(target=frames)
    camera.start()
    for turn in range(AMENDMENTS):
        begin = time.time() * 1000
        if turn % 4 == 3:  # a seat: nobody comes or leaves
            seat = write(folder / "seat.csv", [dict(steady, seat_or_cabin=f"{turn}C")], columns)
            stack.ops("manifest", "publish", seat, "--kind", "change")
        else:
            stack.publish(lone, portraits, "--kind", "removal" if windows[-1][3] else "change")
        there = windows[-1][3] if turn % 4 == 3 else not windows[-1][3]
        windows[-1][2] = time.time() * 1000
        windows.append([current(stack)[0], begin, 0, there])
    windows[-1][2] = float("inf")
    stop.set()
    camera.join()
    check(not failures, f"frames: {failures}")
    if not windows[-1][3]:
        stack.publish(lone, portraits, "--kind", "change")
    return lost, windows


def no_stale_answer(stack, travellers, folder):
    lost, windows = amend(stack, travellers, folder)
    rows, _ = table_of(travellers)
    versions = [version for version, *_ in windows]
    check(versions == sorted(set(versions)) and len(versions) == AMENDMENTS + 1, f"versions grow: {versions}")
    check(references(stack) == {row["traveller_ref"] for row in rows}, "nobody is lost, nobody is there twice")
    pseudonym = next(row["pseudonym"] for row in stack.rows(FLIGHT) if row["traveller_ref"] == lost)
    by_version = {version: (begin, end, there) for version, begin, end, there in windows}
    seen, stale = {True: 0, False: 0}, 0
    frame_of = {row["traveller_ref"]: row["pseudonym"] for row in stack.rows(FLIGHT)}
    for record in stack.records():
        gallery = next((g for g in record["galleries"] if g["manifest"] == FLIGHT), None)
        if gallery is None or gallery["version"] not in by_version:
            continue
        if record["reason"] == "gallery_stale":  # it could not load what stands in time, and says so itself
            stale += 1
            continue
        begin, end, there = by_version[gallery["version"]]
        check(begin <= record["issued_ms"] <= end, f"version {gallery['version']} was not current: {record}")
        if record["outcome"] == "match":
            check(record["traveller"] in frame_of.values(), f"a match of nobody: {record}")
            check(there or record["traveller"] != pseudonym, f"matched, though not in version {gallery['version']}: {record}")
        seen[there] += record["outcome"] == "match" and record["traveller"] == pseudonym if there else 1
    check(seen[True] > 0 and seen[False] > 0, f"the frames came while it was amended: {seen}")
    check(stale <= sum(seen.values()), f"{stale} referred as stale, {seen} not")
    print(f"     {len(versions)} versions, {sum(seen.values())} finals of them, {stale} more referred as stale")


def second_pack(stack, travellers):
    """Worker 2 comes back with another model pack; everything is enrolled under it, too, and both serve."""
    other = stack.folder / "other-pack"
    shutil.copytree(stack.pack, other)
    recipe = (other / "pack.yaml").read_text()
    check("mean: [122.782, 117.001, 104.298]" in recipe, "the default pack's recipe")
    (other / "pack.yaml").write_text(recipe.replace("mean: [122.782, 117.001, 104.298]", "mean: [122.7, 117.0, 104.2]"))
    run("chmod", "-R", "a+rX", other)
    config = stack.folder / "etc/worker-2.yaml"
    lines = config.read_text().splitlines()
    lines[lines.index("pack:") + 1] = f'  directory: "{other}"'
    config.write_text("\n".join(lines) + "\n")
    stack.signal("worker-2")
    wait_until(lambda: not stack.alive("worker-2"), 10, "worker 2 ends")
    stack.script("worker", "2")
    before = current(stack)
    told = report(stack.ops("manifest", "enrol", FLIGHT, "--pack", other, "--json"))[0]
    check(told["enrolled"] == told["portraits"] > 0 and told["without_portrait"] == 0, f"under the other pack: {told}")
    check(current(stack) == (before[0] + 1, before[1]), f"one version more: {before} {current(stack)}")
    again = report(stack.ops("manifest", "enrol", FLIGHT, "--pack", other, "--json"))[0]
    check(again["enrolled"] == 0 and again["unchanged"], f"again: {again}")
    keys = templates(stack)
    check(len(keys) == 2, f"templates of two packs: {keys}")
    frame = travellers.frames("A1")[0]
    for alive in ("worker-1", "worker-2"):  # each alone: both packs serve
        dead = "worker-2" if alive == "worker-1" else "worker-1"
        stack.signal(dead)
        wait_until(lambda: not stack.alive(dead), 10, f"{dead} ends")
        answers = [row for row in stack.capture("A1", frame) if row["outcome"] is not None]
        check([row["outcome"] for row in answers] == ["match"], f"{alive} alone: {answers}")
        stack.script("worker", dead[-1])
    old = next(key for key in keys if not key.endswith(pack_of(stack)))
    stack.ops("manifest", "enrol", FLIGHT, "--retire", old.rsplit(":", 1)[1])
    check(templates(stack) == [key for key in keys if key != old], "retired")
    stack.ops("manifest", "enrol", "--all", "--retire", old.rsplit(":", 1)[1])  # nobody has it any more: no error


def templates(stack):
    """The hashes of templates, one for each pack."""
    return [key for key in stack.redis("galleries", "KEYS", f"sp:g:{{{FLIGHT}}}:*").split() if not key.endswith(":packs")]


def pack_of(stack):
    """The newest pack of the manifest, in hex."""
    return json.loads(stack.ops("manifest", "show", FLIGHT, "--json").stdout)["pack"]


def ends(stack, travellers, folder):
    """A close-out in JSON says who did not board; faces go at once, everything else with the purge."""
    rows, columns = table_of(travellers)
    missing = rows[0]["traveller_ref"]
    mode, carrier, number, day, port = FLIGHT.split("-")
    out = folder / "close.json"
    out.write_text(json.dumps({
        "kind": "close_not_on_board", "message": "CLOSE-1",
        "journey": {"mode": mode, "carrier": carrier.upper(), "number": number},
        "legs": [{"dep_port": port.upper(), "sched_dep": f"{day[:4]}-{day[4:6]}-{day[6:]}T18:20"}],
        "travellers": [{"ref": missing}]}))
    told = report(stack.ops("manifest", "publish", out, "--json"))[0]
    check((told["state"], told["changed"], told["unknown"]) == ("CLOSED", len(rows), 0), f"close-out: {told}")
    check(report(stack.ops("manifest", "publish", out, "--json"))[0]["known"], "the same message again")
    boarding = {row["traveller_ref"]: row["boarding"] for row in stack.rows(FLIGHT)}
    check(boarding.pop(missing) == "not_on_board" and set(boarding.values()) == {"on_board"}, f"boarding: {boarding}")
    check(stack.redis("galleries", "KEYS", f"sp:g:{{{FLIGHT}}}:*") == "", "templates are deleted")
    check(stack.redis("ledger", "EXISTS", f"sp:m:{{{FLIGHT}}}:portraits") == "0", "portraits are deleted")
    done = stack.publish(travellers.folder / "flight.csv", travellers.folder / "portraits", code=None)
    check(done.returncode != 0 and "CLOSED" in done.stderr, f"a closed manifest: {done.stderr}")
    stack.ops("manifest", "purge", FLIGHT)
    check(stack.redis("ledger", "KEYS", f"sp:m:{{{FLIGHT}}}:*").split() == [f"sp:m:{{{FLIGHT}}}:current"], "purged")
    check(FLIGHT not in stack.ops("manifest", "list").stdout, "and not listed")
    done = stack.ops("manifest", "show", FLIGHT, code=None)
    check(done.returncode != 0 and "PURGED" in done.stderr, f"what is left says so: {done.stderr}")


def test_all():
    with tempfile.TemporaryDirectory() as made, Stack(workers=2) as stack:
        travellers, folder = Travellers(pathlib.Path(made) / "people"), pathlib.Path(made)
        stack.publish(travellers.folder / "flight.csv", travellers.folder / "portraits")
        stack.lane("A1", [FLIGHT])
        for part, *arguments in ((costs_three, folder), (no_stale_answer, folder), (second_pack,), (ends, folder)):
            begin = time.monotonic()
            part(stack, travellers, *arguments)
            print(f"     {part.__name__} {time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    main(test_all)
