"""The bytes of a delivered text file: read, unzipped as far as they go, as clean UTF-8 lines.

What the lines mean belongs to the readers.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

from leak_assets.telemetry.readers.limits import (
    MOST_BYTES,
    MOST_LINES,
    too_large,
    too_many_bytes,
    too_many_lines,
)
from leak_assets.telemetry.readers.problems import Problem, whole_file

_GZIP_MAGIC = b"\x1f\x8b"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"
_PIECE = 1 << 20
# Each member of a stream costs a copy of what follows; `bgzip` makes one for 64 KiB of text.
_MOST_MEMBERS = 20_000


@dataclass(frozen=True)
class Text:
    """Content of a text file: UTF-8, line ends without carriage return, no byte order mark."""

    data: bytes
    is_gzip: bool
    # A gzip stream that ended early; what came before is complete up to its last line end.
    is_truncated: bool = False


def read_text(raw: bytes, *, most_bytes: int = MOST_BYTES) -> Text | Problem:
    """Return the text of a plain or gzipped file (told by its content, not its name).

    Bytes that are not UTF-8 become their hexadecimal escape, so that the value they stand in is
    found and told while the rest of the line stays usable. A truncated gzip gives what it holds;
    a corrupt one gives nothing, because its check sum is the only witness of right values; one
    that is too large gives nothing either, and is not unpacked further than that.
    """
    is_gzip = raw.startswith(_GZIP_MAGIC)
    data, is_truncated = raw, False
    if is_gzip:
        try:
            unzipped = _unzip(raw, most_bytes)
        except zlib.error as error:
            return whole_file(
                "corrupt_gzip",
                f"the gzip stream is damaged (`{error}`), so no value can be trusted",
                "Copy the file again from its source",
            )
        if isinstance(unzipped, Problem):
            return unzipped
        data, is_truncated = unzipped
    elif data.count(b"\n") > MOST_LINES:
        return too_many_lines()
    if data.startswith(_UTF16_MARKS):
        return whole_file("not_utf8", "the file is UTF-16, not UTF-8", "Export it as UTF-8", row=1)
    data = data.removeprefix(_UTF8_MARK)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    if not data.isascii():
        data = data.decode("utf-8", "backslashreplace").encode()
    return Text(data, is_gzip, is_truncated)


def read_whole(path: Path) -> bytes | Problem:
    """Return the bytes of a file, unless there are too many of them.

    Raises
    ------
    OSError
        It cannot be opened or read.
    """
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES + 1)
    return too_many_bytes() if len(raw) > MOST_BYTES else raw


def _unzip(raw: bytes, most_bytes: int) -> tuple[bytes, bool] | Problem:
    """Return what a gzip stream holds, and whether it ends early; piece by piece, to a bound."""
    parts: list[bytes] = []
    size = lines = position = members = 0
    while raw.startswith(_GZIP_MAGIC, position):
        members += 1
        if members > _MOST_MEMBERS:
            return too_large(f"{_MOST_MEMBERS:,} gzip members")
        stream = zlib.decompressobj(wbits=31)  # 31: gzip header and check sum
        while not stream.eof:
            given = raw[position : position + _PIECE]
            part = stream.decompress(given, _PIECE)
            taken = len(given) - len(stream.unconsumed_tail) - len(stream.unused_data)
            if not part and not taken:
                return b"".join(parts), True
            position += taken
            parts.append(part)
            size += len(part)
            lines += part.count(b"\n")
            if size > most_bytes:
                return too_many_bytes()
            if lines > MOST_LINES:
                return too_many_lines()
    return b"".join(parts), False
