"""The seal of a partition file: a checksum of all its bytes, kept in its own metadata.

Neither polars nor DuckDB verifies Parquet's checksums, so a flipped byte may come back as another
value. Summing up the bytes takes a hundredth of hashing the values (0.06 ms for 4 ms at 34,000
rows), so that every read can be checked.
"""

import zlib

SEAL_KEY = "leak_assets_seal"
# The sum is computed while zeros stand in its place.
_OPEN = b"crc32:00000000"
_MARK = b"crc32:"


def open_seal() -> str:
    """Return the metadata value that `seal` replaces."""
    return _OPEN.decode()


def seal(content: bytes) -> bytes:
    """Return a file's bytes with their checksum in place of the open seal.

    Raises
    ------
    ValueError
        There is no open seal.
    """
    # The last one: values come before the metadata, and the seal is the last of that.
    start = content.rfind(_OPEN)
    if start < 0:
        raise ValueError("there is no open seal in the partition file")
    closed = _MARK + f"{zlib.crc32(content):08x}".encode()
    return content[:start] + closed + content[start + len(_OPEN) :]


def is_broken(content: bytes) -> bool:
    """Whether a file's bytes are not those that were sealed; files without a seal pass."""
    start = content.rfind(_MARK)
    if start < 0:
        return False
    end = start + len(_OPEN)
    found = content[start + len(_MARK) : end]
    return f"{zlib.crc32(content[:start] + _OPEN + content[end:]):08x}".encode() != found
