"""`sallyport manifest parse` needs no configuration, no store and no network: files in, the model and its deviations out."""
import json
import os
import pathlib
import re
import tempfile

from support import BIN, SOURCE, check, main, run

CSV = ("carrier,journey,mode,dep_port,arr_port,sched_dep,traveller_ref,surname,given,dob,nationality,shoe_size\n"
       "ZX,ZX0417,air,JFK,LIS,2026-12-04T18:20,A-1,SAMPLE,AVA,1991-02-03,UTO,38\n"
       "ZX,ZX0417,air,JFK,LIS,2026-12-04T18:20,A-2,SAMPLE,BRAM,11.07.2015,UTO,31\n")
FAL = ("Crew list\nName of ship,MV EXAMPLE STAR\nIMO number,9000001\nVoyage number,V1\nPort,USMIA\nDate of departure,2026-12-05\n"
       "surname,given names,rank,date of birth,nationality\nSAMPLE,CORA,MASTER,17-MAY-1984,UTO\n")
XML = ("<NOTICE><NOTICE_DETAILS><VERSION>3.6</VERSION></NOTICE_DETAILS><NON_CREW_LIST><NON_CREW><LAST_NAME>SAMPLE</LAST_NAME>"
       "<DATE_OF_BIRTH>1991-02-03</DATE_OF_BIRTH></NON_CREW></NON_CREW_LIST></NOTICE>")


def parse(*words, code=0, **more):
    return run(BIN / "sallyport", "manifest", "parse", *words, code=code, env={"PATH": os.environ["PATH"]}, **more)


def objects(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_json(folder):
    """One object per message with the documented keys; what it prints it reads again, from a pipe too."""
    (one,) = objects(parse("--json", folder / "a.csv"))
    check(one["format"] == "csv" and one["kind"] == "list", one)
    check(one["journey"]["manifest"] == "air-zx-417-20261204-jfk", one["journey"])
    check(one["legs"][0]["arr_port"] == "LIS", one["legs"])
    check([t["ref"] for t in one["travellers"]] == ["A-1", "A-2"], one["travellers"])
    check(one["travellers"][1]["dob"] == "" and one["travellers"][1]["segment"] == 3, one["travellers"][1])
    check([(d["segment"], d["text"]) for d in one["deviations"]] ==
          [(1, "unknown column ignored: shoe_size"), (3, "dob must be a date as 1984-07-31")], one["deviations"])
    two = objects(parse("--json", folder / "a.csv", folder / "crew.dat", folder / "notice"))
    check([o["format"] for o in two] == ["csv", "fal5", "enoad"], "found by content, not by name")
    again = objects(parse("--json", "-", input="".join(json.dumps(o) + "\n" for o in two)))
    for before, after in zip(two, again, strict=True):
        check(after["format"] == "ndjson" and after["deviations"] == [], after)
        for key in ("kind", "journey", "legs", "sender"):
            check(before[key] == after[key], f"{key}: {before[key]} {after[key]}")
        for a, b in zip(before["travellers"], after["travellers"], strict=True):
            check({k: v for k, v in a.items() if k not in ("segment", "offset")} ==
                  {k: v for k, v in b.items() if k not in ("segment", "offset")}, "a traveller is another")


def test_text(folder):
    text = parse(folder / "a.csv", folder / "crew.dat").stdout
    check("a.csv line 3 offset" in text and ": dob must be a date as 1984-07-31" in text, text)
    check("manifest sea-9000001-v1-20261205-usmia" in text and "SAMPLE, CORA" in text, text)


def test_ports(folder):
    """With several legs the site's ports choose the manifest."""
    flight = {"mode": "air", "carrier": "ZX", "journey": "1", "legs": [
        {"dep_port": "JFK", "arr_port": "LIS", "sched_dep": "2026-12-04T23:00"},
        {"dep_port": "LIS", "arr_port": "OPO", "sched_dep": "2026-12-05T08:00"}]}
    for ports, wanted in ((), "air-zx-1-20261204-jfk"), (("--ports", "OPO, LIS"), "air-zx-1-20261205-lis"):
        (one,) = objects(parse("--json", *ports, "-", input=json.dumps(flight)))
        check(one["journey"]["manifest"] == wanted, one["journey"])


def test_strict_and_wrong(folder):
    done = parse("--strict", folder / "a.csv", code=1)
    check(done.stdout == "" and "a.csv line 1 offset 0: unknown column ignored" in done.stderr, done.stderr)
    check(parse("--strict", folder / "crew.dat").returncode == 0, "nothing to object to")
    done = parse("--json", folder / "crew.dat", folder / "bomb.xml", code=4)
    check(len(objects(done)) == 1 and "bomb.xml: a document type" in done.stderr, "the others are still shown")
    done = parse(folder / "missing", code=1)
    check("missing" in done.stderr, done.stderr)
    done = parse("--format", "fal6", folder / "a.csv", code=0)
    check("fal6 passenger_list" in done.stdout, done.stdout)
    check("no format" in parse("--format", "pdf", folder / "a.csv", code=2).stderr, "an unknown format")
    check("at least one file" in parse(code=2).stderr, "no operand")
    check("Example:" in parse("--help").stdout, "help has an example")


def test_page(_folder):
    """Every example of the page's sections 2.2 and 6 is read, without a deviation."""
    page = (SOURCE / "docs/manifests.md").read_text()
    parts = re.findall(r"^### 2\.2.*?(?=^##)|^## 6.*?(?=^## |\Z)", page, re.M | re.S)
    examples = [block for part in parts for block in re.findall(r"(?:^    .*\n)+", part, re.M)]
    check(len(parts) == 2 and len(examples) >= 7, f"{len(parts)} parts, {len(examples)} examples")
    for block in examples:
        done = parse("--strict", "--json", "-", input="".join(line[4:] + "\n" for line in block.splitlines()))
        check(objects(done)[0]["journey"]["manifest"], f"an example names a manifest: {block}")


def test_all():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "a.csv").write_text(CSV)
        (folder / "crew.dat").write_text(FAL)
        (folder / "notice").write_text(XML)
        (folder / "bomb.xml").write_text("<!DOCTYPE a [<!ENTITY b 'c'>]><NOTICE>&b;</NOTICE>")
        for test in (test_json, test_text, test_ports, test_strict_and_wrong, test_page):
            test(folder)
            print(f"     {test.__name__}")


main(test_all)
