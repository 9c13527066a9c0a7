"""Binary objects: FORMAT.md, section "Pack"."""

from basics import Frame, Input, Unsupported, crc, need
from blake3 import blake3

CHUNK, OBJECT, DIRECTORY = 1, 2, 3
CHUNK_BYTES = 262_144


def read_pack(data, archive, number):
    """Its objects by their addresses, and the pack's hash."""
    head = Input(data[:48])
    need(head.take(8) == b"CVOBJPK1", "magic")
    required, _optional, version = head.u32(), head.u32(), head.u32()
    need(head.take(16) == archive and head.u64() == number, "another archive or number")
    need(head.u32() == crc(data[:44]), "checksum of the header")
    if required or version != 1:
        raise Unsupported(f"pack of version {version} that requires {required:#x}")
    trailer = Input(data[-60:])
    offset, size, total, magic = trailer.u64(), trailer.u64(), trailer.take(32), trailer.take(8)
    need(magic == b"CVOBJEND" and trailer.u32() == crc(data[-60:-4], data[:44]), "trailer")
    frame = Frame(data, offset)
    need(frame.end == offset + size == len(data) - 60, "place of the directory")
    directory = frame.of(DIRECTORY)
    need(blake3(directory.data) == total, "hash of the directory")
    entries = sorted(read_entries(data, offset))
    need(directory.data == b"".join(data for _, data, _ in entries), "the directory's entries")
    return {address: content for address, _, content in entries}, total


def read_entries(data, end):
    """Objects in the order of the file: address, entry, bytes."""
    at, chunks = 48, []
    while at < end:
        frame = Frame(data, at)
        if frame.kind == CHUNK:
            chunks.append((at, frame.payload))
        else:
            entry = frame.of(OBJECT)
            address, size, first = entry.take(32), entry.u64(), entry.u64()
            own = [payload for offset, payload in chunks if offset >= first]
            need(first == at or any(offset == first for offset, _ in chunks), "the first chunk")
            content = b"".join(own)
            need(len(content) == size and blake3(content) == address, "an object's bytes")
            need(all(len(one) == CHUNK_BYTES for one in own[:-1]), "a chunk's length")
            yield address, frame.payload, content
            chunks = []
        at = frame.end
    need(at == end, "the frames do not fill their place")
