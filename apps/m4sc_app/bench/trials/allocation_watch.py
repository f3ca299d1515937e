"""The largest single piece of memory that a process asked the C library for.

A library that is loaded before all others counts what `malloc` and its kin are asked for: NumPy, Pillow,
FFmpeg and the codecs take their memory there. It is compiled when it is needed, by any C compiler.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

_SOURCE = r"""
#include <errno.h>
#include <stddef.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
static size_t largest;
static void note(size_t size) {
    size_t seen = __atomic_load_n(&largest, __ATOMIC_RELAXED);
    while (size > seen)
        if (__atomic_compare_exchange_n(&largest, &seen, size, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) break;
}
size_t m4sc_largest_allocation(void) { return __atomic_exchange_n(&largest, 0, __ATOMIC_RELAXED); }
void *malloc(size_t size) { note(size); return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { note(n * size); return __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { note(size); return __libc_realloc(p, size); }
void *memalign(size_t align, size_t size) { note(size); return __libc_memalign(align, size); }
void *aligned_alloc(size_t align, size_t size) { note(size); return __libc_memalign(align, size); }
int posix_memalign(void **out, size_t align, size_t size) {
    note(size);
    void *got = __libc_memalign(align, size);
    if (!got && size) return ENOMEM;
    *out = got;
    return 0;
}
"""


def build_watch(folder: Path) -> Path | None:
    """The library, compiled into a folder; None where there is no C compiler or no GNU C library."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    library, source = folder / "allocation_watch.so", folder / "allocation_watch.c"
    source.write_text(_SOURCE, encoding="utf-8")
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
    made = subprocess.run(command, capture_output=True, check=False)
    return library if made.returncode == 0 else None


def preloaded(library: Path | None) -> dict[str, str]:
    """This environment with the library before all others."""
    return {**os.environ, **({"LD_PRELOAD": str(library)} if library else {})}


def largest_allocation() -> int | None:
    """Bytes of the largest piece asked for since the last call; None in a process without the library."""
    try:
        read = ctypes.CDLL(None).m4sc_largest_allocation
    except AttributeError:
        return None
    read.restype = ctypes.c_size_t
    return int(read())
