"""Before and after boarding: the readiness board says what was planted, and nothing it could not ask is fine; the close-out is
reconciled with what lanes decided, and a forged decision is refused."""
import csv
import datetime
import json
import pathlib
import shutil
import tempfile
import time
import zoneinfo

import client as protocol
import test_watch as carrier
from support import BIN, Stack, Travellers, check, main, run, wait_until

LOCAL = datetime.datetime.now(zoneinfo.ZoneInfo("America/New_York")) + datetime.timedelta(hours=2)
FLIGHT = f"air-zx-417-{LOCAL:%Y%m%d}-jfk"
MISSED, OFFLOADED = "P4F1", "P1F3"


def table(travellers, target, more=()):
    """The sample flight, departing in two hours, with further rows (traveller_ref, document number)."""
    with open(travellers.folder / "flight.csv", newline="") as source:
        reader = csv.DictReader(source)
        rows = [dict(row, sched_dep=f"{LOCAL:%Y-%m-%dT%H:%M}", sched_arr="") for row in reader]
    for reference, number in more:
        rows.append(dict(rows[0], traveller_ref=reference, doc_number=number, surname="SAMPLE", given=f"PERSON {reference}"))
    with open(target, "w", newline="") as out:
        writer = csv.DictWriter(out, reader.fieldnames)
        writer.writeheader()
        writer.writerows(rows)
    return target


def ready(stack, *more, code):
    done = stack.ops("manifest", "ready", *more, "--json", code=code)
    return json.loads(done.stdout)


def problems(board, severity=None):
    return {problem["kind"] for problem in board["problems"] if severity in (None, problem["severity"])}


def connect(stack):
    address = next(line.split('"')[1] for line in (stack.folder / "etc/capture.yaml").read_text().splitlines()
                   if "address:" in line)
    session = protocol.Client(address, stack.folder / "keys/broker.curve.pub", stack.folder / "keys/capture-2.curve",
                              stack.folder / "keys/authority.sign.pub", ["A1"])
    session.hello()
    return session


def the_day_before(stack, travellers, folder):
    """Three travellers too many: a twin, one without a portrait, one whose portrait is broken; no lane yet."""
    portraits = folder / "portraits"
    shutil.copytree(travellers.folder / "portraits", portraits)
    shutil.copy(portraits / "P1F1.jpg", portraits / "TWIN.jpg")
    (portraits / "BROKEN.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    stack.publish(table(travellers, folder / "first.csv",
                        [("TWIN", "X90000001"), ("BROKEN", "X90000002"), ("NONE", "X90000003")]), portraits)
    board = ready(stack, FLIGHT, code=1)
    check(not board["ready"] and "lanes" in problems(board, "blocks"), f"no lane is assigned: {board['problems']}")
    lacks = {row["traveller_ref"]: row["reason"] for row in board["without_portrait"]}
    check(set(lacks) == {"BROKEN", "NONE"} and lacks["NONE"] == "no_portrait", f"without a usable portrait: {lacks}")
    check(board["with_portrait"] == board["travellers"] - 2, f"portraits found: {board}")
    pairs = [{pair["a"], pair["b"]} for pair in board["look_alikes"]["pairs"]]
    check({"P1F1", "TWIN"} in pairs and board["look_alikes"]["pairs"][0]["score"] > 0.9, f"look-alikes: {board['look_alikes']}")
    check("look_alikes" not in problems(ready(stack, FLIGHT, "--no-review", code=1)), "nobody asked for a review")
    told = stack.ops("manifest", "ready", FLIGHT, code=1).stdout
    check("READY: no" in told and ("P1F1 and TWIN" in told or "TWIN and P1F1" in told) and "SAMPLE" not in told, f"the board for people:\n{told}")
    check("SAMPLE" in stack.ops("manifest", "ready", FLIGHT, "--names", code=1).stdout, "--names")


def an_hour_before(stack, travellers, folder):
    """All is put right: ready, once the worker holds the version and the lane is alive."""
    stack.lane("A1", [FLIGHT])
    stack.publish(table(travellers, folder / "second.csv"), folder / "portraits")
    board = ready(stack, FLIGHT, "--no-review", code=1)
    check(problems(board, "blocks") == {"lanes"} and not board["lanes"][0]["alive"], f"A1 is not alive: {board}")
    with connect(stack) as session:
        image = travellers.frames("A1", expected=False)[0].read_bytes()
        session.encounter("A1", image, "stranger", budget_ms=20000, timeout=20)
        board = wait_until(lambda: is_ready(stack, session), 15, "ready with a lane that is alive")
        check(board["lanes"] == [dict(board["lanes"][0], lane="A1", alive=True)], f"lanes: {board['lanes']}")
        wait_until(lambda: [worker["version"] for worker in is_ready(stack, session, "--no-review")["workers"]]
                   == [board["version"]], 15, f"the worker says that it holds version {board['version']}")
        is_ready(stack, session)
        done = stack.ops("manifest", "ready", "--departures", "3h", code=0).stdout
        check(FLIGHT in done and f"{LOCAL:%Y-%m-%d %H:%M}" in done, f"local time of the departure:\n{done}")
        check(FLIGHT not in stack.ops("manifest", "ready", "--departures", "60m", code=0).stdout, "it departs later")


def is_ready(stack, session, *more):
    """The board if it says ready; the lane says before that it lives."""
    session.send(protocol.pack({"v": 1, "t": protocol.PING}))
    board = ready(stack, FLIGHT, *more, code=None)
    return board if board["ready"] else None


def nothing_unknown_is_fine(stack):
    stack.signal("broker")
    wait_until(lambda: not stack.alive("broker"), 5, "the broker ends")
    board = ready(stack, FLIGHT, "--set", "broker.timeout=1000", code=1)
    check({"workers", "lanes", "look_alikes"} <= problems(board, "unknown"), f"without a broker: {board['problems']}")
    check(board["with_portrait"] == board["travellers"], "what lies in the store is told all the same")
    stack.script("broker")


def reconcile(stack, *more, code=0, config="supervisor"):
    done = run(BIN / "sallyport", "--config", stack.folder / f"etc/{config}.yaml", "manifest", "reconcile", FLIGHT,
               *more, code=code)
    return json.loads(done.stdout) if "--json" in more else done.stdout


def boarding(stack, travellers):
    """Who crosses, by reference: one twice, one who is taken off again."""
    frames = {reference: next(frame for frame in travellers.frames("A1") if travellers.expected(frame) == reference)
              for reference in ("P1F1", "P2F3", OFFLOADED)}
    answers = stack.capture("A1", "--budget", 20000, *frames.values(), frames["P1F1"])
    outcomes = [answer["outcome"] for answer in answers if answer["outcome"]]
    check(outcomes[:3] == ["match"] * 3, f"the travellers match: {answers}")
    report = reconcile(stack, "--json")
    check(not report["close_out"] and report["capture_rate"]["value"] is None, f"no close-out, no rate: {report}")
    check(report["confirmed"] == 3 and report["all"]["encounters"] == 5, f"counts: {report}")


def after_the_doors(stack, folder):
    with open(folder / "second.csv", newline="") as source:
        people = [row["traveller_ref"] for row in csv.DictReader(source)]
    on_board = {"P1F1", "P2F3", MISSED}
    close_out(stack, folder, on_board)
    report = reconcile(stack, "--json")
    differ = {row["traveller_ref"]: row["state"] for row in report["travellers"]}
    check(differ == {MISSED: "boarded_not_confirmed", OFFLOADED: "confirmed_not_boarded"}, f"planted: {differ}")
    check(report["both"] == 2 and report["neither"] == len(people) - 4, f"counts: {report}")
    rate = report["capture_rate"]
    check((rate["hits"], rate["trials"]) == (2, 3) and 0.2 < rate["low"] < rate["value"] < rate["high"] < 0.95, f"{rate}")
    check((report["all"]["fnir_at_most"]["hits"], report["all"]["fnir_at_most"]["trials"]) == (1, 3), f"{report['all']}")
    check([lane["lane"] for lane in report["lanes"]] == ["A1"] and report["refused"] == 0, f"lanes: {report['lanes']}")
    told = reconcile(stack)
    check(MISSED in told and "capture rate" in told and "SAMPLE" not in told, f"for people:\n{told}")
    check("SAMPLE" in reconcile(stack, "--names"), "--names")
    reconcile(stack, code=2, config="ops")       # no recorder's key
    reconcile(stack, code=2, config="recorder")  # no desk's key
    stack.redis("ledger", "XADD", "sp:{d0}:decisions", "*", "partition", "0", "lane", "A1", "outcome", "1", "reason", "0",
                "issued_ms", "1", "sealed", "forged")
    report = reconcile(stack, "--json", code=4)
    check(report["refused"] == 1 and report["all"]["encounters"] == 5, f"a forged decision is not counted: {report}")


def how_carriers_send(stack, folder):
    """A list that came after the departure, of two travellers without everything."""
    left = LOCAL - datetime.timedelta(hours=3)
    (folder / "late.csv").write_text(
        "carrier,journey,mode,dep_port,arr_port,sched_dep,traveller_ref,surname,given,dob,sex,nationality,doc_type,doc_number,"
        "doc_issuer,doc_expiry\n" + "".join(
            f"QQ,77,air,JFK,LIS,{left:%Y-%m-%dT%H:%M},{reference},SAMPLE,PERSON,1990-01-01,{sex},UTO,P,{number},UTO,2031-06-30\n"
            for reference, sex, number in (("S1", "F", "X90000011"), ("S2", "", "X90000012"))))
    stack.ops("manifest", "publish", folder / "late.csv")
    card = json.loads(stack.ops("manifest", "scorecard", "--days", "1", "--json").stdout)["carriers"]
    check([carrier["carrier"] for carrier in card] == ["QQ"], f"only what has departed is scored: {card}")
    check(card[0] == dict(card[0], journeys=1, late=1, on_time=0, incomplete=0, travellers=2, sufficient=1, with_portrait=0,
                          without={"sex": 1}), f"the score: {card}")
    command = (BIN / "sallyport", "--config", stack.folder / "etc/supervisor.yaml", "manifest", "reconcile")
    done = run(*command, FLIGHT, f"air-qq-77-{left:%Y%m%d}-jfk", FLIGHT, "--json", code=4)  # the forged one still lies there
    *each, total = [json.loads(line) for line in done.stdout.splitlines()]
    check([report["close_out"] for report in each] == [True, False], f"two journeys, however often they are named: {each}")
    check((total["journeys"], total["closed_out"], total["all"]["encounters"]) == (2, 1, 5), f"together: {total}")
    check((total["lanes"][0]["capture_rate"]["hits"], total["lanes"][0]["capture_rate"]["trials"]) == (2, 3), f"a gate: {total}")
    told = run(*command, "--departed", "2h", code=4).stdout
    check("air-qq-77" in told and FLIGHT not in told and "1 journeys, 0 with a close-out" in told, f"departed:\n{told}")
    check("without: sex 1" in stack.ops("manifest", "scorecard", "--carrier", "qq").stdout, "for people")


def parts(stack, folder):
    """A list whose parts come one by one, the last one early."""
    for part, words in (("01:C", "the last part of the passenger list has not come (1 received)"),
                        ("03:F", "lacks 1 of 3 parts: 2"), ("02:C", None)):
        (folder / "part.edi").write_text(carrier.paxlst("530", [(f"T{part[1]}", f"X9100000{part[1]}")], part))
        stack.ops("manifest", "publish", folder / "part.edi")
        board = ready(stack, carrier.manifest("530"), "--no-review", code=1)
        told = [problem["text"] for problem in board["problems"] if problem["kind"] == "parts"]
        check(len(told) == (words is not None) and (not words or words in told[0]), f"part {part}: {board['problems']}")
    check(board["state"] == "COMPLETE" and board["lists"][0]["parts"] == board["lists"][0]["parts_of"] == 3, f"whole: {board}")
    (folder / "part.edi").write_text(carrier.paxlst("530", [("T9", "X91000009")], "01:C"))
    stack.ops("manifest", "publish", folder / "part.edi")
    board = ready(stack, carrier.manifest("530"), "--no-review", code=1)
    check(any("the last part" in problem["text"] for problem in board["problems"]), f"the next round has begun: {board['problems']}")


def one_is_broken(stack):
    """A manifest whose key is gone hides no other one from the list."""
    whole, keys = stack.ops("manifest", "list").stdout.splitlines(), f"sp:m:{{{carrier.manifest('530')}}}:keys"
    stack.redis("ledger", "RENAME", keys, keys + ":away")
    done = stack.ops("manifest", "list", code=None)
    stack.redis("ledger", "RENAME", keys + ":away", keys)
    check(done.returncode != 0 and carrier.manifest("530") in done.stderr, f"it is said: {done.stderr}")
    check(done.stdout.splitlines() == [line for line in whole if carrier.manifest("530") not in line], f"the others:\n{done.stdout}")
    check(len(whole) > 2, f"there are others: {whole}")


def close_out(stack, folder, on_board):
    listing = {"kind": "close_on_board", "journey": {"mode": "air", "carrier": "ZX", "number": "417"},
               "legs": [{"dep_port": "JFK", "arr_port": "LIS", "sched_dep": f"{LOCAL:%Y-%m-%dT%H:%M}"}],
               "travellers": [{"ref": reference} for reference in sorted(on_board)]}
    (folder / "close.json").write_text(json.dumps(listing))
    stack.ops("manifest", "publish", folder / "close.json")
    check(json.loads(stack.ops("manifest", "show", FLIGHT, "--json").stdout)["state"] == "CLOSED", "closed")


def test_all():
    with tempfile.TemporaryDirectory() as made, Stack(workers=1) as stack:
        travellers, folder = Travellers(pathlib.Path(made) / "people"), pathlib.Path(made)
        for step, *more in ((the_day_before, travellers, folder), (an_hour_before, travellers, folder),
                            (nothing_unknown_is_fine,), (boarding, travellers), (after_the_doors, folder), (how_carriers_send, folder), (parts, folder), (one_is_broken,)):
            start = time.monotonic()
            step(stack, *more)
            print(f"     {step.__name__} ({time.monotonic() - start:.1f} s)")


if __name__ == "__main__":
    main(test_all)
