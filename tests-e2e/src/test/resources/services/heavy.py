# Counts like counter.py, beside 64 MiB of memory that it looks through again and again: a lost page ends it.
import itertools, os, time

secret = os.urandom(8).hex()
pages = bytearray(os.urandom(4096) * 16384)
first = bytes(pages[:4096])
for number in itertools.count(1):
    place = number * 7919 % 16384 * 4096
    if pages[place : place + 4096] != first:
        raise SystemExit("a page was lost")
    print(secret, number, flush=True)
    time.sleep(0.02)
