#!/usr/bin/env python3
"""A second client of the Sallyport protocol, written from docs/protocol.md alone, and a tool box to attack a broker with.

    client.py --broker tcp://HOST:PORT --broker-key FILE --curve FILE --authority FILE --lane L [--json] FILE...

Each FILE is an encounter: one frame (the last), then CLOSE unless the frame was decided. One line per answer, with the keys
of `sallyport-capture --json`. Exit codes: 0 every encounter decided, 1 some not, 3 no broker, 4 the key is refused or an
answer was not believed. Needs python3-zmq, python3-msgpack, python3-nacl.
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import sys
import time
import uuid

import msgpack
import zmq
from nacl.bindings import (crypto_aead_xchacha20poly1305_ietf_decrypt, crypto_aead_xchacha20poly1305_ietf_encrypt,
                           crypto_box_seal, crypto_sign_open)
from nacl.exceptions import CryptoError
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

HELLO, WELCOME, FRAME, CLOSE, ANSWER, PING, PONG, REFUSED, BYE, ENROL, REVIEW, ASK, TELL = range(1, 14)
GATE, LANE, BULK = 1, 2, 4
ANSWERS = {1: "decided", 2: "undecided", 3: "superseded", 4: "busy", 5: "expired", 6: "error"}
DECIDED, UNDECIDED, BUSY, EXPIRED, ERROR = 1, 2, 4, 5, 6
OUTCOMES = {1: "match", 2: "no_match", 3: "refer"}
DONE, LEFT, OPTED_OUT, TIMEOUT = 40, 41, 42, 43


def reasons_of_the_page():
    """The table of section 8, read from the page itself: {number: word}."""
    page = pathlib.Path(__file__).resolve().parents[2] / "docs/protocol.md"
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", page.read_text(encoding="utf-8").split("## 8.")[1], re.MULTILINE)
    return {int(number): word for number, word in rows}


REASONS = reasons_of_the_page()


class Refused(Exception):
    """The broker sent REFUSED, or the handshake refused the key."""

    def __init__(self, reason, text="", about=None):
        super().__init__(f"{reason}: {text}" if text else reason)
        self.reason, self.about = reason, about


class NotBelieved(Exception):
    """An answer or certificate that this side does not believe; `reason` is the word sallyport-capture uses."""

    def __init__(self, reason, text=""):
        super().__init__(f"{reason}: {text}" if text else reason)
        self.reason = reason


class Silence(Exception):
    """Nothing came in time."""


def load_key(path):
    """A key file as {kind, name, public: bytes, secret: bytes or absent}; the few lines of section 1."""
    key = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        name, colon, value = line.split("#")[0].partition(":")
        if colon:
            key[name.strip()] = value.strip().strip("\"'")
    if key.get("sallyport_key") != "1":
        raise ValueError(f"{path}: not a Sallyport key file")
    for part in ("public", "secret"):
        if part in key:
            key[part] = bytes.fromhex(key[part])
    return key


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def unpack(data, limit=1 << 17):
    if len(data) > limit:
        raise ValueError(f"{len(data)} bytes, at most {limit} are read")
    return msgpack.unpackb(data, raw=False, strict_map_key=True)


def subkey(session_key, number):
    """libsodium's crypto_kdf_derive_from_key, context SPpayld1."""
    return hashlib.blake2b(b"", digest_size=32, key=session_key, salt=number.to_bytes(8, "little") + bytes(8),
                           person=b"SPpayld1" + bytes(8)).digest()


def seal(plain, ad, session_key):
    nonce = os.urandom(24)
    return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(plain, ad, nonce, subkey(session_key, 1))


def open_sealed(payload, ad, session_key):
    if len(payload) < 40:
        raise NotBelieved("cannot_open", "the payload is cut off")
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(payload[24:], ad, payload[:24], subkey(session_key, 2))
    except CryptoError as error:
        raise NotBelieved("cannot_open", str(error)) from error


def signed(context, data, signature, public):
    try:
        crypto_sign_open(signature + context + b"\0" + data, public)
        return True
    except (CryptoError, ValueError):
        return False


def certified(cert, kind, authority):
    """The key in a certificate, once the authority's signature, the kind and the end date are checked."""
    try:
        body, signature = unpack(cert, 512)
        fields = unpack(body, 512)
        good = signed(b"sallyport certificate 1", body, signature, authority)
        good = good and fields["v"] == 1 and fields["kind"] == kind and fields["not_after_ms"] > time.time() * 1000
    except (ValueError, KeyError, TypeError, msgpack.UnpackException) as error:
        raise NotBelieved("bad_certificate", str(error)) from error
    if not good:
        raise NotBelieved("bad_certificate", f"not a {kind} certificate of this authority")
    return fields["key"]


class Client:
    """One connection to one broker. Not for threads."""

    def __init__(self, broker, broker_key, curve, authority, lanes, agent="client.py"):
        self.broker, self.lanes, self.agent = broker, list(lanes), agent
        self.server, self.own = load_key(broker_key)["public"], load_key(curve)
        self.authority = load_key(authority)["public"]
        self.sender = self.own["public"]
        self.context = zmq.Context()
        self.session_key = self.welcome = None
        self.unexpected = 0
        self.sent = {}  # (encounter, seq) -> monotonic seconds of its first sending
        self.open()

    def open(self):
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.CURVE_SERVERKEY, z85.encode(self.server))
        self.socket.setsockopt(zmq.CURVE_PUBLICKEY, z85.encode(self.own["public"]))
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, z85.encode(self.own["secret"]))
        self.monitor = self.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        self.socket.connect(self.broker)

    def close(self):
        self.socket.disable_monitor()
        self.socket.close(linger=0)
        self.monitor = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self.context.term()

    # ---- parts and messages ----

    def send(self, *parts):
        """Raw parts, as they are."""
        self.socket.send_multipart(list(parts))

    def receive_parts(self, timeout=5.0):
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        poller.register(self.monitor, zmq.POLLIN)
        ready = dict(poller.poll(max(0, timeout) * 1000))
        if self.monitor in ready:
            recv_monitor_message(self.monitor)
            raise Refused("key_refused", f"{self.broker} refuses this key")
        if self.socket not in ready:
            raise Silence(f"nothing from {self.broker} in {timeout:.1f} s")
        return self.socket.recv_multipart()

    def receive(self, timeout=5.0):
        """The next message that is not a sign of life: (header, payload or None)."""
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            beat = self.welcome["heartbeat_ms"] / 2000 if self.welcome else left
            try:
                parts = self.receive_parts(min(left, beat))
            except Silence:
                if left <= beat:
                    raise
                self.send(pack({"v": 1, "t": PING}))
                continue
            header = unpack(parts[0], 4096)
            if header["t"] == PING:
                self.send(pack({"v": 1, "t": PONG}))
            elif header["t"] != PONG:
                return header, parts[1] if len(parts) > 1 else None

    def hello(self, timeout=5.0, **overrides):
        """HELLO, and the verified WELCOME."""
        self.send(pack({"v": 1, "t": HELLO, "agent": self.agent, "lanes": self.lanes, **overrides}))
        header, _ = self.receive(timeout)
        if header["t"] == REFUSED:
            raise Refused(REASONS.get(header["reason"], "unknown"), header.get("text", ""), header)
        if header["t"] != WELCOME:
            raise ValueError(f"message {header['t']} where WELCOME was expected")
        fleet = certified(header["cert"], "fleet", self.authority)
        self.welcome, self.welcome_at = header, time.monotonic()
        self.session_key = os.urandom(32)
        self.wrapped = crypto_box_seal(self.session_key, fleet)
        self.fleet_id = hashlib.blake2b(fleet, digest_size=32).digest()[:8]
        return header

    def at_ms(self):
        return int((time.monotonic() - self.welcome_at) * 1000)

    def message(self, number, lane, encounter, seq, plain, budget_ms=2000, job_class=GATE, **overrides):
        """(header bytes, sealed payload) of a FRAME or CLOSE, not sent. Overrides replace or add header fields; None
        leaves one out."""
        header = {"v": 1, "t": number, "sender": self.sender, "session": self.welcome["session"], "lane": lane,
                  "enc": encounter, "seq": seq, "class": job_class, "budget_ms": budget_ms, "at_ms": self.at_ms(),
                  "kid": self.fleet_id, "key": self.wrapped, **overrides}
        data = pack({key: value for key, value in header.items() if value is not None})
        self.sent.setdefault((encounter, seq), time.monotonic())
        return data, seal(plain if isinstance(plain, bytes) else pack(plain), data, self.session_key)

    def frame(self, lane, encounter, seq, image, last=True, **overrides):
        plain = {"image": image, "captured_ms": int(time.time() * 1000)}
        return self.message(FRAME, lane, encounter, seq, plain, last=last, **overrides)

    def closing(self, lane, encounter, seq, reason=DONE, **overrides):
        return self.message(CLOSE, lane, encounter, seq, {}, reason=reason, **overrides)

    def answer(self, encounter, seq, timeout=10.0):
        """The answer to (encounter, seq): (header, opened body or None). Others are counted and dropped."""
        deadline = time.monotonic() + timeout
        while True:
            header, payload = self.receive(deadline - time.monotonic())
            about = (header.get("enc"), header.get("seq"))
            if header["t"] == REFUSED and about in ((None, None), (encounter, seq)):
                raise Refused(REASONS.get(header["reason"], "unknown"), header.get("text", ""), header)
            if header["t"] != ANSWER or about != (encounter, seq):
                self.unexpected += 1
                continue
            return header, self.open_answer(header, payload)

    def open_answer(self, header, payload):
        if header["answer"] not in (DECIDED, UNDECIDED):
            return None
        if payload is None:
            raise NotBelieved("malformed", "no payload")
        ad = (header["enc"] + header["seq"].to_bytes(4, "big") + bytes([header["answer"]])
              + header["reason"].to_bytes(2, "big"))
        try:
            return unpack(open_sealed(payload, ad, self.session_key))
        except (ValueError, msgpack.UnpackException) as error:
            raise NotBelieved("malformed", str(error)) from error

    # ---- section 5: the lane verifies before it acts ----

    def decisions(self, lane, encounter, body):
        """The verified decisions of a `decided` body."""
        if not body["decisions"]:
            raise NotBelieved("no_decision")
        worker = certified(body["cert"], "worker", self.authority)
        result = []
        for data, signature in body["decisions"]:
            if not signed(b"sallyport decision 1", data, signature, worker):
                raise NotBelieved("bad_signature")
            try:
                decision = unpack(data, 4096)
                claims = {key: decision[key] for key in ("lane", "enc", "sender", "seq", "issued_ms", "expires_ms")}
                good = decision["v"] == 1 and decision["outcome"] in OUTCOMES
            except (ValueError, KeyError, TypeError, msgpack.UnpackException) as error:
                raise NotBelieved("malformed", str(error)) from error
            sent = self.sent.get((encounter, claims["seq"]))
            for truth, word in ((good, "malformed"), (claims["lane"] == lane, "other_lane"),
                                (claims["enc"] == encounter, "other_encounter"),
                                (claims["sender"] == self.sender, "other_sender"), (sent is not None, "unknown_seq")):
                if not truth:
                    raise NotBelieved(word)
            if (time.monotonic() - sent) * 1000 > claims["expires_ms"] - claims["issued_ms"]:
                raise NotBelieved("expired")
            result.append(decision)
        return result

    # ---- role ops ----

    def review(self, manifest, version=0, budget_ms=20000, timeout=25.0, **overrides):
        """(header of the answer, the map `review` or None)."""
        job = new_encounter()
        self.send(*self.message(REVIEW, None, job, 1, {"manifest": manifest, "version": version}, budget_ms=budget_ms,
                                job_class=BULK, **overrides))
        header, body = self.answer(job, 1, timeout)
        return header, body and body["review"]

    def connected(self, what, timeout=5.0):
        """All rows of `lanes` or `workers`, page by page."""
        rows, after = [], None
        while True:
            self.send(pack({"v": 1, "t": ASK, "what": what, **({"after": after} if after else {})}))
            header, _ = self.receive(timeout)
            if header["t"] == REFUSED:
                raise Refused(REASONS.get(header["reason"], "unknown"), header.get("text", ""), header)
            if header["t"] != TELL or header["what"] != what:
                raise ValueError(f"message {header['t']} where TELL was expected")
            rows += header["rows"]
            if not header["more"]:
                return rows
            after = "/".join(rows[-1][:2]) if what == "lanes" else rows[-1][0]

    # ---- whole exchanges ----

    def ask(self, number, lane, encounter, seq, parts, source=None, timeout=10.0):
        """Send one FRAME or CLOSE and wait: its rows, as sallyport-capture --json prints them (several faces: several)."""
        start = time.monotonic()
        self.send(*parts)
        row = {"source": source, "lane": lane, "encounter": str(uuid.UUID(bytes=encounter)),
               "kind": "close" if number == CLOSE else "frame", "seq": seq, "answer": None, "outcome": None,
               "reason": None, "traveller": None, "candidate": None, "score": None, "margin": None,
               "latency_ms": None, "timings": None, "manifest": None, "versions": None}
        decisions = []
        try:
            header, body = self.answer(encounter, seq, timeout)
            row.update(answer=ANSWERS[header["answer"]], reason=REASONS.get(header["reason"], "unknown"))
            if header["answer"] == DECIDED:
                decisions = self.decisions(lane, encounter, body)
            if body is not None:
                row.update(timings=body.get("timings"), score=body.get("score"), margin=body.get("margin"),
                           candidate=body["candidate"].hex() if body.get("candidate") else None)
        except NotBelieved as error:
            row.update(answer="refused", reason=error.reason)
        except Silence:
            row.update(answer="unanswered", reason="budget_spent")
        row["latency_ms"] = (time.monotonic() - start) * 1000
        return [{**row, **self.told(decision)} for decision in decisions] or [row]

    @staticmethod
    def told(decision):
        traveller = decision.get("traveller")
        return {"outcome": OUTCOMES[decision["outcome"]], "reason": REASONS.get(decision["reason"], "unknown"),
                "traveller": traveller.hex() if traveller else None, "manifest": decision.get("manifest"),
                "versions": {"assignment": decision["assignment"],
                             "galleries": [{"manifest": m, "version": v} for m, v in decision["galleries"]],
                             "pack": decision["pack"].hex(), "policy": decision["policy"]}}

    def send_frame(self, lane, image, encounter=None, seq=1, last=True, source=None, timeout=10.0, **overrides):
        encounter = encounter or new_encounter()
        return self.ask(FRAME, lane, encounter, seq, self.frame(lane, encounter, seq, image, last, **overrides),
                        source, timeout)

    def send_close(self, lane, encounter, seq, reason=DONE, source=None, timeout=10.0, **overrides):
        return self.ask(CLOSE, lane, encounter, seq, self.closing(lane, encounter, seq, reason, **overrides), source,
                        timeout)

    def encounter(self, lane, image, source=None, **overrides):
        """One frame, then CLOSE unless it was decided: all rows."""
        encounter = new_encounter()
        rows = self.send_frame(lane, image, encounter, source=source, **overrides)
        if rows[0]["outcome"] is None:
            rows += self.send_close(lane, encounter, 2, source=source, **overrides)
        return rows

    # ---- the tool box of attacks: each sends something that must be refused by its name ----

    def refusal(self, timeout=5.0):
        """The reason word of the next REFUSED, or of an ANSWER error."""
        header, _ = self.receive(timeout)
        if header["t"] not in (REFUSED, ANSWER):
            raise ValueError(f"message {header['t']} where a refusal was expected")
        if header["t"] == ANSWER and header["answer"] in (DECIDED, UNDECIDED):
            raise ValueError("the attack was answered as if it were a frame")
        return REASONS.get(header["reason"], "unknown")

    def attack(self, *parts, timeout=5.0):
        self.send(*parts)
        return self.refusal(timeout)

    def attack_frame(self, lane, image=b"", plain=None, **overrides):
        """A frame with header fields replaced: v=2, lane=..., sender=..., session=..., at_ms=..."""
        encounter = overrides.pop("enc", None) or new_encounter()
        if plain is None:
            plain = {"image": image, "captured_ms": 0}
        return self.attack(*self.message(FRAME, lane, encounter, 1, plain, last=True, **overrides))

    def attack_changed_header(self, lane, image, **changes):
        """Sealed with one header, sent with another: the payload must not open."""
        data, payload = self.frame(lane, new_encounter(), 1, image)
        return self.attack(pack({**unpack(data), **changes}), payload)

    def wait_until_older_than(self, age_ms):
        """Keep the session alive until it is that old (the broker's own replies are the clock's tick)."""
        while self.at_ms() <= age_ms:
            self.send(pack({"v": 1, "t": PING}))
            try:
                self.receive_parts(0.2)
            except Silence:
                pass

    def attack_too_old(self, lane, image):
        """A frame as it was sealed at the session's beginning, sent when it is over the maximum age."""
        parts = self.frame(lane, new_encounter(), 1, image, at_ms=0)
        self.wait_until_older_than(self.welcome["max_age_ms"] + 300)
        return self.attack(*parts)


def new_encounter():
    """UUIDv7."""
    value = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    return (value & ~(3 << 62) | 2 << 62).to_bytes(16, "big")


def nested(depth, wrap=b"\x91", core=b"\xc0"):
    """msgpack arrays (or, with b"\\x81\\xa1a", maps) inside each other."""
    return wrap * depth + core


HOSTILE_HEADERS = {  # none is a message: all must be refused as bad_message (or dropped and counted), never answered
    "empty": b"",
    "not msgpack": b"\xc1",
    "not a map": pack([1, 2, 3]),
    "no version": pack({"t": HELLO}),
    "text where a number belongs": pack({"v": "1", "t": HELLO}),
    "negative number": pack({"v": 1, "t": -1}),
    "cut off": pack({"v": 1, "t": HELLO, "agent": "x", "lanes": []})[:-3],
    "trailing byte": pack({"v": 1, "t": PING}) + b"\0",
    "repeated key": b"\x83\xa1v\x01\xa1t\x06\xa1t\x06",
    "array of 4 Gi items": b"\xdd\xff\xff\xff\xff",
    "map of 4 Gi pairs": b"\xdf\xff\xff\xff\xff",
    "text of 4 GiB": b"\x82\xa1v\x01\xa1t\xdb\xff\xff\xff\xff",
    "extension type": b"\x83\xa1v\x01\xa1t\x06\xa1x\xd4\x01\x00",
    "nested arrays": nested(4000),
    "nested maps": nested(1300, b"\x81\xa1a"),
    "over 4,096 bytes": pack({"v": 1, "t": PING, "x": "y" * 5000}),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("broker", "broker-key", "curve", "authority", "lane"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--json", action="store_true", help="one JSON object per answer")
    parser.add_argument("--budget", type=int, default=2000, help="ms per message")
    parser.add_argument("files", nargs="+", metavar="FILE")
    options = parser.parse_args()
    undecided = disbelieved = False
    try:
        with Client(options.broker, options.broker_key, options.curve, options.authority, [options.lane]) as client:
            client.hello()
            for name in options.files:
                image = pathlib.Path(name).read_bytes()
                rows = client.encounter(options.lane, image, name, budget_ms=options.budget,
                                        timeout=options.budget / 1000 + 1)
                for row in rows:
                    text = " ".join(str(row[key]) for key in ("source", "kind", "answer", "outcome", "reason"))
                    print(json.dumps(row) if options.json else text, flush=True)
                undecided |= all(row["outcome"] is None for row in rows)
                disbelieved |= any(row["answer"] == "refused" for row in rows)
    except (Refused, NotBelieved) as error:
        print(f"client.py: {error}", file=sys.stderr)
        return 4
    except Silence as error:
        print(f"client.py: {error}", file=sys.stderr)
        return 3
    return 4 if disbelieved else 1 if undecided else 0


if __name__ == "__main__":
    sys.exit(main())
