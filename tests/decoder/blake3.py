"""BLAKE3 in plain Python: github.com/BLAKE3-team/BLAKE3-specs, hash mode only.

Chunks are hashed side by side, each in a lane of 64 bits of the same large numbers, and so are parents.
"""

import struct

IV = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
    0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
START, END, PARENT, ROOT = 1, 2, 4, 8
MASK = 0xFFFFFFFF
CHUNK, BLOCK, WORDS = 1024, 64, 16
MOST_LANES = 512


def schedules():
    """The order of a block's words in each of the seven rounds."""
    order = tuple(range(WORDS))
    for _ in range(7):
        yield order
        order = tuple(order[at] for at in ORDER)


ROUNDS = tuple(schedules())
MIXES = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip


def joined(numbers):
    """One large number with a lane for each."""
    return int.from_bytes(struct.pack(f"<{len(numbers)}Q", *numbers), "little")


def compress(chain, block, counter, length, flags, ones):
    """Chaining values behind a block; `ones` has a 1 in each lane, and all lanes have the same flags."""
    mask = ones * MASK
    state = [*chain, *(ones * word for word in IV[:4]), counter, 0, ones * length, ones * flags]
    for order in ROUNDS:
        for pair, (a, b, c, d) in enumerate(MIXES):
            va, vb, vc, vd = state[a], state[b], state[c], state[d]
            va = (va + vb + block[order[2 * pair]]) & mask
            vd ^= va
            vd = (vd >> 16 | vd << 16) & mask
            vc = (vc + vd) & mask
            vb ^= vc
            vb = (vb >> 12 | vb << 20) & mask
            va = (va + vb + block[order[2 * pair + 1]]) & mask
            vd ^= va
            vd = (vd >> 8 | vd << 24) & mask
            vc = (vc + vd) & mask
            vb ^= vc
            vb = (vb >> 7 | vb << 25) & mask
            state[a], state[b], state[c], state[d] = va, vb, vc, vd
    return [state[at] ^ state[at + 8] for at in range(8)]


def hash_chunks(data, first, flags):
    """The chaining values of chunks of the same length, by their words; `first` is the number of the first."""
    count = -(-len(data) // CHUNK) or 1
    ones = joined([1] * count)
    size = len(data) if count == 1 else CHUNK
    padded = data.ljust(max(-(-size // BLOCK), 1) * BLOCK * count, b"\0")
    words = struct.unpack(f"<{len(padded) // 4}I", padded)
    step, counter = len(words) // count, joined(range(first, first + count))
    chain = [ones * word for word in IV]
    for at in range(0, step, WORDS):
        block = [joined(words[at + word :: step]) for word in range(WORDS)]
        own = (START if at == 0 else 0) | (END | flags if at + WORDS == step else 0)
        chain = compress(chain, block, counter, min(size - 4 * at, BLOCK), own, ones)
    return split(chain, count)


def split(chain, count):
    """Tuples of eight words, one for each lane."""
    return list(zip(*(struct.unpack(f"<{count}Q", words.to_bytes(8 * count, "little")) for words in chain)))


def hash_parents(chains, flags):
    """Each two of them become one; one that is left stays."""
    pairs, left = len(chains) // 2, chains[len(chains) & ~1 :]
    words = [left + right for left, right in zip(chains[::2], chains[1::2])]
    ones, block = joined([1] * pairs), [joined(lanes) for lanes in zip(*words)]
    chain = [ones * word for word in IV]
    return split(compress(chain, block, 0, BLOCK, PARENT | flags, ones), pairs) + left


def blake3(data):
    data = bytes(data)
    chunks = -(-len(data) // CHUNK) or 1
    # The last chunk may be shorter than the others.
    end = (chunks - 1) * CHUNK
    chains = []
    for at in range(0, end, MOST_LANES * CHUNK):
        chains += hash_chunks(data[at : min(at + MOST_LANES * CHUNK, end)], at // CHUNK, 0)
    chains += hash_chunks(data[end:], chunks - 1, ROOT if chunks == 1 else 0)
    while len(chains) > 1:
        chains = hash_parents(chains, ROOT if len(chains) == 2 else 0)
    return struct.pack("<8I", *chains[0])
