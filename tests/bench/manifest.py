"""The program behind manifest.sh; see there for what it measures and an example."""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import cv2

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "flow"))
from support import BIN, Stack, run  # noqa: E402  (the flow tests' stack is the real one)


def make_portraits(faces, count, folder):
    """`count` different portraits: the faces in turn, each time with another brightness, size and compression."""
    files = sorted(pathlib.Path(faces).glob("*.jpg"))
    if not files:
        sys.exit(f"manifest: {faces} holds no .jpg")
    for number in range(count):
        picture = cv2.imread(str(files[number % len(files)]))
        turn = number // len(files)
        scale = min(1.0, 480 / max(picture.shape[:2])) * (1 - 0.02 * (turn % 5))
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        picture = cv2.convertScaleAbs(picture, alpha=1 + 0.03 * ((turn % 7) - 3), beta=turn % 3)
        cv2.imwrite(str(folder / f"CABIN-{number + 1:05d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 88 + turn % 8])


def write_list(count, path):
    """The vessel's passenger list as an agent sends it: PAXLST 15B."""
    lines = ["UNH+VSL001+PAXLST:D:15B:UN'", "BGM+745'", "RFF+TN:BENCH0001'", "NAD+MS+++SAMPLE CRUISES AGENT'",
             "TDT+20+V0990+1++EXCR+++9000001:146::MV SAMPLE STAR:UTO'", "LOC+125+NSNAS'", "DTM+189:2612031700:201'",
             "LOC+87+USMIA'", "DTM+232:2612050600:201'"]
    for number in range(1, count + 1):
        lines += [f"NAD+FL+++SAMPLE{number}:TRAVELLER'", f"ATT+2++{'MF'[number % 2]}'",
                  f"DTM+329:19{50 + number % 50}0{1 + number % 9}1{number % 9}:102'", "LOC+178+USMIA'", "LOC+179+USMIA'",
                  "NAT+2+UTO'", f"RFF+ABO:CABIN-{number:05d}'", f"DOC+P+X{number:08d}'", "DTM+36:310630'", "LOC+91+UTO'"]
    lines += [f"CNT+42:{count}'", f"UNT+{len(lines) + 2}+VSL001'"]
    path.write_text("\n".join(lines) + "\n")


def publish(options, table, portraits):
    """One publish into a fresh stack: the report of the command, and its seconds."""
    with Stack(workers=options.workers, heartbeat=1000) as stack:
        start = time.monotonic()
        command = [str(BIN / "sallyport"), "--config", str(stack.folder / "etc/ops.yaml"), "manifest", "publish",
                   str(table), "--portraits", str(portraits), "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"manifest: publish ended with {done.returncode}")
        return json.loads(done.stdout), time.monotonic() - start


def alone(options, portraits):
    """The same portraits through the pipeline in one process: portraits a second."""
    done = run(BIN / "enrol_bench", "--threads", options.workers, os.environ["SALLYPORT_PACK"], portraits, timeout=7200)
    print("alone:     " + done.stdout.strip(), flush=True)
    found = re.match(r"(\d+) portraits, (\d+) templates, [\d.]+ s, ([\d.]+)", done.stdout)
    return float(found[3]), int(found[2])


def main():
    parser = argparse.ArgumentParser(prog="manifest.sh", description=__doc__)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--travellers", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sp-manifest-"))
    rates, published, templates = [], [], 0
    try:
        portraits, table = folder / "portraits", folder / "vessel.edi"
        portraits.mkdir()
        make_portraits(options.directory, options.travellers, portraits)
        write_list(options.travellers, table)
        for _ in range(options.rounds):
            rate, templates = alone(options, portraits)
            rates.append(rate)
            report, seconds = publish(options, table, portraits)
            published.append(options.travellers / seconds)
            print(f"published: {report['travellers']} travellers, {report['enrolled']} enrolled, "
                  f"{len(report['without_portrait'])} without a usable portrait, {seconds:.2f} s, {published[-1]:.2f} travellers/s "
                  f"({options.workers} workers)", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ratio = statistics.median(published) / statistics.median(rates)
    print(f"medians of {options.rounds}: published {statistics.median(published):.2f} travellers/s end to end, "
          f"alone {statistics.median(rates):.2f} portraits/s, ratio {100 * ratio:.1f} %")
    if options.json:
        options.json.write_text(json.dumps({"travellers": options.travellers, "workers": options.workers, "templates": templates,
                                            "published": published, "alone": rates, "ratio": ratio}, indent=2) + "\n")


if __name__ == "__main__":
    main()
