"""Writes the film of the tests: eight seconds, eight pictures, each of one grey. Usage: film.py FILE

A whole MP4 with H.264 as any player takes it, made here byte by byte: each picture is one macroblock whose samples
stand there as they are (I_PCM), so nothing is encoded and any second can be jumped to.
"""

import pathlib
import struct
import sys

SECONDS, SIDE, TICKS = 8, 16, 1000
UNITY = struct.pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


class Bits:
    def __init__(self):
        self.text = ""

    def put(self, value, width):
        self.text += format(value, f"0{width}b")
        return self

    def code(self, value):
        """Exp-Golomb, as most numbers of H.264 are."""
        width = (value + 1).bit_length()
        return self.put(value + 1, 2 * width - 1)

    def aligned(self, bit="0"):
        self.text += bit if bit == "1" else ""
        self.text += "0" * (-len(self.text) % 8)
        return bytes(int(self.text[at : at + 8], 2) for at in range(0, len(self.text), 8))


def unit(head, payload):
    """A network unit; two zeros and a small byte would look like the start of the next one."""
    out, zeros = bytearray([head]), 0
    for byte in payload:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def sequence():
    bits = Bits().put(66, 8).put(0xC0, 8).put(10, 8)
    for number in (0, 0, 2, 1):  # id, frame numbers of 4 bits, order of decoding, reference frames
        bits.code(number)
    bits.put(0, 1).code(SIDE // 16 - 1).code(SIDE // 16 - 1).put(0b1100, 4)
    return unit(0x67, bits.aligned("1"))


def picture_set():
    bits = Bits().code(0).code(0).put(0, 2).code(0).code(0).code(0).put(0, 3)
    return unit(0x68, bits.code(0).code(0).code(0).put(0, 3).aligned("1"))


def picture(number):
    bits = Bits().code(0).code(7).code(0).put(0, 4).code(number % 2).put(0, 2).code(0).code(25)
    grey = 32 + 24 * number
    samples = bytes([grey] * SIDE * SIDE + [128] * (SIDE * SIDE // 2))
    slice_ = unit(0x65, bits.aligned() + samples + b"\x80")
    return struct.pack(">I", len(slice_)) + slice_


def box(name, *parts):
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + name + body


def full(name, *parts, flags=0):
    return box(name, struct.pack(">I", flags), *parts)


def film():
    pictures = [picture(number) for number in range(SECONDS)]
    length = SECONDS * TICKS
    first, second = sequence(), picture_set()
    numbers = lambda *all_: struct.pack(f">{len(all_)}I", *all_)
    config = box(
        b"avcC", bytes([1, 66, 0xC0, 10, 0xFF, 0xE1]), struct.pack(">H", len(first)), first, b"\x01",
        struct.pack(">H", len(second)), second,
    )
    entry = box(
        b"avc1", bytes(6), struct.pack(">H", 1), bytes(16), struct.pack(">HH", SIDE, SIDE),
        numbers(72 << 16, 72 << 16, 0), struct.pack(">H", 1), bytes(32), struct.pack(">Hh", 24, -1), config,
    )
    start = box(b"ftyp", b"isom", numbers(512), b"isomiso2avc1mp41")

    def head(offset):
        table = box(
            b"stbl", full(b"stsd", numbers(1), entry), full(b"stts", numbers(1, SECONDS, TICKS)),
            full(b"stsc", numbers(1, 1, SECONDS, 1)), full(b"stsz", numbers(0, SECONDS, *map(len, pictures))),
            full(b"stco", numbers(1, offset)),
        )
        here = box(b"dinf", full(b"dref", numbers(1), full(b"url ", flags=1)))
        media = box(
            b"mdia", full(b"mdhd", numbers(0, 0, TICKS, length), struct.pack(">HH", 0x55C4, 0)),
            full(b"hdlr", numbers(0), b"vide", bytes(12), b"film\0"),
            box(b"minf", full(b"vmhd", bytes(8), flags=1), here, table),
        )
        track = box(
            b"trak",
            full(b"tkhd", numbers(0, 0, 1, 0, length), bytes(16), UNITY, numbers(SIDE << 16, SIDE << 16), flags=3),
            media,
        )
        movie = full(
            b"mvhd", numbers(0, 0, TICKS, length, 1 << 16), struct.pack(">H", 1 << 8), bytes(10), UNITY, bytes(24),
            numbers(2),
        )
        return box(b"moov", movie, track)

    offset = len(start) + len(head(0)) + 8
    return start + head(offset) + box(b"mdat", *pictures)


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).write_bytes(film())
