"""BLAKE3, plain and slow: github.com/BLAKE3-team/BLAKE3-specs, hash mode only."""

import struct

IV = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
    0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
START, END, PARENT, ROOT = 1, 2, 4, 8
MASK = 0xFFFFFFFF
WORDS = struct.Struct("<16I")
CHUNK, BLOCK = 1024, 64


def schedules():
    """The order of a block's words in each of the seven rounds."""
    order = tuple(range(16))
    for _ in range(7):
        yield order
        order = tuple(order[at] for at in ORDER)


ROUNDS = tuple(schedules())
MIXES = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip


def compress(chain, block, counter, length, flags):
    state = [*chain, *IV[:4], counter & MASK, counter >> 32, length, flags]
    for order in ROUNDS:
        for pair, (a, b, c, d) in enumerate(MIXES):
            va, vb, vc, vd = state[a], state[b], state[c], state[d]
            va = (va + vb + block[order[2 * pair]]) & MASK
            vd ^= va
            vd = (vd >> 16 | vd << 16) & MASK
            vc = (vc + vd) & MASK
            vb ^= vc
            vb = (vb >> 12 | vb << 20) & MASK
            va = (va + vb + block[order[2 * pair + 1]]) & MASK
            vd ^= va
            vd = (vd >> 8 | vd << 24) & MASK
            vc = (vc + vd) & MASK
            vb ^= vc
            vb = (vb >> 7 | vb << 25) & MASK
            state[a], state[b], state[c], state[d] = va, vb, vc, vd
    return tuple(state[at] ^ state[at + 8] for at in range(8))


def chunk(data, counter, flags):
    """The chaining value of a chunk of at most 1,024 bytes."""
    chain = IV
    blocks = range(0, max(len(data), 1), BLOCK)
    for at in blocks:
        block = data[at : at + BLOCK]
        own = (START if at == 0 else 0) | (END | flags if at == blocks[-1] else 0)
        words = WORDS.unpack(block.ljust(BLOCK, b"\0"))
        chain = compress(chain, words, counter, len(block), own)
    return chain


def tree(data, counter, flags):
    if len(data) <= CHUNK:
        return chunk(data, counter, flags)
    left = CHUNK
    while left * 2 < len(data):
        left *= 2
    parents = tree(data[:left], counter, 0) + tree(data[left:], counter + left // CHUNK, 0)
    return compress(IV, parents, 0, BLOCK, PARENT | flags)


def blake3(data):
    return struct.pack("<8I", *tree(bytes(data), 0, ROOT))
