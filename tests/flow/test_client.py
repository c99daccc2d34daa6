"""A second client, written from docs/protocol.md alone, gets and verifies the same decisions; and hostile input: each attack is
refused by its own name, counted, and leaves the next frame unharmed."""
import tempfile

import client as protocol
from support import BIN, Stack, Travellers, check, finals, main, run, wait_until

BUDGET_MS = 20000
SAME = ("answer", "outcome", "reason", "traveller", "candidate", "manifest", "versions")


def connect(stack, lanes=("A1",), curve="capture", hello=True):
    client = protocol.Client(address(stack), stack.folder / "keys/broker.curve.pub", stack.folder / f"keys/{curve}.curve",
                             stack.folder / "keys/authority.sign.pub", lanes)
    if hello:
        client.hello()
    return client


def address(stack):
    text = (stack.folder / "etc/capture.yaml").read_text()
    return next(line.split('"')[1] for line in text.splitlines() if "address:" in line)


def new_peer(stack, name, role, lanes):
    run(BIN / "sallyport", "keys", "new", "curve", name, "--dir", stack.folder / "keys")
    if role:
        run(BIN / "sallyport", "keys", "peer", name, "--role", role, "--lanes", lanes, "--peers-dir",
            stack.folder / "peers", "--public", stack.folder / f"keys/{name}.curve.pub")


def expect(word, what, attack, *arguments, **more):
    try:
        heard = attack(*arguments, **more)
    except protocol.Refused as refused:
        heard = refused.reason
    check(heard == word, f"{what}: heard {heard}, expected {word}")


def same_decisions(stack, travellers):
    frames = travellers.frames("A1", alteration=None, expected=None)[:12]
    first = stack.capture("A1", "--budget", BUDGET_MS, *frames)
    with connect(stack) as client:
        second = [row for frame in frames for row in client.encounter("A1", frame.read_bytes(), str(frame),
                                                                      budget_ms=BUDGET_MS, timeout=BUDGET_MS / 1000)]
    check(len(first) == len(second) >= len(frames), f"{len(first)} answers and {len(second)}")
    check({row["outcome"] for row in first} >= {"match"}, "no frame matched: the comparison would be of nothing")
    for ours, theirs in zip(first, second):
        for key in SAME:
            check(ours[key] == theirs[key], f"{ours['source']}: {key} is {ours[key]} here and {theirs[key]} there")
        check(set(ours) == set(theirs), f"keys differ: {set(ours) ^ set(theirs)}")


def the_same_frame_again(stack, travellers):
    """Resent by its own sender: the stored answer, one decision."""
    image = travellers.frames("A1")[0].read_bytes()
    with connect(stack) as client:
        encounter = protocol.new_encounter()
        first = client.send_frame("A1", image, encounter, budget_ms=BUDGET_MS, timeout=20)[0]
        again = client.send_frame("A1", image, encounter, budget_ms=BUDGET_MS, timeout=20)[0]
        check(first["outcome"] is not None, f"the first sending was not decided: {first}")
        for key in ("answer", "outcome", "reason", "traveller", "versions"):
            check(first[key] == again[key], f"sent again: {key} is {again[key]}, was {first[key]}")
    text = first["encounter"]
    check(len([record for record in stack.records() if record["encounter"] == text]) == 1, "not one record")


def headers(stack, image):
    with connect(stack) as client:
        for name, header in protocol.HOSTILE_HEADERS.items():
            expect("bad_message", name, client.attack, header)
        expect("bad_version", "version 2", client.attack_frame, "A1", image, v=2)
        expect("unknown_message", "message 99", client.attack, protocol.pack({"v": 1, "t": 99}))
        expect("bad_message", "a missing field", client.attack_frame, "A1", image, kid=None)
        expect("sender_mismatch", "another's name", client.attack_frame, "A1", image, sender=bytes(32))
        expect("not_your_lane", "a lane that HELLO did not name", client.attack_frame, "B1", image)
        expect("bad_message", "a frame from the future", client.attack_frame, "A1", image, at_ms=10**9)
        expect("not_authorised", "an enrolment by a camera", client.attack,
               *client.message(protocol.ENROL, None, protocol.new_encounter(), 1, {}, job_class=3))


def is_known(stack, name, lanes):
    try:
        with connect(stack, lanes, name):
            return True
    except (protocol.Refused, protocol.Silence):
        return False


def keys_and_roles(stack, image):
    new_peer(stack, "partner", "capture", "B1")
    new_peer(stack, "stranger", None, None)
    wait_until(lambda: is_known(stack, "partner", ("B1",)), 20, "the broker reads its peer table again")
    expect("not_your_lane", "a partner asks for another lane", connect, stack, ("A1",), "partner")
    expect("key_refused", "an unknown key", connect, stack, ("A1",), "stranger")
    with connect(stack, ("B1",), "partner") as partner, connect(stack) as client:
        recorded = partner.frame("B1", protocol.new_encounter(), 1, image)
        expect("sender_mismatch", "a recorded frame sent by another key", client.attack, *recorded)
    with connect(stack, hello=False) as client:
        expect("not_greeted", "no HELLO", client.attack, *recorded)
    with connect(stack) as client:
        recorded = client.frame("A1", protocol.new_encounter(), 1, image)
        expect("too_old", "a frame after its maximum age", client.attack_too_old, "A1", image)
    with connect(stack) as client:
        expect("stale_session", "a recorded frame on a later session", client.attack, *recorded)


def payloads(stack, image):
    hostile = {"truncated": image[:len(image) // 2], "not an image": b"GIF89a" + bytes(100),
               "a JPEG's first bytes": image[:3],
               "50,000 x 50,000 PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes.fromhex("0000c3500000c3500802000000") + bytes(12)}
    with connect(stack) as client:
        for name, data in hostile.items():
            row = client.send_frame("A1", data, budget_ms=BUDGET_MS, timeout=20)[0]
            check(row["outcome"] is None and row["reason"] in ("bad_image", "image_too_large"), f"{name}: {row}")
        for name, plain in (("random", bytes(range(200))), ("nested", protocol.nested(5000)), ("a list", [1, 2]),
                            ("no image", {"captured_ms": 1}), ("an empty image", {"image": b"", "captured_ms": 1}), ("a liar", b"\x81\xa5image\xc6\xff\xff\xff\xff")):
            expect("bad_message", f"payload: {name}", client.attack_frame, "A1", plain=plain, budget_ms=BUDGET_MS)
        expect("cannot_open", "sealed under another header", client.attack_changed_header, "A1", image, seq=7)
        expect("cannot_open", "a wrapped key of nobody", client.attack_frame, "A1", image, key=bytes(80))


def test_second_client_and_hostile_input():
    with tempfile.TemporaryDirectory() as folder, Stack(workers=1) as stack:
        travellers = Travellers(folder)
        stack.board(travellers)
        image = travellers.frames("A1")[0].read_bytes()
        same_decisions(stack, travellers)
        the_same_frame_again(stack, travellers)
        before = finals(stack.capture("A1", "--budget", BUDGET_MS, *travellers.frames("A1")[:4]))
        headers(stack, image)
        payloads(stack, image)
        keys_and_roles(stack, image)
        after = finals(stack.capture("A1", "--budget", BUDGET_MS, *travellers.frames("A1")[:4]))
        check(before == after, "after the attacks an honest frame hears something else")


if __name__ == "__main__":
    main(test_second_client_and_hostile_input)
