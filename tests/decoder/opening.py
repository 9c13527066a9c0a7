"""Which files are the archive: FORMAT.md, sections "Names", "FORMAT" and "Manifest"."""

import re
from dataclasses import dataclass, field

from basics import Input, Unsupported, need
from blake3 import blake3

DRAFT = {"draft-10"}
KNOWN = DRAFT | {"folds"}
KINDS = {1: "seg", 2: "led", 3: "pack", 4: "qtn", 5: "dic"}
FOLDERS = {kind: "objects" if kind == "pack" else "segments" for kind in KINDS.values()}


def identify(root):
    """The archive's uuid."""
    data = (root / "FORMAT").read_bytes()
    body, mark, checksum = data.rpartition(b"checksum ")
    need(mark and checksum.strip() == blake3(body).hex().encode(), "FORMAT: checksum")
    need(checksum == checksum.strip() + b"\n", "FORMAT: last line")
    lines = body.decode().splitlines()
    need(lines[0] == "chatvault archive", "FORMAT: magic")
    values = dict(line.partition(" ")[::2] for line in lines[1:])
    required = set(values["required"].split())
    if values["format"] != "1" or not DRAFT <= required or required - KNOWN:
        raise Unsupported(f"format {values['format']} with {values['required']}")
    return bytes.fromhex(values["archive"])


def numbered(folder, ending):
    """The files of a folder by their numbers."""
    pattern = re.compile(rf"([0-9]{{16}})\.{ending}")
    found = ((pattern.fullmatch(path.name), path) for path in folder.iterdir())
    return {int(match[1]): path for match, path in sorted(found, key=lambda one: one[1]) if match}


@dataclass
class Entry:
    kind: str
    level: int
    number: int
    size: int
    rows: int
    first: int
    last: int
    hash: bytes
    multiset: int

    def path(self, root):
        return root / FOLDERS[self.kind] / f"{self.number:016}.{self.kind}"


@dataclass
class Manifest:
    number: int
    sequence: int
    journal_from: int
    journal_to: int
    next_file: int
    hash: bytes
    previous: bytes
    files: list = field(default_factory=list)
    # Rows that repairs could not save; the counters have them.
    lost: int = 0
    # (run, custodian, rows) that were stored twice and made one; the counters have both as stored.
    folded: list = field(default_factory=list)

    def of(self, kind):
        return [entry for entry in self.files if entry.kind == kind]


def multiset(data):
    return int.from_bytes(data, "little")


def replaced(body):
    _kind, _number, _rows, _multiset = body.byte(), body.v(), body.v(), body.take(32)
    why = body.byte()
    need(why in (1, 2), f"why a file was replaced: {why}")
    return body.list(body.v) if why == 1 else body.v()


def entry(body):
    kind, level = KINDS.get(body.byte()), body.byte()
    need(kind, "a file of unknown kind")
    numbers = [body.v() for _ in range(5)]
    return Entry(kind, level, *numbers, body.take(32), multiset(body.take(32)))


def rows_lost(record):
    _archive, _commit = record.take(16), record.v()
    return record.v()


def fold(record):
    """What a fold moved, how many rows left, and their multiset."""
    _commit, rows, _first, _last = (record.v() for _ in range(4))
    addresses = record.take(32)
    moved = record.list(lambda: (record.v(), record.v(), record.v()))
    record.end()
    need(rows == sum(copies for *_, copies in moved), "rows of a fold")
    need(len(moved) == len({place[:2] for place in moved}), "a run and custodian twice in a fold")
    return moved, (rows, addresses)


def read_manifest(data, archive, number):
    need(data[:8] == b"CVLTMNFS", "magic")
    head = Input(data[8:24])
    version, reserved, size = head.u32(), head.u32(), head.u64()
    if version != 1:
        raise Unsupported(f"manifest of version {version}")
    need(reserved == 0 and len(data) == 24 + size + 32, "length")
    need(blake3(data[:-32]) == data[-32:], "hash")
    body = Input(data[24:-32])
    need(body.take(16) == archive, "of another archive")
    previous = body.take(32)
    need(body.v() == number, "another number")
    _written = body.z()
    numbers = [body.v() for _ in range(4)]
    _bytes_written = body.v()
    manifest = Manifest(number, *numbers, data[-32:], previous)
    need(manifest.journal_from <= manifest.journal_to, "journal files")
    required, _optional = body.list(body.text), body.list(body.text)
    if not set(required) <= KNOWN:
        raise Unsupported(f"manifest that requires {required}")
    manifest.files = body.list(lambda: entry(body))
    _dropped = body.list(lambda: replaced(body))
    disposed = body.list(lambda: (body.byte(), body.v(), body.take(32), body.v()))
    records = body.list(lambda: (body.byte(), body.block()))
    manifest.lost = sum(rows_lost(Input(block)) for kind, block in records if kind == 1)
    body.end()
    folds = {at: fold(Input(block)) for at, (kind, block) in enumerate(records) if kind == 2}
    manifest.folded = [place for moved, _ in folds.values() for place in moved]
    for kind, rows, addresses, record in disposed:
        accounted = record in folds and folds[record][1] == (rows, addresses)
        need(kind == 1 and accounted, "rows left for which no record accounts")
    numbers = [file.number for file in manifest.files]
    need(numbers == sorted(set(numbers)), "numbers of files")
    need(all(number < manifest.next_file for number in numbers), "a number that is not given yet")
    for file in manifest.files:
        need(file.first <= file.last <= manifest.sequence, "commits of a file")
    return manifest


def newest_manifest(root, archive):
    """The one with the highest number; those before it that are kept form a chain."""
    files = numbered(root / "manifest", "mft")
    need(files, "there is no manifest")
    newest = None
    for at, (number, path) in enumerate(files.items()):
        before, newest = newest, read_manifest(path.read_bytes(), archive, number)
        # Behind the newest eight a power cut may have brought back some that were removed.
        removed = len(files) - at >= 8 and before and number != before.number + 1
        fits = before is None or removed or (newest.previous, number) == (before.hash, before.number + 1)
        need(fits, f"{path.name}: not behind the one before")
    return newest
