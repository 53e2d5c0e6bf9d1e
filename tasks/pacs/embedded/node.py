"""The embedded PACS: a real DICOM node over a folder of files, with C-ECHO, C-STORE, C-FIND and C-MOVE.

It serves files *as stored*: the encoded data set goes out in its own transfer syntax, byte for byte, however odd it is.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import split_dataset
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from tasks.pacs.embedded.index import Entry, Index
from tasks.pacs.embedded.matching import answers, asked, chosen
from tasks.pacs.server import MAXIMUM_PDU, Caller, Listener, listen, storage_contexts
from tasks.pacs.uids import is_uid

_SERVICES = (
    Verification,
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
)
_SUCCESS, _PENDING, _CANCELLED, _MISMATCH, _OUT_OF_RESOURCES = 0x0000, 0xFF00, 0xFE00, 0xA900, 0xA700
_INVALID_INSTANCE, _CANNOT_UNDERSTAND = 0x0117, 0xC000


class PacsNode:
    """A PACS over `folder`. Use as a context manager (it serves in threads), or call `serve_forever`.

    Args:
        folder: its files, at any depth; what is stored by C-STORE goes there too.
        ae_title: what it answers to; associations that call another title are rejected.
        port: TCP port, 0 for any free one (see `port` while it serves).
        destinations: AE title → (host, port) of those that C-MOVE may send to.
        bind: the address to listen on.
    """

    def __init__(
        self,
        folder: Path | str,
        ae_title: str,
        port: int = 0,
        destinations: Mapping[str, tuple[str, int]] | None = None,
        bind: str = "127.0.0.1",
    ) -> None:
        self.folder = Path(folder)
        self.ae_title = ae_title
        self.destinations = dict(destinations or {})
        self.index = Index.of(self.folder)
        self._address = (bind, port)
        self._lock = threading.Lock()
        self._listener: Listener | None = None
        self._entity = _Entity(ae_title=ae_title)
        self._entity.require_called_aet = True
        self._entity.maximum_associations = 32
        self._entity.maximum_pdu_size = MAXIMUM_PDU

    @property
    def refused(self) -> list[tuple[Path, str]]:
        """Files of the folder that are not served, each with the reason."""
        return self.index.refused

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        if self._listener is None:
            raise RuntimeError("the node does not serve")
        return self._listener.port

    def __enter__(self) -> PacsNode:
        handlers = [(evt.EVT_C_STORE, self.on_store), (evt.EVT_C_FIND, self.on_find), (evt.EVT_C_MOVE, self.on_move)]
        services = [build_context(uid) for uid in _SERVICES]
        self._listener = listen(self._entity, self._address, [*services, *storage_contexts()], handlers)
        self._listener.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._listener is not None:
            self._listener.__exit__()
        self._listener = None

    def serve_forever(self) -> None:
        """Serve until interrupted."""
        with nullcontext() if self._listener is not None else self:
            threading.Event().wait()

    # ---- services ---------------------------------------------------------------------------------------------------

    def on_find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        """C-FIND (PS3.4 C.4.1)."""
        try:
            matches = list(answers(event.identifier, self._snapshot(event.identifier), self.ae_title))
        except (ValueError, KeyError):
            yield _MISMATCH, None
            return
        for match in matches:
            if event.is_cancelled:
                yield _CANCELLED, None
                return
            yield _PENDING, match

    def on_move(self, event: Any) -> Iterator[Any]:
        """C-MOVE (PS3.4 C.4.2): destination, number of sub-operations, then each instance to send."""
        destination = self.destinations.get(str(event.move_destination).strip())
        if destination is None:
            yield None, None
            return
        try:
            entries = self.outgoing(chosen(event.identifier, self._snapshot(event.identifier)))
        except (ValueError, KeyError):
            yield (*destination, {"contexts": [build_context(Verification)]})
            yield 1
            yield _MISMATCH, None
            return
        yield (*destination, {"contexts": _contexts(entries), "max_pdu": MAXIMUM_PDU})
        yield len(entries)
        originator = str(event.assoc.requestor.ae_title).strip()
        for entry in entries:
            if event.is_cancelled:
                yield _CANCELLED, None
                return
            yield _PENDING, _Stored(entry, originator)

    def on_store(self, event: Any) -> int:
        """C-STORE into the folder, as it came; the same instance again is no harm, another under its UID is refused."""
        request = event.request
        instance = str(request.AffectedSOPInstanceUID)
        if not is_uid(instance):
            return _INVALID_INSTANCE
        name = hashlib.sha256(instance.encode()).hexdigest()[:32]
        path = self.folder / f"{name}.dcm"
        content = event.encoded_dataset()
        with self._lock:
            known = self.index.entries.get(instance)
            if known is not None:
                same = encoded_dataset(known.path) == request.DataSet.getvalue()
                return _SUCCESS if same else _CANNOT_UNDERSTAND
            try:
                fresh = self.folder / f".{name}.{secrets.token_hex(4)}"
                fresh.write_bytes(content)
                fresh.replace(path)
            except OSError:
                return _OUT_OF_RESOURCES
            return _SUCCESS if self.index.add(path) else _MISMATCH

    def outgoing(self, entries: list[Entry]) -> list[Entry]:
        """What a C-MOVE sends of what it chose: all of it."""
        return entries

    def _snapshot(self, query: Dataset) -> list[Entry]:
        """What a query can be about: the entries of the studies that it names, or all."""
        with self._lock:
            return self.index.among(asked(query, "StudyInstanceUID").split("\\"))


def encoded_dataset(path: Path) -> bytes:
    """The encoded data set of a PS3.10 file: all that follows the file meta information, untouched."""
    _, offset = split_dataset(path)
    with path.open("rb") as stream:
        stream.seek(offset)
        return stream.read()


def _contexts(entries: list[Entry]) -> list[PresentationContext]:
    """One context for each storage class and transfer syntax, the most frequent first, 128 at most (PS3.8 9.3.2)."""
    pairs = Counter((entry.value("SOPClassUID"), entry.transfer_syntax) for entry in entries)
    return [build_context(sop_class, syntax) for (sop_class, syntax), _ in pairs.most_common(128)]


class _Stored(Dataset):
    """An instance to send: it holds its UID, for the list of failed ones, and knows its file."""

    def __init__(self, entry: Entry, originator: str) -> None:
        super().__init__()
        self.SOPInstanceUID = entry.value("SOPInstanceUID")
        self.__dict__["entry"], self.__dict__["originator"] = entry, originator


class _Entity(Caller):
    """An application entity whose associations send `_Stored` files without decoding them."""

    def associate(self, *arguments: Any, **options: Any) -> Association:
        """As pynetdicom's, with our way to send."""
        association = super().associate(*arguments, **options)
        association.send_c_store = partial(_send, association)  # type: ignore[method-assign]
        return association


def _send(association: Association, stored: _Stored, msg_id: int, originator_aet: str, originator_id: int) -> Dataset:
    """C-STORE a file's data set as it is stored. Raises ValueError where the peer did not accept its transfer syntax."""
    entry: Entry = stored.__dict__["entry"]
    context = association._get_valid_context(
        UID(entry.value("SOPClassUID")), UID(entry.transfer_syntax), "scu", allow_conversion=False
    )
    request = C_STORE()
    request.MessageID = msg_id
    request.Priority = 2
    request.MoveOriginatorApplicationEntityTitle = stored.__dict__["originator"] or originator_aet
    request.MoveOriginatorMessageID = originator_id
    request.AffectedSOPClassUID = entry.value("SOPClassUID")
    request.AffectedSOPInstanceUID = entry.value("SOPInstanceUID")
    request.DataSet = BytesIO(encoded_dataset(entry.path))
    if not association.is_established:
        raise ValueError("the association is gone")
    # The reactor stays paused from the first file to the release: it would take the answers off the queue.
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        time.sleep(0.0001)
    association.dimse.send_msg(request, context.context_id or 0)
    _, answer = association.dimse.get_msg(block=True)
    if answer is None:
        association.abort()
        return Dataset()
    return association._check_received_status(answer)
