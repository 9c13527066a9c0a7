"""What commits bring: FORMAT.md, sections "Payload of a commit", "Ledger" and "Quarantine"."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from basics import Frame, Input, need
from blake3 import blake3

COUNTERS = ("offered", "stored", "variants", "duplicates", "quarantined")
RECORDS = range(8)


class Book:
    """Custodians, runs, counters, checkpoints, links and commits, added up in order."""

    def __init__(self):
        self.custodians, self.runs, self.checkpoints = {}, {}, {}
        self.counters = defaultdict(Counter)
        # For each link the commit that added it, for each commit its run and the start of its hash.
        self.links, self.commits = {}, {}

    def add(self, data, sequence=None):
        """Adds what a commit says, or, without a sequence, what a ledger says."""
        custodian = 0
        for _ in range(data.v()):
            custodian += data.v()
            self.custodians[custodian] = data.text()
        for _ in range(data.v()):
            run = data.v()
            self.runs[run] = (data.text(), data.z())
        custodian = 0
        for _ in range(data.v()):
            run = data.v()
            custodian += data.z()
            counts = {name: data.v() for name in COUNTERS}
            self.counters[run, custodian].update(counts)
        for _ in range(data.v()):
            name, value = data.text(), data.block()
            self.checkpoints[name] = value
            if not value:
                del self.checkpoints[name]
        for _ in range(data.v()):
            key = (data.byte(), data.text(), data.byte(), data.text(), data.text())
            for _ in range(data.v()):
                link = (*key, data.text(), data.take(32))
                added = data.v() if sequence is None else sequence
                self.links[link] = min(added, self.links.get(link, added))
        if sequence is None:
            commit, run = 0, 0
            for _ in range(data.v()):
                commit += data.v()
                run += data.z()
                self.commits[commit] = (run, data.take(8))


@dataclass
class Row:
    """A stored row; `sightings` say in which commit each custodian delivered it first."""

    record: int
    sequence: int
    json: bytes
    sightings: dict

    def see(self, custodian, sequence):
        need(custodian not in self.sightings, f"custodian {custodian} twice at a row")
        self.sightings[custodian] = sequence


@dataclass
class Kept:
    """The first of equal copies that could not be keyed."""

    custodian: int
    run: int
    sequence: int
    reason: str
    source: str
    offset: int
    size: int
    bytes: bytes = None


class Quarantine:
    """Copies that could not be keyed: by their address, what is kept and how many came."""

    def __init__(self):
        self.kept, self.copies = {}, defaultdict(Counter)

    def add_record(self, data):
        """Counts the copies of a record; gives its address and, if it has the bytes, what is kept."""
        address, custodian, run, copies = data.take(32), data.v(), data.v(), data.v()
        flag = data.byte()
        need(copies >= 1 and flag in (0, 1), "a record of refused copies")
        self.copies[address][custodian, run] += copies
        if not flag:
            return address, None
        return address, Kept(custodian, run, data.v(), data.text(), data.text(), data.v(), data.v())

    def keep(self, address, kept, content):
        need(blake3(content) == address, "bytes of a refused copy")
        kept.bytes = content
        self.kept.setdefault(address, kept)

    def add_list(self, data):
        """The records of a commit, each with its bytes behind it."""
        for _ in range(data.v()):
            address, kept = self.add_record(data)
            if kept:
                self.keep(address, kept, data.take(kept.size))

    def add_file(self, data, archive, number):
        frames = list(frames_of(data, b"CVQUAR01", archive, number))
        index = frames[0].of(1)
        records = index.list(lambda: self.add_record(index))
        index.end()
        content = Input(b"".join(frame.of(2).data for frame in frames[1:]))
        for address, kept in records:
            if kept:
                self.keep(address, kept, content.take(kept.size))
        content.end()


def read_commit(commit, book, quarantine):
    """The rows of a commit, and sightings of rows that were there."""
    data, sequence = Input(commit.payload), commit.sequence
    run = data.v()
    book.commits[sequence] = (run, commit.chain[:8])
    book.add(data, sequence)

    def row():
        record, flags, _canonical, _address = data.byte(), data.byte(), data.v(), data.take(32)
        need(record in RECORDS, f"record kind {record}")
        sightings = dict.fromkeys(data.list(data.v), sequence)
        document = data.block()
        if record in (1, 5):
            _conversation = data.text()
        if flags & 4:
            _version = data.v()
        return Row(record, sequence, document, sightings)

    def home():
        place, delivered, row, custodian = (data.byte(), data.v()), sequence - data.v(), 0, 0
        pairs = []
        for _ in range(data.v()):
            row += data.z()
            custodian += data.z()
            pairs.append((row, custodian, delivered))
        return place, pairs

    rows = data.list(row)
    quarantine.add_list(data)
    sightings = data.list(home)
    data.end()
    return rows, sightings


def frames_of(data, magic, archive, number):
    """The frames of a ledger or a quarantine."""
    head = Input(data[:32])
    need(head.take(8) == magic, "magic")
    need(head.take(16) == archive and head.u64() == number, "another archive or number")
    at = 32
    while at < len(data):
        frame = Frame(data, at)
        need(frame.codec == 1, f"a frame under codec {frame.codec}")
        yield frame
        at = frame.end


def read_ledger(data, archive, number, book):
    """For each segment its ranges: (custodian, first row, rows, commit)."""
    frames = list(frames_of(data, b"CVLEDG01", archive, number))
    need(len(frames) == 1, f"{len(frames)} frames")
    payload = frames[0].of(1)
    book.add(payload)
    segments, segment = {}, 0
    for _ in range(payload.v()):
        segment += payload.v()
        ranges, custodian, end, commit = [], 0, 0, 0
        for _ in range(payload.v()):
            ahead = payload.v()
            custodian, end = custodian + ahead, 0 if ahead else end
            first, rows = end + payload.v(), payload.v()
            end, commit = first + rows, commit + payload.z()
            ranges.append((custodian, first, rows, commit))
        segments[segment] = ranges
    payload.end()
    return segments
