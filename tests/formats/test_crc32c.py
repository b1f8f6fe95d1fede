"""CRC-32C against a register that reads bit by bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.formats import crc32c as module
from anncestry.formats.crc32c import crc32c, mask


def bit_by_bit(data):
    register = 0xFFFFFFFF
    for octet in data:
        register ^= octet
        for _ in range(8):
            register = (register >> 1) ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [  # RFC 3720, appendix B.4, but the first two
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
    ],
)
def test_published_values(data, expected):
    assert crc32c(data) == expected


@given(st.binary(max_size=300))
def test_any_bytes(data):
    assert crc32c(data) == crc32c(np.frombuffer(data, np.uint8)) == bit_by_bit(data)


@settings(max_examples=20)
@given(st.integers(1, 9), st.binary(min_size=30, max_size=200))
def test_where_the_chunks_end_does_not_matter(chunk, data):
    whole = module._CHUNK
    try:
        module._CHUNK = chunk
        assert crc32c(data) == bit_by_bit(data)
    finally:
        module._CHUNK = whole


@given(st.integers(0, 2**32 - 1))
def test_a_mask_can_be_taken_off(checksum):
    turned = (mask(checksum) - 0xA282EAD8) & 0xFFFFFFFF
    assert ((turned >> 17) | (turned << 15)) & 0xFFFFFFFF == checksum
