"""The program behind accuracy.sh; see there for the protocol and an example."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "flow"))
from support import Stack  # noqa: E402  (the flow tests' stack is the real one)

FPIRS = (0.3, 1, 3, 10)  # per cent
MANIFEST = "air-zx-900-20261204-jfk"
COLUMNS = ("carrier,journey,mode,dep_port,arr_port,sched_dep,sched_arr,direction,traveller_ref,role,surname,given,dob,sex,"
           "nationality,doc_type,doc_number,doc_issuer,doc_expiry,pnr,seat_or_cabin,embark,debark,transit,photo_uri")


def split(folder):
    """(enrolled {person: portrait}, mated probes [(person, file)], strangers [file]) by the protocol of accuracy.sh."""
    people = {}
    for file in sorted(pathlib.Path(folder).glob("*_*.jpg")):
        people.setdefault(file.stem.rsplit("_", 1)[0], []).append(file)
    several = [person for person in sorted(people) if len(people[person]) > 1]
    enrolled = set(several[::2])
    portraits = {person: next(file for file in people[person] if file.stem.endswith("_1")) for person in enrolled}
    mated = [(person, file) for person in sorted(enrolled) for file in people[person] if file != portraits[person]]
    strangers = [file for person in sorted(people) if person not in enrolled for file in people[person]]
    return portraits, mated, strangers


def write_manifest(portraits, path):
    rows = [f"ZX,900,air,JFK,LIS,2026-12-04T18:20,2026-12-05T06:10,exit,{person},passenger,SAMPLE,{person.upper()},"
            f"1990-01-01,X,UTO,P,X{number:08d},UTO,2031-06-30,,,,,no,{file.name}"
            for number, (person, file) in enumerate(sorted(portraits.items()))]
    path.write_text("\n".join([COLUMNS, *rows]) + "\n")


def probe(stack, files):
    """file name -> (candidate reference or None, score); every probe is an encounter of one frame."""
    references = {row["pseudonym"]: row["traveller_ref"] for row in stack.rows(MANIFEST)}
    listing = stack.folder / "probes"
    listing.mkdir()
    for file in files:
        shutil.copy(file, listing)
    command = stack.capture_command("A1", "--budget", "60000", "--concurrency", "2", listing)
    heard = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            answer = json.loads(line)
            name = pathlib.Path(answer["source"]).name
            if answer["candidate"] is not None:
                heard[name] = (references[answer["candidate"]], answer["score"])
            elif answer["outcome"] is not None:
                heard.setdefault(name, (None, None))
            if answer["answer"] in ("unanswered", "error", "busy", "expired"):
                sys.exit(f"accuracy: {name}: {answer['answer']} {answer['reason']}")
            if sys.stderr.isatty():
                print(f"\r{len(heard)} of {len(files)} probes", end="", file=sys.stderr)
    missing = [file.name for file in files if file.name not in heard]
    if missing:
        sys.exit(f"accuracy: no answer for {missing[:5]} and {len(missing) - 5} more")
    return heard


def measure(heard, mated, strangers):
    best = sorted((heard[file.name][1] for file in strangers if heard[file.name][0] is not None), reverse=True)
    found = [(heard[file.name][0] == person, heard[file.name][1]) for person, file in mated]
    fnir = {}
    for percent in FPIRS:
        number = int(percent / 100 * len(strangers))
        threshold = best[number] if number < len(best) else float("-inf")
        missed = sum(not (right and score > threshold) for right, score in found)
        fnir[f"{percent:g}"] = missed / len(mated)
    probes = [file for _, file in mated] + list(strangers)
    return {"rank1": sum(right for right, _ in found) / len(mated), "fnir_at_fpir": fnir, "mated": len(mated),
            "strangers": len(strangers), "not_detected": sum(heard[file.name][0] is None for file in probes)}


def main():
    parser = argparse.ArgumentParser(prog="accuracy.sh", description=__doc__)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--pack", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.pack:
        os.environ["SALLYPORT_PACK"] = str(options.pack.resolve())
    portraits, mated, strangers = split(options.directory)
    if not mated or not strangers:
        sys.exit(f"accuracy: {options.directory}: no people with two photos, or no strangers (files are named ID_N.jpg)")
    with Stack(workers=options.workers, heartbeat=1000) as stack:
        table = stack.folder / "manifest.csv"
        write_manifest(portraits, table)
        published = json.loads(stack.publish(table, options.directory.resolve(), "--json").stdout)
        stack.lane("A1", [MANIFEST], fpir="0.003")
        start = time.monotonic()
        heard = probe(stack, [file for _, file in mated] + strangers)
        seconds = time.monotonic() - start
    result = {"pack": os.environ["SALLYPORT_PACK"], "enrolled": published["enrolled"],
              **measure(heard, mated, strangers), "frames_per_second": round(len(heard) / seconds, 1)}
    print(f"enrolled {result['enrolled']} of {len(portraits)}, mated probes {result['mated']}, strangers {result['strangers']}, "
          f"not detected {result['not_detected']}")
    print(f"rank-1 {100 * result['rank1']:.1f} % ({round((1 - result['rank1']) * result['mated'])} misses), "
          f"{result['frames_per_second']} frames/s")
    for percent, value in result["fnir_at_fpir"].items():
        print(f"FNIR at FPIR {percent:>3} %: {100 * value:.1f} %")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
