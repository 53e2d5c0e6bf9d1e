"""Who may send: by address before a byte is read, by calling AE title, and by a certificate; strangers are counted and get nothing."""

from __future__ import annotations

import socket
import ssl
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    MRImageStorage,
    RLELossless,
)
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, build_context

from tasks.errors import ConfigurationError
from tasks.pacs.receiving.admission import client_context
from tasks.pacs.receiving.desk import Desk
from tasks.pacs.receiving.intake import Intake
from tasks.pacs.server import Caller
from tasks.pacs.settings import TlsSettings
from tests.tasks.pacs.hospital import Site, instance
from tests.tasks.pacs.receiving.certificates import Authority
from tests.tasks.pacs.receiving.conftest import Listen, files, strays
from tests.tasks.pacs.receiving.wire import CLOSED, REJECTED, RELEASED, Peer, connected, request


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The hospital's."""
    return Authority(tmp_path / "ours")


def test_a_stranger_by_address_is_disconnected_before_a_byte_is_read(
    listen: Listen, engine: str, desk: Desk, intake: Intake
) -> None:
    with connected(listen(engine, allow_addresses=("192.0.2.7", "198.51.100.0/24")).port) as peer:
        assert peer.read()[0] == CLOSED
    assert strays(desk) == {"E-PULL-STRANGER": 1}


def test_an_address_within_an_allowed_network_may_send(listen: Listen, engine: str, intake: Intake) -> None:
    with connected(listen(engine, allow_addresses=("127.0.0.0/30",)).port) as peer:
        assert peer.associate().store(instance()) == 0x0000
        assert peer.release() == RELEASED


def test_the_addresses_that_the_caller_gives_hold_where_the_settings_name_none(listen: Listen, engine: str, desk: Desk) -> None:
    with connected(listen(engine, allowed=[ip_network("192.0.2.7/32")]).port) as peer:
        assert peer.read()[0] == CLOSED
    assert strays(desk) == {"E-PULL-STRANGER": 1}


def test_a_mapped_address_is_the_address_that_it_maps(listen: Listen, intake: Intake) -> None:
    port = listen("direct", host="::", allow_addresses=("127.0.0.1",)).port
    with socket.create_connection(("::ffff:127.0.0.1", port), timeout=30) as connection:
        peer = Peer(connection)
        assert peer.associate().store(instance()) == 0x0000
        assert peer.release() == RELEASED


def test_a_stranger_by_calling_ae_title_is_rejected_as_not_recognized(
    listen: Listen, engine: str, desk: Desk, intake: Intake
) -> None:
    port = listen(engine, allow_ae_titles=("HOSPITAL", "ARCHIVE")).port
    with connected(port) as peer:
        peer.send(request(calling="STRANGER"))
        kind, body = peer.read()
        assert (kind, tuple(body[1:4])) == (REJECTED, (1, 1, 3))
    with connected(port) as peer:
        assert peer.associate(calling="ARCHIVE").store(instance()) == 0x0000
        assert peer.release() == RELEASED
    assert strays(desk) == {"E-PULL-STRANGER": 1}


def secured(port: int, tls: TlsSettings, **changes: object) -> AE:
    """A pynetdicom SCU with our requestor's context."""
    entity = Caller(ae_title="ANYBODY")
    entity.add_requested_context(instance().SOPClassUID)
    return entity.associate("127.0.0.1", port, ae_title="SAFELIGHT", tls_args=(client_context(tls), "127.0.0.1"))


def test_a_peer_with_a_certificate_of_the_authority_sends_encrypted(
    listen: Listen, engine: str, authority: Authority, intake: Intake
) -> None:
    tls = authority.issue("127.0.0.1")
    association = secured(listen(engine, tls=tls).port, tls)
    assert association.send_c_store(instance(PixelData=bytes(500_000))).Status == 0x0000
    association.release()
    assert len(files(intake.folder)) == 1


def test_a_peer_with_a_foreign_certificate_is_a_stranger(
    listen: Listen, engine: str, authority: Authority, tmp_path: Path, desk: Desk, intake: Intake
) -> None:
    port = listen(engine, tls=authority.issue("127.0.0.1")).port
    foreign = Authority(tmp_path / "foreign").issue("127.0.0.1")
    context = client_context(foreign)
    context.load_verify_locations(authority.file)  # it believes us; we must not believe it
    with connected(port) as peer:
        handshake(peer, context)
        peer.send(request())
        assert peer.read()[0] == CLOSED
    assert strays(desk) == {"E-PULL-STRANGER": 1}


def test_a_peer_without_a_certificate_is_a_stranger(
    listen: Listen, engine: str, authority: Authority, desk: Desk, intake: Intake
) -> None:
    port = listen(engine, tls=authority.issue("127.0.0.1")).port
    with connected(port) as peer:
        handshake(peer, ssl.create_default_context(cafile=authority.file))
        peer.send(request())
        assert peer.read()[0] == CLOSED
    assert strays(desk) == {"E-PULL-STRANGER": 1}


def test_who_speaks_no_tls_or_nothing_at_all_is_a_stranger_and_keeps_nobody_waiting(
    listen: Listen, engine: str, authority: Authority, desk: Desk, intake: Intake
) -> None:
    tls = authority.issue("127.0.0.1")
    port = listen(engine, tls=tls, greeting_s=1.0).port
    with connected(port) as silent, connected(port) as plain:
        plain.send(request())
        association = secured(port, tls)
        assert association.send_c_store(instance()).Status == 0x0000
        association.release()
        for peer in (silent, plain):
            while peer.read()[0] != CLOSED:
                pass
    assert sum(strays(desk).values()) in (1, 2)
    desk.settle(0.05)
    assert desk.strays == {"E-PULL-STRANGER": 2}


def test_older_versions_of_tls_are_refused(listen: Listen, engine: str, authority: Authority, desk: Desk) -> None:
    tls = authority.issue("127.0.0.1")
    port = listen(engine, tls=tls).port
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.load_verify_locations(authority.file)
    old.load_cert_chain(tls.certificate, tls.key)
    with connected(port) as peer, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(peer.connection, server_hostname="127.0.0.1")
    assert client_context(tls).minimum_version == ssl.TLSVersion.TLSv1_2


def handshake(peer: Peer, context: ssl.SSLContext) -> None:
    """TLS from the peer's side, as far as it gets: with TLS 1.3 it hears of its refusal only with the first byte it reads."""
    plain = peer.connection
    try:
        peer.connection = context.wrap_socket(plain, server_hostname="127.0.0.1")
    except OSError:
        return


# ---- our requestor: is it the PACS that answers? -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "host", "believed"),
    [
        (("127.0.0.1",), "127.0.0.1", True),
        (("192.0.2.9",), "127.0.0.1", False),
        (("pacs.hospital.example",), "pacs.hospital.example", True),
        (("pacs.hospital.example",), "PACS.hospital.example", True),
        (("*.hospital.example",), "pacs.hospital.example", True),
        (("*.hospital.example",), "a.pacs.hospital.example", False),
        (("other.hospital.example",), "pacs.hospital.example", False),
        (("hospital.example",), "127.0.0.1", False),
    ],
)
def test_a_certificate_that_names_hosts_is_believed_for_these_only(
    listen: Listen, authority: Authority, named: tuple[str, ...], host: str, believed: bool
) -> None:
    port = listen("direct", tls=authority.issue(*named)).port
    context = client_context(authority.issue("us.hospital.example"))
    with connected(port) as peer:
        if believed:
            context.wrap_socket(peer.connection, server_hostname=host).close()
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                context.wrap_socket(peer.connection, server_hostname=host)


def test_a_certificate_of_another_authority_is_never_believed(listen: Listen, authority: Authority, tmp_path: Path) -> None:
    port = listen("direct", tls=Authority(tmp_path / "foreign").issue("127.0.0.1")).port
    with connected(port) as peer, pytest.raises(ssl.SSLCertVerificationError):
        client_context(authority.issue("us.example")).wrap_socket(peer.connection, server_hostname="127.0.0.1")


@pytest.mark.parametrize("what", ["certificate", "key", "authority"])
def test_files_that_cannot_be_used_for_tls_are_told_before_anything_listens(
    listen: Listen, engine: str, authority: Authority, tmp_path: Path, what: str
) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for path in (broken, tmp_path / "missing.pem"):
        tls = authority.issue("127.0.0.1").model_copy(update={what: path})
        with pytest.raises(ConfigurationError, match="E-PULL-TLS"):
            listen(engine, tls=tls)


def test_a_key_with_a_password_is_an_error_and_no_question(site: Site, authority: Authority, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    tls = authority.issue("127.0.0.1")
    key = serialization.load_pem_private_key(tls.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    encryption = serialization.BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    with pytest.raises(ConfigurationError, match="E-PULL-TLS"):
        client_context(tls.model_copy(update={"key": locked}))


# ---- what may be sent --------------------------------------------------------------------------------------------------------


def test_only_the_classes_and_transfer_syntaxes_that_are_configured_are_accepted(listen: Listen, engine: str) -> None:
    port = listen(
        engine, sop_classes=(CTImageStorage, "1.2.840.113619.4.30"), transfer_syntaxes=(RLELossless, ImplicitVRLittleEndian)
    ).port
    entity = AE(ae_title="ANYBODY")
    for sop_class in (CTImageStorage, MRImageStorage, "1.2.840.113619.4.30"):
        entity.add_requested_context(sop_class, [ImplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless])
    association = entity.associate("127.0.0.1", port, ae_title="SAFELIGHT")
    accepted = {str(each.abstract_syntax): str(each.transfer_syntax[0]) for each in association.accepted_contexts}
    association.release()
    assert accepted == {CTImageStorage: RLELossless, "1.2.840.113619.4.30": RLELossless}


def test_a_private_class_that_is_configured_is_stored(listen: Listen, engine: str, intake: Intake) -> None:
    private = "1.2.840.113619.4.30"
    with connected(listen(engine, sop_classes=(private,)).port) as peer:
        assert peer.associate(sop_class=private).store(instance(SOPClassUID=private)) == 0x0000
        assert peer.release() == RELEASED
    assert len(files(intake.folder)) == 1


def test_every_storage_class_in_every_transfer_syntax_is_accepted_unless_something_is_configured(
    listen: Listen, engine: str
) -> None:
    port = listen(engine).port
    entity = AE(ae_title="ANYBODY")
    retired = "1.2.840.10008.5.1.4.1.1.6"  # Ultrasound Image Storage, retired
    entity.requested_contexts = [build_context(retired, each) for each in ALL_TRANSFER_SYNTAXES] + [
        build_context(each.abstract_syntax) for each in AllStoragePresentationContexts[: 128 - len(ALL_TRANSFER_SYNTAXES)]
    ]
    association = entity.associate("127.0.0.1", port, ae_title="SAFELIGHT")
    assert association.rejected_contexts == []
    association.release()


def test_a_lossless_compression_is_preferred_to_none_and_none_to_a_lossy_one(listen: Listen, engine: str) -> None:
    port = listen(engine).port
    for offered, taken in (
        ([ImplicitVRLittleEndian, JPEGBaseline8Bit, JPEGLosslessSV1], JPEGLosslessSV1),
        ([JPEGBaseline8Bit, ExplicitVRLittleEndian], ExplicitVRLittleEndian),
        ([JPEGBaseline8Bit], JPEGBaseline8Bit),
    ):
        entity = AE(ae_title="ANYBODY")
        entity.add_requested_context(CTImageStorage, offered)
        association = entity.associate("127.0.0.1", port, ae_title="SAFELIGHT")
        assert association.accepted_contexts[0].transfer_syntax == [taken]
        association.release()
