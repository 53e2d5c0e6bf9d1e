"""What comes over the wire may be cut, stalled, malformed or hostile: the receiver stores what is whole, keeps nothing else, and goes on."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_RQ

from tasks.pacs.receiving.desk import Desk
from tasks.pacs.receiving.intake import Intake
from tasks.pacs.receiving.receiver import Receiver
from tests.tasks.pacs.hospital import Site, instance
from tests.tasks.pacs.receiving.certificates import Authority
from tests.tasks.pacs.receiving.conftest import Listen, files, make_intake, strays
from tests.tasks.pacs.receiving.wire import (
    ABORT,
    ABORTED,
    ACCEPTED,
    CLOSED,
    DATA,
    REJECTED,
    RELEASE,
    RELEASED,
    command,
    connected,
    encoded,
    message,
    pdu,
    request,
    value,
)

LONG = instance(PixelData=bytes(200_000))


def whole_pdus(sent: bytes) -> bytes:
    """As much of it as are whole PDUs."""
    end = 0
    while end + 6 <= len(sent) and (after := end + 6 + int.from_bytes(sent[end + 2 : end + 6], "big")) <= len(sent):
        end = after
    return sent[:end]


def arrivals(site: Site) -> list[Path]:
    """Files that have no place yet."""
    return sorted(site.vault.spool.glob(".arriving-*"))


@pytest.fixture
def silent(listen: Listen, engine: str) -> Receiver:
    """A receiver of either engine that does not wait for long."""
    return listen(engine, greeting_s=1.0, silence_s=1.0)


@pytest.mark.parametrize("cut", [1, 7, 300, 20_000, 190_000, -1])
@pytest.mark.parametrize("how", ["closed", "aborted"])
def test_a_data_set_that_is_cut_off_leaves_nothing(
    site: Site, receiver: Receiver, desk: Desk, intake: Intake, cut: int, how: str
) -> None:
    whole = message(LONG)[:cut]
    if how == "aborted":
        whole = whole_pdus(whole) + ABORT
    with connected(receiver.port) as peer:
        peer.associate().send(whole)
    desk.settle(0.05)
    with connected(receiver.port) as peer:
        assert peer.associate().store(instance()) == 0x0000
        peer.release()
    desk.settle(0.05)
    assert set(intake.received) == {instance().SOPInstanceUID}
    assert len(files(intake.folder)) == 1
    assert arrivals(site) == []


def test_a_peer_that_connects_and_says_nothing_is_sent_away(silent: Receiver) -> None:
    with connected(silent.port) as peer:
        assert peer.read()[0] in (ABORTED, CLOSED)
        assert peer.read()[0] == CLOSED


@pytest.mark.parametrize("said", [request()[:40], b"\1"])
def test_a_peer_that_falls_silent_in_its_request_is_sent_away(silent: Receiver, said: bytes) -> None:
    with connected(silent.port) as peer:
        peer.send(said)
        while peer.read()[0] != CLOSED:
            pass


@pytest.mark.parametrize("said", [b"", message(LONG)[:5], message(LONG)[:30_000]])
def test_an_associated_peer_that_falls_silent_is_sent_away(site: Site, silent: Receiver, intake: Intake, said: bytes) -> None:
    with connected(silent.port) as peer:
        peer.associate().send(said)
        while peer.read()[0] != CLOSED:
            pass
    assert arrivals(site) == files(intake.folder) == []


def test_silent_peers_do_not_keep_others_from_being_served(receiver: Receiver, intake: Intake) -> None:
    with connected(receiver.port), connected(receiver.port) as half, connected(receiver.port) as peer:
        half.send(request()[:50])
        assert peer.associate().store(instance()) == 0x0000
        assert peer.release() == RELEASED


def test_more_associations_than_allowed_are_rejected_as_beyond_the_local_limit(listen: Listen, engine: str, desk: Desk) -> None:
    port = listen(engine, maximum_associations=2).port
    with connected(port) as one, connected(port) as two:
        one.associate()
        two.associate()
        with connected(port) as three:
            three.send(request())
            kind, body = three.read()
        assert (kind, tuple(body[1:4])) == (REJECTED, (2, 3, 2))
        assert (one.release(), two.release()) == (RELEASED, RELEASED)
    assert strays(desk) == {"E-PULL-CROWDED": 1}


def test_a_place_is_free_again_when_an_association_has_ended(listen: Listen, desk: Desk) -> None:
    port = listen("direct", maximum_associations=1).port
    for end in (RELEASE, ABORT, b""):
        for _ in range(300):  # the receiver may not have noticed yet that the one before has left
            with connected(port) as peer:
                peer.send(request())
                accepted = peer.read()[0] == ACCEPTED
                if accepted:
                    peer.send(end)
                    break
        assert accepted


def test_leaving_ends_associations_that_are_in_the_middle_of_a_data_set(
    site: Site, desk: Desk, intake: Intake, engine: str
) -> None:
    with Receiver(site.receiver(engine=engine), desk) as receiver:
        peers = [connected(receiver.port) for _ in range(3)]
        opened = [peer.__enter__() for peer in peers]
        for peer in opened[1:]:
            peer.associate().send(message(LONG)[:100_000])
    for peer in opened:
        while peer.read()[0] != CLOSED:
            pass
    for peer in peers:
        peer.__exit__(None, None, None)
    assert arrivals(site) == files(intake.folder) == []


KIND = struct.pack("<HHL", 0, 0x0100, 2)
BREACHES = {
    "an unknown PDU": pdu(9, b"xxxx"),
    "no PDU at all": b"GET / HTTP/1.1\r\n\r\n",
    "another request to associate": request(),
    "an answer to associate": pdu(2, request()[6:]),
    "a rejection": pdu(3, bytes(4)),
    "an answer to a release": pdu(6, bytes(4)),
    "a PDU of four gigabytes": struct.pack(">BxL", 4, 0xFFFFFFFF) + bytes(4000),
    "a request to associate of four gigabytes": struct.pack(">BxL", 1, 0xFFFFFFFF) + bytes(4000),
    "a value longer than its PDU": pdu(DATA, struct.pack(">LBB", 5000, 1, 3) + b"abc"),
    "a value without a header": pdu(DATA, struct.pack(">LBB", 1, 1, 3)),
    "half a value's length": pdu(DATA, b"\0\0"),
    "data before a command": pdu(DATA, value(2, b"abcdef")),
    "a command in an unknown context": pdu(DATA, value(3, command("1.2.3"), 77)),
    "data in another context than the command's": pdu(DATA, value(3, command("1.2.3")) + value(2, b"abcdef", 3)),
    "a command within a data set": pdu(DATA, value(3, command("1.2.3")) + value(3, command("1.2.3"))),
    "a command that is none": pdu(DATA, value(3, b"\xff" * 40)),
    "a command without its kind": pdu(DATA, value(3, struct.pack("<HHLH", 0, 0x0110, 2, 1))),
    "a command without end": pdu(DATA, value(1, bytes(60_000))) * 3,
    "a request for another service": pdu(DATA, value(3, command("1.2.3").replace(KIND + b"\1", KIND + b"\x20"))),
}  # fmt: skip


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_of_the_protocol_is_answered_with_an_abort_and_nothing_of_it_stays(
    site: Site, listen: Listen, desk: Desk, intake: Intake, breach: str
) -> None:
    receiver = listen("direct")
    with connected(receiver.port) as peer:
        peer.associate()
        assert peer.store(instance(number=2)) == 0x0000
        peer.send(BREACHES[breach])
        kinds = []
        while (kind := peer.read()[0]) != CLOSED:
            kinds.append(kind)
        assert kinds[-1:] in ([ABORTED], [])  # a reset may overtake the abort where more was sent than was read
    with connected(receiver.port) as peer:
        assert peer.associate().store(instance()) == 0x0000
        assert peer.release() == RELEASED
    desk.settle(0.05)
    assert len(files(intake.folder)) == len(intake.received) == 2
    assert arrivals(site) == []


@pytest.mark.parametrize(
    "first", [RELEASE, pdu(DATA, value(3, command("1.2.3"))), pdu(2, bytes(68)), pdu(1, bytes(68)), pdu(1, b"\xff" * 90)]
)
def test_what_is_no_request_to_associate_is_answered_with_an_abort(listen: Listen, first: bytes) -> None:
    with connected(listen("direct").port) as peer:
        peer.send(first)
        assert peer.read()[0] == ABORTED
        assert peer.read()[0] == CLOSED


def test_another_protocol_version_is_rejected(listen: Listen) -> None:
    with connected(listen("direct").port) as peer:
        peer.send(request()[:6] + b"\0\2" + request()[8:])
        kind, body = peer.read()
        assert (kind, tuple(body[1:4])) == (REJECTED, (1, 2, 2))


def test_answers_fit_into_the_smallest_pdu_that_a_peer_takes(listen: Listen, intake: Intake) -> None:
    with connected(listen("direct").port) as peer:
        peer.associate(greatest=40)
        assert peer.store(instance()) == 0x0000
        assert peer.release() == RELEASED


def test_a_command_without_a_data_set_is_answered_and_stores_nothing(listen: Listen, intake: Intake) -> None:
    with connected(listen("direct").port) as peer:
        peer.associate().send(pdu(DATA, value(3, command(instance().SOPInstanceUID, has_data_set=False))))
        assert peer.status() == 0x0117
        assert peer.store(instance()) == 0x0000


# ---- however it is cut into pieces, the same file comes out of both engines -----------------------------------------------------


@st.composite
def conversations(draw: st.DrawFn) -> bytes:
    """A C-STORE request in any lawful cut: fragments and PDUs of any size, empty ones too, command and data set in one PDU or not."""
    made = instance(PixelData=draw(st.binary(max_size=600)) + b"\0" * 32)
    values: list[bytes] = []
    for control, content in ((1, command(made.SOPInstanceUID)), (0, encoded(made))):
        cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=6)))
        pieces = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
        values += [value(control | 2 * (number == len(pieces)), piece) for number, piece in enumerate(pieces, 1)]
    sizes = draw(st.lists(st.integers(1, 5), max_size=12))
    whole = b""
    while values:
        size = sizes.pop() if sizes else 1
        whole += pdu(DATA, b"".join(values[:size]))
        del values[:size]
    return whole


@pytest.fixture
def pair(site: Site, desk: Desk) -> Iterator[tuple[Receiver, Receiver]]:
    """A receiver of each engine at the same desk."""
    from tests.tasks.pacs.hospital import free_port

    with (
        Receiver(site.receiver(port=free_port(), engine="direct"), desk) as direct,
        Receiver(site.receiver(port=free_port(), engine="pynetdicom"), desk) as library,
    ):
        yield direct, library


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(whole=conversations(), sizes=st.lists(st.integers(1, 400), max_size=10))
def test_the_same_bytes_make_the_same_file_with_either_engine(
    site: Site, desk: Desk, pair: tuple[Receiver, Receiver], whole: bytes, sizes: list[int]
) -> None:
    outcomes = []
    for receiver in pair:
        intake = make_intake(site)
        with desk.expecting(intake), connected(receiver.port) as peer:
            peer.associate()
            left = whole
            for size in sizes:  # in pieces over the network, too
                peer.send(left[:size])
                left = left[size:]
            peer.send(left)
            status = peer.status()
            assert peer.release() == RELEASED
        stored = files(intake.folder)
        outcomes.append((status, [path.read_bytes() for path in stored], dict(intake.received)))
        for path in stored:
            path.unlink()
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0][1]) == 1
    assert arrivals(site) == []


@pytest.mark.parametrize("seed", range(6))
def test_no_mutation_of_a_conversation_hangs_or_kills_the_receiver_or_leaves_a_file(
    site: Site, listen: Listen, desk: Desk, intake: Intake, seed: int
) -> None:
    receiver = listen("direct", silence_s=2.0, greeting_s=2.0)
    made = [instance(number=number, PixelData=bytes([number]) * 3000) for number in range(1, 4)]
    original = request() + b"".join(message(each, number, 900) for number, each in enumerate(made, 1)) + RELEASE
    chance = random.Random(seed)
    for _ in range(60):
        mutant = bytearray(original)
        for _ in range(chance.choice([1, 1, 2, 5, 30])):
            place = chance.randrange(len(mutant))
            match chance.randrange(4):
                case 0:
                    mutant[place] = chance.randrange(256)
                case 1:
                    del mutant[place : place + chance.randrange(1, 200)]
                case 2:
                    mutant[place:place] = chance.randbytes(chance.randrange(1, 200))
                case _:
                    mutant[place:place] = mutant[chance.randrange(len(mutant)) :][:500]
            mutant = mutant or bytearray(b"\0")
        with connected(receiver.port) as peer:
            peer.send(bytes(mutant))
            peer.drain()
    with connected(receiver.port) as peer:
        assert peer.associate().store(instance(number=9)) == 0x0000
        assert peer.release() == RELEASED
    desk.settle(0.05)
    assert arrivals(site) == []
    assert len(files(intake.folder)) == len(intake.received)
    # A changed byte of pixels makes another, lawful instance; what is stored is what was counted, byte for byte, all the same.
    digests = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files(intake.folder))
    assert digests == sorted(each.sha256 for each in intake.received.values())


def test_a_mutated_request_to_associate_never_kills_the_receiver(listen: Listen, intake: Intake) -> None:
    receiver = listen("direct", greeting_s=2.0, silence_s=2.0)
    asked = A_ASSOCIATE_RQ()
    asked.decode(request())
    assert asked.presentation_context[0].abstract_syntax == build_context("1.2.840.10008.5.1.4.1.1.2").abstract_syntax
    chance = random.Random(7)
    for _ in range(300):
        mutant = bytearray(request())
        for _ in range(chance.choice([1, 1, 3, 10])):
            mutant[chance.randrange(6, len(mutant))] = chance.randrange(256)
        with connected(receiver.port) as peer:
            peer.send(bytes(mutant))
            peer.drain()
    with connected(receiver.port) as peer:
        assert peer.associate().store(instance()) == 0x0000
        assert peer.release() == RELEASED


@pytest.mark.timeout(60)
def test_leaving_does_not_wait_for_silent_peers(site: Site, desk: Desk, engine: str, tmp_path: Path) -> None:
    tls = Authority(tmp_path / "ours").issue("127.0.0.1")
    for settings_ in ({}, {"tls": tls}):
        with Receiver(site.receiver(engine=engine, **settings_), desk, greeting_s=3600, silence_s=3600) as receiver:
            peer = connected(receiver.port)
            connection = peer.__enter__()
            with connected(receiver.port) as gone:
                gone.send(b"\1\0")
        while connection.read()[0] != CLOSED:
            pass
        peer.__exit__(None, None, None)
