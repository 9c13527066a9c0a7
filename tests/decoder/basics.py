"""Numbers, texts, checksums and frames: FORMAT.md, sections "Notation" and "Frame"."""

import ctypes
import ctypes.util
import struct
import zlib

MOST = 256 << 20


class Damaged(Exception):
    """A file is not what FORMAT.md says it is."""


class Unsupported(Exception):
    """A newer program wrote this."""


def need(condition, what):
    if not condition:
        raise Damaged(what)


class Input:
    """Bytes that are taken one field after the other."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        need(0 <= count <= self.left(), f"{count} bytes at {self.at}, but there are {self.left()}")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self):
        return self.take(1)[0]

    def u32(self):
        return struct.unpack("<I", self.take(4))[0]

    def u64(self):
        return struct.unpack("<Q", self.take(8))[0]

    def v(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                need(value < 1 << 64, "a varint of more than 64 bits")
                return value
        raise Damaged("a varint of more than ten bytes")

    def z(self):
        return zigzag(self.v())

    def block(self):
        return self.take(self.v())

    def text(self):
        return as_text(self.block())

    def list(self, item):
        count = self.v()
        need(count <= self.left(), f"a list of {count}, but there are {self.left()} bytes")
        return [item() for _ in range(count)]

    def bounds(self):
        low = self.z()
        return low, low + self.v()

    def rising(self):
        return running(self.list(self.v))

    def numbers(self, count):
        mode = self.byte()
        if mode == 0:
            return [self.v()] * count
        need(mode <= 2, f"numbers of kind {mode}")
        data = Input(self.block())
        numbers = [data.byte() if mode == 1 else data.v() for _ in range(count)]
        data.end()
        return numbers

    def signed(self, count):
        return [zigzag(number) for number in self.numbers(count)]

    def left_over(self):
        return self.take(self.left())

    def end(self):
        need(self.left() == 0, f"{self.left()} bytes behind the last field")


def zigzag(value):
    return (value >> 1) ^ -(value & 1)


def running(differences):
    """The numbers whose differences these are, from zero."""
    total, numbers = 0, []
    for difference in differences:
        total += difference
        numbers.append(total)
    return numbers


def as_text(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Damaged(f"text that is not UTF-8: {error}") from error


def library():
    for name in ["libzstd.so.1", ctypes.util.find_library("zstd")]:
        try:
            found = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if found:
            found.ZSTD_createDCtx.restype = ctypes.c_void_p
            decompress = found.ZSTD_decompress_usingDict
            decompress.restype = ctypes.c_size_t
            decompress.argtypes = [
                ctypes.c_void_p,
                ctypes.c_char_p,
                ctypes.c_size_t,
                ctypes.c_char_p,
                ctypes.c_size_t,
                ctypes.c_char_p,
                ctypes.c_size_t,
            ]
            return found
    raise SystemExit("libzstd.so.1 is needed: apt-get install libzstd1")


ZSTD = library()
CONTEXT = ZSTD.ZSTD_createDCtx()


def unzstd(data, raw, dictionary=b""):
    need(raw <= MOST, f"{raw} bytes once decoded")
    out = ctypes.create_string_buffer(raw + 1)
    size = ZSTD.ZSTD_decompress_usingDict(
        CONTEXT, out, raw + 1, bytes(data), len(data), bytes(dictionary), len(dictionary)
    )
    need(size == raw, f"zstd gives {size} bytes and not {raw}")
    return out.raw[:raw]


def crc(*parts):
    total = 0
    for part in parts:
        total = zlib.crc32(part, total)
    return total


def decoded(stored, raw, codec, cipher, dictionary=b""):
    if codec > 2 or cipher != 0:
        raise Unsupported(f"codec {codec}, cipher {cipher}")
    if codec == 0:
        need(len(stored) == raw, "a frame of another size than it says")
        return stored
    return unzstd(stored, raw, dictionary if codec == 2 else b"")


class Frame:
    """One frame, and where the next begins."""

    def __init__(self, data, offset, dictionary=b""):
        head = Input(data[offset : offset + 16])
        stored, raw = head.u32(), head.u32()
        self.kind, self.codec, cipher, reserved = (head.byte() for _ in range(4))
        need(stored <= MOST and raw <= MOST and reserved == 0, f"a frame's header at {offset}")
        self.stored = data[offset + 16 : offset + 16 + stored]
        self.end = offset + 16 + stored
        need(len(self.stored) == stored, f"a frame at {offset} is cut short")
        need(head.u32() == crc(data[offset : offset + 12], self.stored), f"checksum at {offset}")
        self.payload = decoded(self.stored, raw, self.codec, cipher, dictionary)

    def of(self, kind):
        need(self.kind == kind, f"a frame of kind {self.kind} and not {kind}")
        return Input(self.payload)


def time_text(ticks, digits):
    """Ticks since 1970 in UTC; `digits` behind the second, or as few as it takes if None."""
    seconds, fraction = divmod(ticks, 10_000_000)
    days, second = divmod(seconds, 86_400)
    year, month, day = civil(days)
    fraction = f"{fraction:07}"
    fraction = fraction.rstrip("0") if digits is None else fraction[:digits]
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{year:04}-{month:02}-{day:02}T{clock}{'.' if fraction else ''}{fraction}Z"


def civil(days):
    """The date so many days behind 1970-01-01, in the proleptic Gregorian calendar."""
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += era * 400
    return (year, month + 3, day + 1) if month < 10 else (year + 1, month - 9, day + 1)
