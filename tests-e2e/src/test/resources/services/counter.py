# Counts in memory only, and says so every 20 ms.
import itertools, os, time

secret = os.urandom(8).hex()
for number in itertools.count(1):
    print(secret, number, flush=True)
    time.sleep(0.02)
