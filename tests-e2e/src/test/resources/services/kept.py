# Counts in memory and in a file on a volume, and says so every 20 ms. The file never differs from the memory: only somebody else
# could change it, or put one of them back without the other.
import itertools, os, time

run = os.urandom(4).hex()
# In memory only, and nowhere in one piece before.
secret = bytearray("-".join(["planted", "secret", "of", "kept"]).encode() * 50_000)
with open("/data/count", "w") as file:
    file.write("0")
for number in itertools.count(1):
    with open("/data/count") as file:
        found = file.read()
    if found != str(number - 1):
        print("TORN: memory", number - 1, "file", found, flush=True)
    with open("/data/count.new", "w") as file:
        file.write(str(number))
    os.replace("/data/count.new", "/data/count")
    secret[number % len(secret)] ^= 0  # Keeps it in use.
    print(run, number, flush=True)
    time.sleep(0.02)
