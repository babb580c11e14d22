# Counts like counter.py, beside 288 MiB of memory that does not compress and of which it rewrites a little all the time.
import itertools, os, time

secret = os.urandom(8).hex()
pages = bytearray(os.urandom(288 << 20))
for number in itertools.count(1):
    place = number * 7919 % (288 << 8) * 4096
    pages[place : place + 8] = number.to_bytes(8, "big")
    print(secret, number, flush=True)
    time.sleep(0.02)
