"""Restores golden archives and compares with what was written into them, line by line.

Usage: golden.py FOLDER, where NAME.jsonl says everything that is in the archive NAME
"""

import json
import pathlib
import sys

from check import same
from reader import Archive, as_json


def check_archive(expected):
    archive = Archive(expected.with_suffix(""))
    archive.check()
    found = [as_json(line) for line in archive.lines()]
    same(expected.name, found, map(as_json, map(json.loads, expected.read_bytes().splitlines())))
    print(f"{expected.name}: {len(found)} facts, {len(archive.rows)} rows among them, as they were written")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    archives = sorted(pathlib.Path(sys.argv[1]).glob("*.jsonl"))
    if not archives:
        raise SystemExit(f"no golden archive in {sys.argv[1]}")
    for expected in archives:
        check_archive(expected)
