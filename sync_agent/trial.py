"""What agent and gateways will do with a document, done once beforehand; run as a process, for whoever pipes them in.

Rules:
- A document is tried by the code that will use it: it is decoded, and every record of it is decoded, written again and
  decided about for every measure; of records of one form (`restriction.record.form_of`) the first one.
- The process ends by itself whatever a document does to it: with its input, and by the kernel's hand when a document
  takes more time than its size allows. So none is left behind by an agent that is killed, and none can stop an agent.

It proves nothing about the list: that is done by `restriction.trusted_list` and by the digest.
"""

from __future__ import annotations

import enum
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Final

from restriction import products as sold
from restriction.calendar import Span, day_of
from restriction.change import Chunk
from restriction.decision import Circumstances, Match, Sale, decide
from restriction.envelope import decode_chunk, decode_delta, decode_snapshot
from restriction.errors import RefusedListError, SettingError
from restriction.measures import REGISTER, Sector
from restriction.parameters import Parameters
from restriction.products import Measure, Product
from restriction.record import Grant, Part, Record, decode, encode, form_of

# The largest chunk there may be, of 64 MiB, takes half of it.
MEMORY_BYTES: Final = 1 << 30
_PATIENCE_S: Final = 5.0  # for anything, plus a second for each MiB that it expands to: ten times what is needed
_PATIENT_BYTES: Final = 1 << 20
_MAX_FORMS: Final = 100_000  # a list of ten years has some thousands; beyond, they are tried again
_EVERY: Final = sum(1 << measure for measure in Measure)
FIT: Final = b""
# Kind, partition, length, expanded length, SHA-256; the document follows. The last three are a chunk's.
REQUEST: Final = struct.Struct("<BHII32s")
REPLY: Final = struct.Struct("<H")  # length of what is wrong; none is fit

# One sale of each measure, by a sector that may ask about it.
_SALES: Final[Mapping[Product, Sector]] = {
    product: next(iter(REGISTER[product.measure].asked_by))
    for product in (
        sold.Rail("G1", sold.SeatClass.SECOND),
        sold.Air(sold.FlightKind.SCHEDULED),
        sold.Lodging(5, sold.RatingStatus.IN_FORCE, "any", emergency=False),
        sold.Venue(sold.SaleKind.MEMBERSHIP, sold.Payer.SELF, sold.VenueKind.GOLF_COURSE, 1, "any"),
        sold.OutboundTour(sold.TourService.GROUP_TOUR, "THA"),
        sold.Resort(1, "any"),
        sold.Tuition("any", sold.PayerRelation.PARENT, sold.Funds.OWN),
        sold.Insurance(sold.CashValue.SOME, 1, sold.PremiumMode.ANNUAL, sold.PolicyAct.NEW),
        sold.Construction(sold.Work.NEW_BUILD, 1, sold.Necessity.NOT_CLAIMED),
        sold.Vehicle(sold.VehicleKind.MOTOR, sold.VehicleAct.PURCHASE, sold.VehicleUse.PRIVATE),
        sold.Property(sold.PropertyAct.PURCHASE_NEW, sold.Buyers.SOLE),
        sold.ResourceDevelopment(sold.ResourceAct.BID),
        sold.StateEquity(sold.EquityAct.BUY),
    )
}


class Kind(enum.IntEnum):
    """Kinds of documents."""

    DELTA = 1
    SNAPSHOT = 2
    CHUNK = 3
    PARAMETERS = 4


class Trial:
    """Tries documents, one after another; records are decided about under the parameters that were tried last."""

    def __init__(self, decide: Callable[[Match, Sale, Circumstances], object] = decide) -> None:
        self._decide = decide
        self._parameters = Parameters()
        self._forms = set[bytes]()

    def __call__(self, kind: Kind, raw: bytes, chunk: Chunk | None = None) -> None:
        """Use the document as it will be used; `chunk` is what a chunk's manifest says. Raises: RefusedListError."""
        match kind:
            case Kind.DELTA:
                self._try_records(change.record for change in decode_delta(raw).changes if change.record)
            case Kind.SNAPSHOT:
                decode_snapshot(raw)
            case Kind.CHUNK if chunk is not None:
                self._try_records(decode_chunk(raw, chunk).values())
            case Kind.PARAMETERS:
                self._try_parameters(raw)
            case _:
                raise ValueError("a chunk is tried with what its manifest says")

    def _try_parameters(self, raw: bytes) -> None:
        parameters = parameters_of(raw)
        for explicit in (0, _EVERY):
            everything = Part(bytes(8), 1, 0, None, None, (bytes(8),), (Grant(_EVERY, explicit, Span(0)),))
            self._decide_all(Record(bytes(8), (everything,)), parameters)
        self._parameters = parameters
        self._forms.clear()

    def _try_records(self, records: Iterable[bytes]) -> None:
        for raw in records:
            form = form_of(raw)
            if form in self._forms:
                continue
            record = decode(raw)
            if encode(record) != raw:
                raise RefusedListError("LIST_FORGED", "a record is not canonical; the last good list stays")
            self._decide_all(record, self._parameters)
            if len(self._forms) >= _MAX_FORMS:
                self._forms.clear()
            self._forms.add(form)

    def _decide_all(self, record: Record, parameters: Parameters) -> None:
        """Every measure, when all parts have begun, and on the first and last day on which something in them begins."""
        spans = [one.span for part in record.parts for one in part.grants]
        spans += [one.span for part in record.parts for one in part.exemptions]
        begins = sorted(span.start for span in spans)
        now_s = max((part.starts_at for part in record.parts), default=0)
        name = next((name for part in record.parts for name in part.names), b"")
        for day in {day_of(now_s), *begins[:1], *begins[-1:]}:
            for product, sector in _SALES.items():
                dated = REGISTER[product.measure].service_date_required
                self._decide(
                    Match(record, name, weak=False),
                    Sale(product, day if dated else None),
                    Circumstances(now_s, sector, parameters, 0.0),
                )


def parameters_of(raw: bytes) -> Parameters:
    """The parameters in a document of the feed. Raises: RefusedListError, LIST_FORGED."""
    try:
        return Parameters.from_bytes(raw)
    except SettingError as error:
        raise RefusedListError("LIST_FORGED", f"{error}; the last good parameters stay") from error


def patience_s(expanded_bytes: int) -> float:
    """How long a document of this expanded size may take."""
    return _PATIENCE_S + expanded_bytes / _PATIENT_BYTES


def _outcome(trial: Trial, request: tuple[int, int, int, int, bytes], raw: bytes) -> bytes:
    """FIT, or the alarm and what is wrong."""
    kind, partition, length, expanded, sha256 = request
    try:
        trial(Kind(kind), raw, Chunk(partition, "", length, expanded, sha256))
    except RefusedListError as error:
        return str(error).encode()
    except Exception as error:  # noqa: BLE001 whatever it is, it would have happened in the agent or at a gateway
        return f"LIST_UNFIT: it cannot be used ({type(error).__name__}); the last good list stays".encode()
    return FIT


def main(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Try what is asked for, until the requests end."""
    trial = Trial()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the documents
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the agent, which finishes its pass first
    while header := requests.read(REQUEST.size):
        request = REQUEST.unpack(header)
        raw = requests.read(request[2])
        signal.setitimer(signal.ITIMER_REAL, patience_s(max(request[2:4])))  # SIGALRM unhandled: the kernel ends us
        wrong = _outcome(trial, request, raw)
        signal.setitimer(signal.ITIMER_REAL, 0)
        replies.write(REPLY.pack(len(wrong)) + wrong)
        replies.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
