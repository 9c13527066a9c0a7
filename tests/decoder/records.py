"""What commits bring: FORMAT.md, sections "Payload of a commit", "Table", "Ledger" and "Quarantine"."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from basics import Frame, Input, as_text, crc, need
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

    def add(self, data, sequence):
        """Adds what a commit says."""
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
            self.set_checkpoint(data.text(), data.block())
        for _ in range(data.v()):
            key = message_key(data)
            for _ in range(data.v()):
                self.add_link((*key, data.text(), data.take(32)), sequence)

    def set_checkpoint(self, name, value):
        self.checkpoints[name] = value
        if not value:
            del self.checkpoints[name]

    def add_link(self, link, sequence):
        self.links[link] = min(sequence, self.links.get(link, sequence))

    def add_ledger(self, lists):
        """Adds what the first seven lists of a ledger say."""
        custodians, names, runs, counters, checkpoints, links, commits = lists
        for key, value in custodians:
            self.custodians[number(key, 4)] = as_text(value.left_over())
        there = {(key.text(), number(key, 4)) for key, _ in names}
        mine = {(as_text(value.data), int.from_bytes(key.data, "big")) for key, value in custodians}
        need(there == mine, "names are not those of the custodians")
        for key, value in runs:
            self.runs[number(key, 4)] = (value.text(), value.z())
        for key, value in counters:
            place = (number(key, 4), number(key, 4))
            self.counters[place].update({name: value.v() for name in COUNTERS})
        for key, value in checkpoints:
            self.set_checkpoint(as_text(key.left_over()), value.left_over())
        for key, value in links:
            message = message_key(key)
            for _ in range(value.v()):
                self.add_link((*message, value.text(), value.take(32)), value.v())
        for key, value in commits:
            self.commits[number(key, 8)] = (value.v(), value.take(8))


def message_key(data):
    return (data.byte(), data.text(), data.byte(), data.text(), data.text())


def number(key, size):
    """A number of a key: the highest byte first."""
    return int.from_bytes(key.take(size), "big")


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
    bytes: bytes


class Quarantine:
    """Copies that could not be keyed: by their address, what is kept and how many came."""

    def __init__(self):
        self.kept, self.copies = {}, defaultdict(Counter)

    def add_list(self, data):
        """The records of a commit, each with its bytes behind it."""
        for _ in range(data.v()):
            address, custodian, run, copies = data.take(32), data.v(), data.v(), data.v()
            flag = data.byte()
            need(copies >= 1 and flag in (0, 1), "a record of refused copies")
            self.copies[address][custodian, run] += copies
            if flag:
                self.keep(address, Kept(custodian, run, data.v(), *kept(data)))

    def keep(self, address, kept):
        need(blake3(kept.bytes) == address, "bytes of a refused copy")
        there = self.kept.setdefault(address, kept)
        if kept.sequence < there.sequence:
            self.kept[address] = kept

    def add_file(self, data, archive, file_number):
        (copies, records), footer = read_table(data, b"CVQUAR01", archive, file_number, 2)
        footer.end()
        first = {}
        for key, value in copies:
            address, run, custodian = key.take(32), number(key, 4), number(key, 4)
            count, sequence = value.v(), value.v()
            need(count >= 1, "copies")
            self.copies[address][custodian, run] += count
            if sequence:
                first[address, custodian, run] = sequence
        there = set()
        for key, value in records:
            sequence, _place = number(key, 8), number(key, 4)
            address, custodian, run = value.take(32), value.v(), value.v()
            need(first.get((address, custodian, run), sequence + 1) <= sequence, "a kept copy")
            there.add((address, custodian, run, sequence))
            self.keep(address, Kept(custodian, run, sequence, *kept(value)))
        need(all((*place, sequence) in there for place, sequence in first.items()), "bytes")
        for key, value in copies + records:
            key.end()
            value.end()


def kept(data):
    """Reason, source, offset and bytes."""
    return data.text(), data.text(), data.v(), data.block()


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


def read_table(data, magic, archive, file_number, count):
    """The lists of a table, as pairs of key and value, and what is behind them in the footer."""
    head, trailer = Input(data[:32]), Input(data[-16:])
    need(head.take(8) == magic, "magic")
    need(head.take(16) == archive and head.u64() == file_number, "another archive or number")
    size = trailer.u32()
    need(trailer.u32() == crc(data[-16:-12], b""), "checksum of the trailer")
    need(trailer.take(8) == b"CVTABEND", "end of a table")
    end = len(data) - 16 - size
    need(end >= 32, "a footer before the first list")
    footer = Frame(data, end)
    need(footer.end == len(data) - 16, "a footer of another size")
    footer, at, lists = footer.of(31), 32, []
    for kind in range(1, count + 1):
        items, borders, expected = [], [], footer.v()
        for border, place in pairs(footer):
            page_at, start = at, at + place.v()
            at = start + place.v()
            place.end()
            directory = Frame(data, start)
            need(directory.end == at, "a directory of another size")
            entries = pairs(directory.of(30))
            need(entries and entries[0][0].data == border.data, "a border of a stretch")
            for border, place in entries:
                page = Frame(data, page_at)
                need(place.v() == page.end - page_at, "a page of another size")
                place.end()
                page_at = page.end
                borders.append((border.data, len(items)))
                items += pairs(page.of(kind))
            need(page_at == start, "pages of a stretch")
        keys = [key.data for key, _ in items]
        need(len(items) == expected, "items of a list")
        need(all(a < b for a, b in zip(keys, keys[1:])), "keys in order")
        for border, first in borders:
            need(border <= keys[first] and (first == 0 or keys[first - 1] < border), "a border")
        lists.append(items)
    need(at == end, "frames that no list has")
    return lists, footer


def pairs(data):
    """A list of items, keys and values to be read."""
    return data.list(lambda: (Input(data.block()), Input(data.block())))


def read_ledger(data, archive, file_number, book):
    """For each segment its ranges: (custodian, first row, rows, commit)."""
    lists, footer = read_table(data, b"CVLEDG01", archive, file_number, 9)
    said = Counter(dict.fromkeys(COUNTERS, 0))
    for _, value in lists[3]:
        value = Input(value.data)
        said.update({name: value.v() for name in COUNTERS})
    segments, blocks = {}, {}
    for key, value in lists[7]:
        segment, block, custodian = number(key, 8), number(key, 4), number(key, 4)
        end, commit = block * 1024, 0
        for _ in range(value.v()):
            first, rows = end + value.v(), value.v()
            end, commit = first + rows, commit + value.z()
            need(rows > 0 and end <= block * 1024 + 1024, "a range of a block")
            segments.setdefault(segment, []).append((custodian, first, rows, commit))
            low, high = blocks.get((custodian, segment, block), (commit, commit))
            blocks[custodian, segment, block] = (min(low, commit), max(high, commit))
    for key, value in lists[8]:
        custodian, segment, block = number(key, 4), number(key, 8), 0
        for _ in range(value.v()):
            block, low = block + value.v(), value.v()
            high = low + value.v()
            there = blocks.pop((custodian, segment, block))
            need(low <= there[0] and there[1] <= high, "commits of a block")
    need(not blocks, "ranges in no block")
    ahead = [int.from_bytes(lists[at][-1][0].data, "big") + 1 if lists[at] else 0 for at in (0, 2)]
    need([footer.v(), footer.v()] == ahead, "numbers behind the last ones")
    need({name: footer.v() for name in COUNTERS} == said, "counters of the footer")
    footer_of_links(footer, lists[5])
    if footer.byte():
        commits = [number(Input(key.data), 8) for key, _ in lists[6]]
        need(footer.v() == commits[0] and footer.v() == commits[-1], "commits of the footer")
        last = Input(lists[6][-1][1].data)
        need((footer.v(), footer.take(8)) == (last.v(), last.take(8)), "the last commit")
    need(footer.rising() == sorted(segments), "segments of the footer")
    footer.end()
    book.add_ledger(lists[:7])
    for key, value in (pair for items in lists for pair in items):
        key.end()
        value.end()
    return segments


def footer_of_links(footer, links):
    first = 0
    for _, value in links:
        value = Input(value.data)
        for _ in range(value.v()):
            added = (value.text(), value.take(32), value.v())[2]
            first = min(first or added, added)
    need(footer.v() == first, "the first link")
