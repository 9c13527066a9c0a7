"""Commits that are in no segment yet: FORMAT.md, section "Journal"."""

import fcntl
from dataclasses import dataclass

from basics import MOST, Damaged, Input, Unsupported, crc, decoded, need
from blake3 import blake3
from opening import numbered

HEADER = 4096
FRAME = 56
COMMIT, CLOSED, PROOF, MANIFEST, GOES_ON = range(1, 6)
ENDS = (CLOSED, GOES_ON)


@dataclass
class Head:
    checksum: int
    stored: int
    raw: int
    kind: int
    codec: int
    cipher: int
    sequence: int
    acknowledged: int
    chain: bytes


@dataclass
class Commit:
    sequence: int
    payload: bytes
    chain: bytes


class JournalFile:
    def __init__(self, path, archive, number):
        self.name, data = path.name, path.read_bytes()
        head = Input(data[:HEADER])
        need(head.take(8) == b"CVLTJRNL", f"{self.name}: magic")
        version, reserved = head.u32(), head.u32()
        need(crc(data[:4092]) == Input(data[4092:HEADER]).u32(), f"{self.name}: checksum")
        if version != 1:
            raise Unsupported(f"{self.name}: version {version}")
        need(reserved == 0 and head.take(16) == archive, f"{self.name}: another archive")
        self.nonce = head.take(16)
        need(head.u64() == number, f"{self.name}: another number")
        self.last, self.chain, self.base = head.u64(), head.take(16), head.u64()
        self.manifest = head.u64(), head.take(32)
        self.data, self.ending, self.acknowledged = data, None, self.last

    def head_at(self, at):
        """A frame's header, or None if there is no valid one."""
        data = self.data[at : at + FRAME]
        if len(data) < FRAME or crc(self.nonce, data[4:]) != Input(data).u32():
            return None
        head = Input(data[4:])
        numbers = [head.u32() for _ in range(3)] + [head.byte() for _ in range(3)]
        reserved = head.take(5)
        found = Head(*numbers, head.u64(), head.u64(), head.take(16))
        is_valid = COMMIT <= found.kind <= GOES_ON and reserved == bytes(5) and found.stored <= MOST
        return found if is_valid else None

    def frame_at(self, at):
        """A frame's header, its stored payload and where the next begins; None if it is invalid."""
        head = self.head_at(at)
        if not head:
            return None
        behind = at + FRAME + head.stored
        stored, end = self.data[at + FRAME : behind], -(-behind // 8) * 8
        is_whole = end <= len(self.data) and crc(self.nonce, stored) == head.checksum
        return (head, stored, end) if is_whole and not self.data[behind:end].strip(b"\0") else None

    def commits(self, chain, until):
        """The commits behind one with a hash, up to the one with another, or all of them."""
        at, last = HEADER, self.last
        while chain != until and (frame := self.frame_at(at)):
            head, stored, end = frame
            need(self.ending is None, f"{self.name}: a frame behind the end at {at}")
            follows = head.sequence > last if head.kind == COMMIT else head.sequence == last
            need(head.chain == chain and follows, f"{self.name}: does not follow at {at}")
            self.acknowledged = max(self.acknowledged, head.acknowledged)
            payload = decoded(stored, head.raw, head.codec, head.cipher)
            if head.kind == COMMIT:
                last = head.sequence
                own = self.data[at : at + FRAME]
                chain = blake3(own[8:32] + own[40:56] + stored)[:16]
                yield Commit(last, payload, chain)
            elif head.kind == MANIFEST:
                number = Input(payload)
                self.manifest = number.u64(), number.take(32)
            elif head.kind in ENDS:
                self.ending = head.kind
            at = end
        need(until in (None, chain), f"{self.name}: ends before the next file's chain")
        if until is None:
            self.check_tail(at, last)

    def check_tail(self, at, last):
        """Is what follows the last valid frame a torn tail, or was it durable once?"""
        used = len(self.data.rstrip(b"\0"))
        need(not (self.ending and used > at), f"{self.name}: something behind the end")
        for place in range(at, used, 8):
            head = self.head_at(place)
            if head and (head.acknowledged > last or head.kind in ENDS):
                raise Damaged(f"{self.name}: what was acknowledged at {at} is lost")


def read_journal(root, archive, manifest):
    """The commits behind the manifest, in order."""
    found = numbered(root / "journal", "log") if (root / "journal").is_dir() else {}
    for number in {manifest.journal_from, manifest.journal_to} - found.keys():
        raise Damaged(f"journal file {number} is missing")
    files = [JournalFile(path, archive, n) for n, path in found.items() if n >= manifest.journal_from]
    commits, chain = [], files[0].chain
    for file, following in zip(files, [*files[1:], None]):
        need(file.chain == chain, f"{file.name}: does not go on behind the file before")
        for commit in file.commits(chain, following.chain if following else None):
            commits.append(commit)
            chain = commit.chain
    need(files[-1].ending != GOES_ON, f"the journal file behind {files[-1].name} is missing")
    check_manifest(manifest, max(file.manifest for file in files))
    last = commits[-1].sequence if commits else files[-1].last
    need(last >= manifest.sequence, f"{files[-1].name}: ends before the manifest's last commit")
    if is_locked(root):
        commits = [one for one in commits if one.sequence <= files[-1].acknowledged]
    return [commit for commit in commits if commit.sequence > manifest.sequence]


def check_manifest(manifest, recorded):
    number, hash = recorded
    is_it = (manifest.number, manifest.hash) == (number, hash)
    is_next = (manifest.number, manifest.previous) == (number + 1, hash)
    need(is_it or is_next, f"manifest {manifest.number}, but the journal knows {number}")


def is_locked(root):
    """Does a writer hold the archive? Then only what is proved to be durable is shown."""
    try:
        with open(root / "LOCK", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
