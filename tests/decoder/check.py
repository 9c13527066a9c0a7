"""Compares what reader.py finds in archives with what the chatvault program says of them.

Usage: check.py PROGRAM ARCHIVE…
"""

import json
import subprocess
import sys
from collections import Counter

from reader import Archive


def same(name, found, expected):
    """Both have the same elements, as often."""
    found, expected = Counter(found), Counter(expected)
    if found != expected:
        for title, some in [("only found", found - expected), ("not found", expected - found)]:
            for one in list(some)[:3]:
                print(f"{name}: {title}: {str(one)[:300]}", file=sys.stderr)
        raise SystemExit(f"{name}: {(found - expected).total()} too many, {(expected - found).total()} missing")


class Program:
    def __init__(self, program, archive):
        self.program, self.archive = program, archive

    def run(self, command, *options):
        line = [self.program, command, self.archive, *options]
        return subprocess.run(line, check=True, capture_output=True).stdout

    def json(self, command, *options):
        return json.loads(self.run(command, *options, "--json"))

    def messages(self, *options):
        return self.run("query", "--versions", "variants", *options).splitlines()


def one_line(document):
    """As `query` prints it: line ends in white space between tokens are spaces there."""
    return document.replace(b"\r", b" ").replace(b"\n", b" ")


def check_archive(program, path):
    archive, asked = Archive(path), Program(program, path)
    archive.check()
    messages = [row for row in archive.rows if row.record == 0]
    same(path, (one_line(row.json) for row in messages), asked.messages())
    stat = asked.json("stat", "--by-custodian")
    facts = {"objects": len(archive.objects), "runs": len(archive.book.runs)}
    same(path, facts.items(), ((name, stat[name]) for name in facts))
    check_custodians(archive, asked, stat["by_custodian"])
    check_quarantine(archive, asked)
    print(f"{path}: {len(archive.rows)} rows and all that belongs to them, as the program says")


def check_custodians(archive, asked, by_custodian):
    found = {line["custodian"]: line for line in archive.lines() if "refused" not in line and "custodian" in line}
    assert set(found) == set(by_custodian), f"{found.keys()} and {by_custodian.keys()}"
    for name, counts in by_custodian.items():
        counts["offered"] = counts.pop("copies")
        expected = {counter: found[name][counter] for counter in counts}
        assert counts == expected, f"{name}: {counts} and {expected}"
        number = next(n for n, own in archive.book.custodians.items() if own == name)
        own = (row for row in archive.rows if row.record == 0 and number in row.sightings)
        same(name, (one_line(row.json) for row in own), asked.messages("--custodian", name))


def check_quarantine(archive, asked):
    listed = asked.json("quarantine")["entries"]
    addresses = (address.hex() for address in archive.quarantine.kept)
    same("quarantine", addresses, (entry["address"] for entry in listed))
    for entry in listed[:50]:
        kept = archive.quarantine.kept[bytes.fromhex(entry["address"])]
        assert asked.run("quarantine", "--show", str(entry["number"])) == kept.bytes, entry
        copies = archive.quarantine.copies[bytes.fromhex(entry["address"])]
        assert entry["copies"] == copies.total(), entry


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    for path in sys.argv[2:]:
        check_archive(sys.argv[1], path)
