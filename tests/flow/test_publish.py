"""Publishing: what it costs, what it reports, and what it refuses."""
import csv
import json
import pathlib
import shutil
import tempfile

try:
    import cv2
except ImportError:  # another Python than the one with the test packages
    cv2 = None

from support import FLIGHT, Stack, Travellers, check, finals, main


def edit(source, target, change):
    """Copy a manifest table row by row through change(rows)."""
    with open(source, newline="") as table:
        reader = csv.DictReader(table)
        rows, columns = list(reader), reader.fieldnames
    rows = change(rows)
    with open(target, "w", newline="") as table:
        writer = csv.DictWriter(table, columns)
        writer.writeheader()
        writer.writerows(rows)
    return target


def report(done):
    return json.loads(done.stdout)


def test_costs_only_what_changed(stack, travellers, folder):
    table, portraits = travellers.folder / "flight.csv", travellers.folder / "portraits"
    first = report(stack.publish(table, portraits, "--json"))
    people = first["travellers"]
    check(first["version"] == 1 and first["enrolled"] >= people - 1, f"first publish: {first}")
    again = report(stack.publish(table, portraits, "--json"))
    check(again["enrolled"] == 0 and again["version"] == 1, f"an unchanged publish costs nothing: {again}")

    changed = edit(table, folder / "changed.csv", lambda rows: [dict(row, seat_or_cabin="14C") if i == 0 else row
                                                               for i, row in enumerate(rows)][:-1])
    delta = report(stack.publish(changed, portraits, "--json"))
    check(delta["enrolled"] == 0 and delta["version"] == 2 and delta["travellers"] == people - 1, f"delta: {delta}")
    back = report(stack.publish(table, portraits, "--json"))
    check(back["enrolled"] == 0 and back["version"] == 3, f"a row that comes back finds its template: {back}")


def test_names_every_traveller_without_portrait(stack, travellers, folder):
    portraits = folder / "portraits"
    shutil.copytree(travellers.folder / "portraits", portraits)
    with open(travellers.folder / "flight.csv", newline="") as table:
        references = [row["traveller_ref"] for row in csv.DictReader(table)]
    (portraits / f"{references[0]}.jpg").unlink()
    (portraits / f"{references[1]}.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    outside = folder / "outside.jpg"
    shutil.copy(travellers.folder / "portraits" / f"{references[2]}.jpg", outside)

    def point_outside(rows):
        for row in rows:
            row["journey"] = "418"
            if row["traveller_ref"] == references[2]:
                row["photo_uri"] = "../outside.jpg"
        return rows

    table = edit(travellers.folder / "flight.csv", folder / "outside.csv", point_outside)
    told = report(stack.publish(table, portraits, "--json"))
    without = {row["traveller_ref"]: row["reason"] for row in told["without_portrait"]}
    check(set(without) >= set(references[:3]), f"travellers without a usable portrait: {without}")
    check(told["enrolled"] <= len(references) - 3, "nothing outside the portraits' folder is read")


def element(tag, value):
    """BER-TLV with a length of three bytes."""
    return tag + b"\x83" + len(value).to_bytes(3, "big") + value


def dg2(picture, jpeg_2000):
    """A passport's DG2 around one picture: ISO/IEC 19794-5, version 010."""
    block = bytes(16) + bytes([1, jpeg_2000]) + bytes(10) + picture
    block = (len(block) + 4).to_bytes(4, "big") + block
    record = b"FAC\x00010\x00" + (len(block) + 14).to_bytes(4, "big") + b"\0\1" + block
    header = bytes.fromhex("a112 80020101 810102 820100 87020101 88020008")
    return element(b"\x75", element(b"\x7f\x61", b"\x02\x01\x01" + element(b"\x7f\x60", header + element(b"\x5f\x2e", record))))


def as_jp2(path):
    good, picture = cv2.imencode(".jp2", cv2.imread(str(path)), [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 150])
    check(good, f"{path} becomes JPEG 2000")
    return picture.tobytes()


def test_portraits_as_passports_hold_them(stack, travellers, folder):
    if not cv2:
        print("     left out, as this Python has no cv2 to write JPEG 2000 with:")
        return
    portraits = folder / "portraits"
    portraits.mkdir()
    for i, path in enumerate(sorted((travellers.folder / "portraits").iterdir())):
        if i % 3 == 0:
            (portraits / f"{path.stem}.dg2").write_bytes(dg2(path.read_bytes(), 0))
        elif i % 3 == 1:
            (portraits / f"{path.stem}.bin").write_bytes(dg2(as_jp2(path), 1))
        else:
            (portraits / f"{path.stem}.jp2").write_bytes(as_jp2(path))
    table = edit(travellers.folder / "flight.csv", folder / "chips.csv",
                 lambda rows: [dict(row, journey="419") for row in rows])
    told = report(stack.publish(table, portraits, "--json"))
    check(told["enrolled"] == told["travellers"] and not told["without_portrait"], f"all of them are enrolled: {told}")
    stack.lane("A1", [told["manifest"]])
    frames = travellers.frames("A1")
    picture = folder / f"{frames[1].stem}.jp2"
    picture.write_bytes(as_jp2(frames[1]))
    for sent in (frames[0], picture):
        final = next(iter(finals(stack.capture("A1", sent)).values()))
        check(final[0] == "match", f"{sent.name} matches its passport's portrait: {final}")


def test_close_and_list(stack, travellers, folder):
    listed = stack.ops("manifest", "list").stdout
    check(FLIGHT in listed, f"{FLIGHT} is not in: {listed}")
    stack.lane("A1", [FLIGHT])
    frame = travellers.frames("A1")[0]
    check(next(iter(finals(stack.capture("A1", frame)).values()))[0] == "match", "matched before the close")
    stack.ops("manifest", "close", FLIGHT)
    final = next(iter(finals(stack.capture("A1", frame)).values()))
    check(final[0] != "match", f"a closed manifest matches nobody: {final}")


def test_refusals(stack, travellers, folder):
    done = stack.ops("manifest", "publish", folder / "nothing.csv", code=None)
    check(done.returncode != 0 and "nothing.csv" in done.stderr, "a missing table is named")
    bad = folder / "bad.csv"
    lines = (travellers.folder / "flight.csv").read_text().splitlines()
    bad.write_text("\n".join([lines[0], lines[1], lines[2].replace("1990-01-01", "1990-13-01")]) + "\n")
    done = stack.ops("manifest", "publish", bad, code=None)
    check(done.returncode != 0 and "line 3" in done.stderr and "dob" in done.stderr, f"line and column: {done.stderr}")
    done = stack.ops("lane", "assign", "NOWHERE", FLIGHT, code=None)
    check(done.returncode != 0 and "lane set" in done.stderr, f"says what to do next: {done.stderr}")


def test_all():
    with tempfile.TemporaryDirectory() as made, Stack(workers=1) as stack:
        travellers = Travellers(pathlib.Path(made) / "people")
        for test in (test_costs_only_what_changed, test_names_every_traveller_without_portrait,
                     test_portraits_as_passports_hold_them, test_close_and_list,
                     test_refusals):
            with tempfile.TemporaryDirectory() as folder:
                test(stack, travellers, pathlib.Path(folder))
                print(f"     {test.__name__}")


if __name__ == "__main__":
    main(test_all)
