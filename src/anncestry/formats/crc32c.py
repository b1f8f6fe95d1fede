"""CRC-32C (Castagnoli) in NumPy, many words at once.

The register is linear over bits. Reading a word w turns it from r into Z4(r ^ w), where Zn is what n zero
bytes do to it. So two neighbouring stretches fold into one, Zn(left) ^ right, n being the bytes of the right.
Each fold halves the words, and the interpreter does one step for a halving in place of one for every byte.
"""

from functools import cache

import numpy as np

_POLYNOMIAL = 0x82F63B78  # RFC 3720, appendix B.4, lowest power first
_CHUNK = 1 << 16  # words; what they need at once stays in the processor's cache


def crc32c(data: bytes | bytearray | memoryview | np.ndarray) -> int:
    """The checksum of contiguous bytes, 0 for none."""
    octets = np.frombuffer(data, np.uint8) if len(data) else np.empty(0, np.uint8)
    words = octets[: octets.size // 4 * 4].view("<u4")
    register = 0xFFFFFFFF
    for start in range(0, words.size, _CHUNK):
        chunk = words[start : start + _CHUNK].astype(np.uint32)
        chunk[0] ^= register
        register = _fold(chunk)
    for octet in octets[4 * words.size :].tolist():
        register = int(_zeros(0)[0, (register ^ octet) & 255]) ^ (register >> 8)
    return register ^ 0xFFFFFFFF


def mask(checksum: int) -> int:
    """A checksum as files hold it: rotated and shifted, since checksums of checksums are weak."""
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _fold(words: np.ndarray) -> int:
    """The register after one or more words, begun at 0."""
    power = 2
    while words.size > 1:
        if words.size % 2:  # leading zeros leave a register of 0 alone
            words = np.concatenate([np.zeros(1, np.uint32), words])
        words = _through(_zeros(power), words[0::2]) ^ words[1::2]
        power += 1
    return int(_through(_zeros(2), words)[0])


@cache
def _zeros(power: int) -> np.ndarray:
    """What 2 ** power zero bytes do to a register, by the value of each of its bytes: (4, 256)."""
    if power:
        half = _zeros(power - 1)
        return _through(half, half)
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ (_POLYNOMIAL * (table & 1)).astype(np.uint32)
    octet = np.arange(256, dtype=np.uint32)
    return np.stack([table, octet, octet << 8, octet << 16])


def _through(table: np.ndarray, registers: np.ndarray) -> np.ndarray:
    """A linear map of registers, given by what it does to each byte of one."""
    result = table[0].take(registers & 255)
    for index in (1, 2, 3):
        result ^= table[index].take((registers >> (8 * index)) & 255)
    return result
