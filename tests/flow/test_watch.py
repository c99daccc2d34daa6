"""The drop folder: every file ends in done/ or rejected/ with its papers, whatever dies in between; carriers' keys open their own
journeys only."""
import csv
import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import zoneinfo

from support import BIN, Stack, Travellers, check, main, run, wait_until

LOCAL = datetime.datetime.now(zoneinfo.ZoneInfo("America/New_York")) + datetime.timedelta(hours=9)
LATER = LOCAL + datetime.timedelta(hours=7)


def manifest(number, carrier="zx"):
    return f"air-{carrier}-{number}-{LOCAL:%Y%m%d}-jfk"


def put(path, content, age=30):
    """A file that has rested: written under a hidden name, renamed."""
    hidden = path.with_name("." + path.name)
    hidden.write_bytes(content if isinstance(content, bytes) else content.encode())
    then = time.time() - age
    os.utime(hidden, (then, then))
    hidden.rename(path)
    return path


def listing(travellers, number, count=3, carrier="ZX"):
    """The sample flight under another number, as CSV text; its first `count` travellers."""
    with open(travellers.folder / "flight.csv", newline="") as source:
        reader = csv.DictReader(source)
        rows = [dict(row, journey=number, carrier=carrier, sched_dep=f"{LOCAL:%Y-%m-%dT%H:%M}", sched_arr="")
                for row in reader][:count]
    lines = [",".join(reader.fieldnames)] + [",".join(row[name] for name in reader.fieldnames) for row in rows]
    return "\n".join(lines) + "\n"


def paxlst(number, people, part="01:F", function="745"):
    """A passenger list, a part of one, or a change: (reference, document number) of each."""
    body = [f"UNH+1+PAXLST:D:05B:UN:IATA+ZX{number}/{LOCAL:%y%m%d}/1200+{part}", f"BGM+{function}", "RFF+TN:ZXTEST0001",
            "NAD+MS+++OPERATIONS DESK", f"TDT+20+ZX{number}", "LOC+125+JFK", f"DTM+189:{LOCAL:%y%m%d%H%M}:201",
            "LOC+87+LIS", f"DTM+232:{LATER:%y%m%d%H%M}:201"]
    for reference, number_ in people:
        body += [f"NAD+FL+++SAMPLE:PERSON {number_}", "ATT+2++F", "DTM+329:900101:101", "NAT+2+UTO", "RFF+AVF:PNR123",
                 f"RFF+ABO:{reference}", f"DOC+P:110:111+{number_}", "DTM+36:310630:101", "LOC+91+UTO"]
    body.append(f"CNT+42:{len(people)}")
    body.append(f"UNT+{len(body) + 1}+1")
    return "'\n".join(["UNB+UNOA:4+ZXTEST:ZZ+PORT:ZZ+261126:1200+0001"] + body + ["UNZ+1+0001"]) + "'\n"


def watch(stack, folder, *more):
    return [str(part) for part in (BIN / "sallyport", "--config", stack.folder / "etc/ops.yaml", "manifest", "watch",
                                   folder / "drop", "--portraits", folder / "portraits", "--json", *more)]


def once(stack, folder, *more, code=0):
    """What happened to each file, by name."""
    done = run(*watch(stack, folder, "--once", *more), code=code)
    return {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}


def every_file_ends_somewhere(stack, travellers, folder):
    drop = folder / "drop"
    drop.mkdir()
    put(drop / "1 flight.csv", listing(travellers, "501"))
    put(drop / "2-bad.csv", listing(travellers, "502").replace("1990-01-01", "1990-13-01"))
    put(drop / "3-list.edi", paxlst("503", [("P1F1", "X00000017"), ("NONE", "X90000003")]))
    put(drop / "4-cut.edi", paxlst("504", [("P1F1", "X00000017")]).rsplit("UNT", 1)[0])
    with open(drop / "5-huge.csv", "wb") as huge:
        huge.truncate((64 << 20) + 1)
    (drop / "6-link.csv").symlink_to(travellers.folder / "flight.csv")
    os.mkfifo(drop / "7-pipe.csv")
    put(drop / "8-new\nline.csv", listing(travellers, "505"))
    put(drop / "9.csv.part", listing(travellers, "506"))
    put(drop / "a-fresh.csv", listing(travellers, "507"), age=-1)
    told = once(stack, folder, code=3)  # a-fresh has not rested
    check({name: line["outcome"] for name, line in told.items()} ==
          {"1 flight.csv": "taken", "2-bad.csv": "rejected", "3-list.edi": "taken", "4-cut.edi": told["4-cut.edi"]["outcome"],
           "5-huge.csv": "rejected"}, f"outcomes: {told}")
    check(told["1 flight.csv"]["manifest"] == manifest("501") and told["1 flight.csv"]["version"] == 1, f"{told}")
    report = json.loads((drop / "done/1 flight.csv.report.json").read_text())
    check(report["messages"][0]["manifest"] == manifest("501"), f"the report: {report}")
    reason = (drop / "rejected/2-bad.csv.reason.txt").read_text()
    check("line 2" in reason and "dob" in reason and "SAMPLE" not in reason, f"the reason: {reason}")
    check("large" in (drop / "rejected/5-huge.csv.reason.txt").read_text(), "why the huge file is not read")
    answer = (drop / "done/3-list.edi.answer.edi").read_text()
    check("CUSRES" in answer and "ERC+0Z" in answer and "ERC+4Z" in answer and "NO PORTRAIT: no_portrait" in answer.replace("?", ""),
          f"the answer to the carrier:\n{answer}")
    first, second = answer.split("RFF+ABO:P1F1")[1].split("RFF+ABO:NONE")
    check("0Z" in first and "4Z" in second, f"who is cleared:\n{answer}")
    put(drop / "3-list.edi", paxlst("503", [("P1F1", "X00000017"), ("NONE", "X90000003")]))
    put(drop / "a-fresh.csv", listing(travellers, "507"), age=-1)
    once(stack, folder, code=3)
    again = (drop / "done/3-list.edi.2.answer.edi").read_text()
    check(again.split("ERP")[1:-1] == answer.split("ERP")[1:-1] and "NO PORTRAIT" in again, f"applied already, and answered alike:\n{again}")
    left = sorted(path.name for path in drop.iterdir())
    check(left == ["6-link.csv", "7-pipe.csv", "8-new\nline.csv", "9.csv.part", "a-fresh.csv", "done", "rejected"], f"left: {left}")
    for name in left[:5]:
        (drop / name).unlink()
    put(drop / "1 flight.csv", listing(travellers, "501"))
    told = once(stack, folder, code=None)["1 flight.csv"]
    check(told["as"] == "1 flight.csv.2" and told["version"] == 1, f"given again, it changes and replaces nothing: {told}")


def papers_that_cannot_be_written(stack, travellers, folder):
    """As on a full disk: nothing is accepted without its papers, and the file stays."""
    drop = folder / "drop"
    in_the_way = drop / "done/full.csv.report.json"
    in_the_way.mkdir()
    put(drop / "full.csv", listing(travellers, "508", 1))
    told = once(stack, folder, code=3)["full.csv"]
    check(told["outcome"] == "later" and "cannot be written" in told["reason"], f"the report cannot be written: {told}")
    check((drop / "full.csv").exists() and not (drop / "done/full.csv").exists(), "the file stays")
    in_the_way.rmdir()
    told = once(stack, folder)["full.csv"]
    check(told["outcome"] == "taken" and told["version"] == 1, f"then it is taken, and published once: {told}")


def who_has_a_portrait(stack, travellers, folder):
    """A row keeps its id under a later reference: whoever gets the reference it had is not answered for it. Two messages."""
    drop, portraits = folder / "drop", folder / "portraits"
    put(drop / "1.edi", paxlst("509", [("P1F1", "X00000017")], "01:C") + paxlst("509", [("NONE", "X90000003")], "02:F"))
    put(drop / "2.edi", paxlst("509", [("NEWREF", "X00000017")], function="745+CP"))
    told = once(stack, folder)
    check([told[name]["travellers"] for name in ("1.edi", "2.edi")] == [2, 2], f"two messages of two travellers: {told}")
    check(told["1.edi"]["without_portrait"] == 1, f"one of them without: {told}")
    portraits.rename(folder / "away")
    portraits.mkdir()
    put(drop / "3.edi", paxlst("509", [("P1F1", "X90000022"), ("NEWREF", "X00000017")], function="745+CP"))
    check(once(stack, folder)["3.edi"]["travellers"] == 3, "another person under the first reference")
    portraits.rmdir()
    (folder / "away").rename(portraits)
    first, second = (drop / "done/3.edi.answer.edi").read_text().split("RFF+ABO:P1F1")[1].split("RFF+ABO:NEWREF")
    check("4Z" in first and "0Z" in second, f"who is cleared:\n{first}\n{second}")


class Watcher:
    def __init__(self, stack, folder):
        self.log = open(folder / "watch.log", "ab")
        self.process = subprocess.Popen(watch(stack, folder), stdout=subprocess.DEVNULL, stderr=self.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


def killed_in_the_middle(stack, travellers, folder):
    """The watcher dies between the rows and the flip; another one ends what it began."""
    drop, id_ = folder / "drop", manifest("510")
    stack.signal("worker-1", signal.SIGSTOP)
    with Watcher(stack, folder) as watcher:
        put(drop / "flight.csv", listing(travellers, "510", 2))
        wait_until(lambda: stack.redis("ledger", "EXISTS", f"sp:m:{{{id_}}}:portraits") == "1", 15, "the publish began")
        watcher.process.send_signal(signal.SIGKILL)
        watcher.process.wait()
    check((drop / "flight.csv").exists() and stack.redis("ledger", "EXISTS", f"sp:m:{{{id_}}}:current") == "0", "half done")
    stack.signal("worker-1", signal.SIGCONT)
    with Watcher(stack, folder) as watcher:
        wait_until(lambda: (drop / "done/flight.csv").exists(), 20, "it is taken after the restart")
        check(stack.redis("ledger", "GET", f"sp:m:{{{id_}}}:current") == "1 COMPLETE", "one version")
        away_and_back(stack, travellers, folder)
        watcher.process.send_signal(signal.SIGTERM)
        check(watcher.process.wait(timeout=10) == 0, "SIGTERM ends it well")


def replaced_in_the_middle(stack, travellers, folder):
    """Another file comes under the name while the first is published: it is neither lost nor filed as done."""
    drop, id_ = folder / "drop", manifest("512")
    second = listing(travellers, "512", 1)
    stack.signal("worker-1", signal.SIGSTOP)
    put(drop / "same.csv", listing(travellers, "512", 2))
    process = subprocess.Popen(watch(stack, folder, "--once"), stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: stack.redis("ledger", "EXISTS", f"sp:m:{{{id_}}}:portraits") == "1", 15, "the publish began")
        put(drop / "same.csv", second)
        stack.signal("worker-1", signal.SIGCONT)
        told = json.loads(process.communicate(timeout=20)[0])
    finally:
        stack.signal("worker-1", signal.SIGCONT)
        process.kill()
        process.wait()
    check(process.returncode == 3 and told["outcome"] == "later" and "replaced" in told["reason"], f"told: {told}")
    check((drop / "same.csv").read_text() == second and not (drop / "done/same.csv").exists(), "the second file stays")
    told = once(stack, folder)["same.csv"]
    check(told["version"] == 2 and told["travellers"] == 1, f"and is taken: {told}")
    check((drop / "done/same.csv").read_text() == second, "what is filed as done was read")


def away_and_back(stack, travellers, folder):
    """Without a store the file stays; with it, it is taken without anybody's help."""
    drop, log = folder / "drop", folder / "watch.log"
    stack.signal("galleries")
    wait_until(lambda: not stack.alive("galleries"), 5, "the galleries Redis ends")
    put(drop / "later.csv", listing(travellers, "511", 2))
    wait_until(lambda: b"WAT-LATER file=later.csv" in log.read_bytes(), 10, "the file waits")
    check((drop / "later.csv").exists(), "it stays where it is")
    stack.script("redis", "galleries")
    wait_until(lambda: (drop / "done/later.csv").exists(), 20, "it is taken when the store is back")


def scopes(stack, travellers, folder):
    drop, keys = folder / "drop", folder / "keys"
    keys.mkdir()
    for name in ("zx", "qq"):
        run(BIN / "sallyport", "keys", "new", "sign", name, "--dir", keys)
    public = {name: next(line.split()[1] for line in (keys / f"{name}.sign.pub").read_text().splitlines()
                         if line.startswith("public:")) for name in ("zx", "qq")}
    (folder / "carriers.yaml").write_text("carriers:\n" + "".join(
        f"  - code: {name.upper()}\n    keys: [\"{key}\"]\n    modes: [air]\n" for name, key in public.items()))

    def signed(name, content, key):
        path = put(drop / name, content)
        run(BIN / "sallyport", "manifest", "sign", path, "--key", keys / f"{key}.sign")
        return path

    good, small = listing(travellers, "520"), listing(travellers, "520", 2)
    old = signed("old.csv", good, "zx")
    shutil.copy2(old, folder / "old.csv"), shutil.copy2(f"{old}.sig", folder / "old.csv.sig")
    signed("other.csv", listing(travellers, "521"), "qq")
    altered = signed("altered.csv", listing(travellers, "522"), "zx")
    put(altered, altered.read_bytes().replace(b"P1F1", b"P1F9"))
    renamed = signed("renamed.csv", listing(travellers, "523"), "zx")
    renamed.rename(drop / "renamed-2.csv"), pathlib.Path(f"{renamed}.sig").rename(drop / "renamed-2.csv.sig")
    put(drop / "unsigned.csv", listing(travellers, "524"), age=100)
    (put(drop / "blocks.csv", listing(travellers, "526")).with_name("blocks.csv.sig")).mkdir()
    put(drop / "half.csv", listing(travellers, "527")).with_name("half.csv.sig").touch()
    put(drop / "waits.csv", listing(travellers, "525"))
    told = once(stack, folder, "--carriers", folder / "carriers.yaml", code=3)
    check(told["old.csv"]["outcome"] == "taken" and told["old.csv"]["carrier"] == "ZX", f"its own journey: {told}")
    for name, words in (("other.csv", "another carrier"), ("altered.csv", "other bytes"), ("renamed-2.csv", "another name"),
                        ("unsigned.csv", "no signature")):
        check(told[name]["outcome"] == "rejected" and words in told[name]["reason"], f"{name}: {told[name]}")
        check(words in (drop / f"rejected/{name}.reason.txt").read_text(), f"the reason of {name}")
    for name in ("waits.csv", "half.csv", "blocks.csv"):
        check(name not in told and (drop / name).exists(), f"{name} waits for its signature, and nobody for it: {told}")
        (drop / name).unlink()
    (drop / "blocks.csv.sig").rmdir(), (drop / "half.csv.sig").unlink()
    check((drop / "done/old.csv.sig").exists() and not (drop / "old.csv.sig").exists(), "the signature goes with its file")

    signed("new.csv", small, "zx")
    check(once(stack, folder, "--carriers", folder / "carriers.yaml")["new.csv"]["travellers"] == 2, "a newer list")
    for name in ("old.csv", "old.csv.sig"):
        shutil.copy2(folder / name, drop / name)
    told = once(stack, folder, "--carriers", folder / "carriers.yaml", code=1)["old.csv"]
    check(told["outcome"] == "rejected" and "old list" in told["reason"], f"an old list put in again: {told}")
    check(len(stack.rows(manifest("520"))) == 2, "who left stays away")


def test_all():
    with tempfile.TemporaryDirectory() as made, Stack(workers=1) as stack:
        folder = pathlib.Path(made)
        travellers = Travellers(folder / "people")
        shutil.copytree(travellers.folder / "portraits", folder / "portraits")
        for step in (every_file_ends_somewhere, papers_that_cannot_be_written, who_has_a_portrait, replaced_in_the_middle,
                     killed_in_the_middle, scopes):
            start = time.monotonic()
            step(stack, travellers, folder)
            print(f"     {step.__name__} ({time.monotonic() - start:.1f} s)")


if __name__ == "__main__":
    main(test_all)
