"""Reads an archive with nothing but its format: engine/FORMAT.md, Python and libzstd.

Usage: reader.py ARCHIVE        everything in the archive as JSON lines, sorted
       reader.py ARCHIVE --rows only the documents, a line each as it is stored

Every checksum and every rule of FORMAT.md that a reader depends on is checked; what does not hold is
an error that names the file, and never a shorter answer. It is slow, and reads everything into memory.
"""

import json
import pathlib
import sys
from collections import Counter, defaultdict

import journal
import opening
import pack
import records
from basics import Damaged, need
from blake3 import blake3
from segment import Segment, read_dictionary

NAMES = ("message", "copilot", "recording", "transcript", "chat", "member", "user", "team")


class Archive:
    """Everything that is in an archive's folder."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.book = records.Book()
        self.quarantine = records.Quarantine()
        self.rows, self.objects = [], {}
        self.id = opening.identify(self.root)
        self.manifest = opening.newest_manifest(self.root, self.id)
        self.sequence = self.manifest.sequence
        self.homes, self.dictionaries = {}, {}
        for kind, read in [
            ("dic", self.read_dictionary),
            ("seg", self.read_segment),
            ("led", self.read_ledger),
            ("qtn", self.read_quarantine),
            ("pack", self.read_pack),
        ]:
            for entry in self.manifest.of(kind):
                self.read_file(entry, read)
        self.read_journal()
        for run, custodian, copies in self.manifest.folded:
            counts = self.book.counters[run, custodian]
            need(counts["stored"] >= copies, f"a fold of {copies} rows that were not stored")
            counts.update(stored=-copies, duplicates=copies)

    def read_file(self, entry, read):
        path = entry.path(self.root)
        data = path.read_bytes()
        need(len(data) == entry.size, f"{path.name}: {len(data)} bytes, not {entry.size}")
        try:
            hash = read(entry, data)
            need(hash == entry.hash, "the hash is not the manifest's")
        except Damaged as error:
            raise Damaged(f"{path.name}: {error}") from error

    def read_dictionary(self, entry, data):
        self.dictionaries[entry.number] = read_dictionary(data, self.id, entry.number)
        return blake3(data)

    def read_segment(self, entry, data):
        segment = Segment(data, self.id, entry.number, self.dictionaries)
        rows = segment.rows()
        need(len(rows) == entry.rows == segment.footer.rows, "rows")
        self.homes[1, entry.number] = rows
        self.rows += rows
        return blake3(data)

    def read_ledger(self, entry, data):
        ranges = records.read_ledger(data, self.id, entry.number, self.book)
        for number, some in ranges.items():
            rows = self.homes.get((1, number))
            for custodian, first, count, commit in some if rows is not None else []:
                need(first + count <= len(rows), "a range of rows that are not there")
                for row in rows[first : first + count]:
                    row.see(custodian, commit)
        return blake3(data)

    def read_quarantine(self, entry, data):
        self.quarantine.add_file(data, self.id, entry.number)
        return blake3(data)

    def read_pack(self, entry, data):
        objects, hash = pack.read_pack(data, self.id, entry.number)
        self.objects |= objects
        return hash

    def read_journal(self):
        commits = journal.read_journal(self.root, self.id, self.manifest)
        for commit in commits:
            self.sequence = commit.sequence
            rows, sightings = records.read_commit(commit, self.book, self.quarantine)
            self.homes[0, commit.sequence] = rows
            self.rows += rows
            for place, pairs in sightings:
                self.see(place, pairs)

    def see(self, place, pairs):
        """Adds sightings of rows that were there; those of a home that is gone are void."""
        rows = self.homes.get(place)
        for row, custodian, commit in pairs if rows is not None else []:
            need(row < len(rows), f"row {row} of {place} is not there")
            known = rows[row].sightings
            known[custodian] = min(commit, known.get(custodian, commit))

    def lines(self):
        """Everything as values for JSON, in no order."""
        name = self.book.custodians.get
        for row in self.rows:
            sightings = {
                name(custodian): [commit, self.book.commits[commit][0]]
                for custodian, commit in row.sightings.items()
            }
            facts = {"record": NAMES[row.record], "sequence": row.sequence, "sightings": sightings}
            yield {"row": row.json.decode(), **facts}
        for address, by_run in self.quarantine.copies.items():
            need(address in self.quarantine.kept, "copies whose bytes are not kept")
            kept, copies = self.quarantine.kept[address], Counter()
            for (custodian, _run), count in by_run.items():
                copies[name(custodian)] += count
            where = {"source": kept.source, "offset": kept.offset, "reason": kept.reason}
            who = {"first": name(kept.custodian), "run": kept.run, "sequence": kept.sequence}
            yield {"refused": kept.bytes.hex(), "copies": copies, **where, **who}
        by_custodian, by_run = defaultdict(Counter), defaultdict(Counter)
        for (run, custodian), counts in self.book.counters.items():
            by_custodian[custodian].update(counts)
            by_run[run].update(counts)
        for custodian, counts in by_custodian.items():
            yield {"custodian": name(custodian), **zeros(), **counts}
        for number, (label, started) in self.book.runs.items():
            yield {"run": number, "label": label, "started": started, **zeros(), **by_run[number]}
        for key, value in self.book.checkpoints.items():
            yield {"checkpoint": key, "value": value.hex()}
        for link, added in self.book.links.items():
            record, conversation, is_reply, root, id, attachment, address = link
            reply_to = root if is_reply else None
            key = {"record": NAMES[record], "conversation": conversation, "reply_to": reply_to, "id": id}
            yield {"link": attachment, "object": address.hex(), "added": added, **key}
        for address, content in self.objects.items():
            yield {"object": address.hex(), "bytes": len(content)}
        _run, chain = self.book.commits.get(self.sequence, (0, bytes(8)))
        yield {"archive": self.id.hex(), "commit": f"{self.sequence}-{chain.hex()}"}

    def check(self):
        """Is every copy that was offered accounted for?"""
        total = Counter(zeros())
        for counts in self.book.counters.values():
            total.update(counts)
        kept = total["stored"] + total["variants"]
        there = len(self.rows) + self.manifest.lost
        need(kept == there, f"{kept} rows counted, {there} found or lost in repairs")
        refused = sum(count for copies in self.quarantine.copies.values() for count in copies.values())
        need(total["quarantined"] == refused, "copies in quarantine")
        need(total["offered"] == kept + total["duplicates"] + total["quarantined"], "the counters")


def zeros():
    return dict.fromkeys(records.COUNTERS, 0)


def as_json(line):
    return json.dumps(line, ensure_ascii=False, sort_keys=True)


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--rows"]):
        raise SystemExit(__doc__)
    try:
        archive = Archive(sys.argv[1])
        archive.check()
        if sys.argv[2:]:
            for document in sorted(row.json for row in archive.rows):
                sys.stdout.buffer.write(document + b"\n")
            return
        lines = [as_json(line) for line in archive.lines()]
    except Damaged as error:
        raise SystemExit(f"damaged: {error}") from error
    sys.stdout.reconfigure(encoding="utf-8")
    print("\n".join(sorted(lines)))


if __name__ == "__main__":
    main()
