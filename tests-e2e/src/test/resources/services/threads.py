# Three threads (COUNTING) count, each for itself and all into one sum under a lock; a queue hands every count to one more, which
# must see each one once and in order.
import os, queue, threading, time

COUNTING = int(os.environ.get("COUNTING", "3"))
secret = os.urandom(8).hex()
lock = threading.Lock()
numbers = queue.Queue(maxsize=10)
counts, seen, out_of_order, total = [0] * COUNTING, [0] * COUNTING, 0, 0


def count(own):
    global total
    while True:
        with lock:
            counts[own] += 1
            total += 1
        numbers.put((own, counts[own]))
        time.sleep(0.002)


def watch():
    global out_of_order
    while True:
        own, number = numbers.get()
        out_of_order += number != seen[own] + 1
        seen[own] = number


for own in range(COUNTING):
    threading.Thread(target=count, args=[own]).start()
threading.Thread(target=watch).start()
while True:
    with lock:
        ids = "/".join(sorted(os.listdir("/proc/self/task"), key=int))
        print(secret, ids, sum(counts) - total, out_of_order, *counts, *seen, flush=True)
    time.sleep(0.05)
