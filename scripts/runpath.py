#!/usr/bin/env python3
"""Sets where a program or library looks for its libraries (ELF's DT_RUNPATH), in place. Usage: scripts/runpath.py FILE PATH

The build writes the toolchain's own folder there, which another machine lacks. The new text may not be longer than the old one; what has
none is left alone.
"""

import pathlib
import struct
import sys

DT_STRTAB, DT_RPATH, DT_RUNPATH = 5, 15, 29
PT_LOAD, PT_DYNAMIC = 1, 2


def main() -> None:
    file, wanted = pathlib.Path(sys.argv[1]), sys.argv[2].encode()
    content = bytearray(file.read_bytes())
    if content[:6] != b"\x7fELF\x02\x01":
        sys.exit(f"{file} is no 64-bit little-endian ELF file.")
    offset, = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    segments = [struct.unpack_from("<IIQQQQQQ", content, offset + index * size) for index in range(count)]
    [dynamic] = [segment for segment in segments if segment[0] == PT_DYNAMIC]
    entries = [struct.unpack_from("<QQ", content, dynamic[2] + at) for at in range(0, dynamic[5], 16)]
    address = next(value for tag, value in entries if tag == DT_STRTAB)
    load = next(segment for segment in segments if segment[0] == PT_LOAD and segment[3] <= address < segment[3] + segment[5])
    table = address - load[3] + load[2]
    for tag, value in entries:
        if tag in (DT_RPATH, DT_RUNPATH):
            start = table + value
            end = content.index(0, start)
            if len(wanted) > end - start:
                sys.exit(f"{file}: '{wanted.decode()}' is longer than '{content[start:end].decode()}'.")
            content[start:end] = wanted.ljust(end - start, b"\0")
            file.write_bytes(content)


if __name__ == "__main__":
    main()
