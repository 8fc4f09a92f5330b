"""The bytes of a delivered text file: read, unzipped as far as they go, as clean UTF-8 lines.

What the lines mean belongs to the readers.
"""

import zlib
from dataclasses import dataclass

from leak_assets.telemetry.readers.problems import Problem, whole_file

_GZIP_MAGIC = b"\x1f\x8b"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Text:
    """Content of a text file: UTF-8, line ends without carriage return, no byte order mark."""

    data: bytes
    is_gzip: bool
    # A gzip stream that ended early; what came before is complete up to its last line end.
    is_truncated: bool = False


def read_text(raw: bytes) -> Text | Problem:
    """Return the text of a plain or gzipped file (told by its content, not its name).

    Bytes that are not UTF-8 become their hexadecimal escape, so that the value they stand in is
    found and told while the rest of the line stays usable. A truncated gzip gives what it holds;
    a corrupt one gives nothing, because its check sum is the only witness of right values.
    """
    is_gzip = raw.startswith(_GZIP_MAGIC)
    data, is_truncated = raw, False
    if is_gzip:
        try:
            data, is_truncated = _unzip(raw)
        except zlib.error as error:
            return whole_file(
                "corrupt_gzip",
                f"the gzip stream is damaged (`{error}`), so no value can be trusted",
                "Copy the file again from its source",
            )
    if data.startswith(_UTF16_MARKS):
        return whole_file("not_utf8", "the file is UTF-16, not UTF-8", "Export it as UTF-8", row=1)
    data = data.removeprefix(_UTF8_MARK)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    if not data.isascii():
        data = data.decode("utf-8", "backslashreplace").encode()
    return Text(data, is_gzip, is_truncated)


def _unzip(raw: bytes) -> tuple[bytes, bool]:
    parts, rest = [], raw
    while rest.startswith(_GZIP_MAGIC):
        stream = zlib.decompressobj(wbits=31)  # 31: gzip header and check sum
        parts.append(stream.decompress(rest))
        if not stream.eof:
            return b"".join(parts), True
        rest = stream.unused_data
    return b"".join(parts), False
