"""A service that rewrites all its 24 MiB of memory again and again, faster than any link of a test: no round of a pre-copy is smaller
than the one before. It knows what every page must hold, and says so in each line: `step N ok`, or `step N BAD`."""
import hashlib
import itertools
import mmap
import time

SIZE = 24 << 20
# Does not compress: what a link's limit says is what travels.
noise = memoryview(hashlib.shake_128(b"noise").digest(2 * SIZE))
block = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
# Written and read in place: a copy would be memory that changes or not with what the processor is left.
memory = memoryview(block)
for step in itertools.count(1):
    at = step * 7919 % SIZE
    memory[:] = noise[at:at + SIZE]
    time.sleep(0.1)
    print("step", step, "ok" if memory == noise[at:at + SIZE] else "BAD", flush=True)
