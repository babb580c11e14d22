#!/usr/bin/env python3
"""Prints what the demo found, and whether its proofs hold (exit code 1: one does not).

usage: report.py DIRECTORY MEMORY
DIRECTORY holds what demo.sh collected, MEMORY is the memory service's program.
"""
import datetime
import json
import subprocess
import sys
from pathlib import Path

MIB = 1024 * 1024


def table(rows):
    """Aligned columns under a header; the first two are text, the others figures."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths)))
        print("  " + "  ".join(cells).rstrip())


def seconds(value):
    return f"{value:.2f} s"


def mib(value):
    return f"{value / MIB:.1f}" if value else "-"


def largest_gap(writes, begin, end):
    """The longest time between two acknowledged writes of which at least one lies between begin and end, in s."""
    return max(
        (later - earlier for earlier, later in zip(writes, writes[1:]) if later >= begin and earlier <= end), default=0
    )


def largest_pause(lines, begin, end):
    """The longest pause, in s, in those of the memory service's log lines that were written between begin and end."""
    return max((int(words[6]) / 1000 for words in lines if begin <= log_time(words[0]) < end), default=0)


def log_time(stamp):
    """Seconds since the epoch; the engine writes 2026-11-21T06:43:34.123456789Z, Python reads six digits."""
    return datetime.datetime.fromisoformat(stamp[:26].rstrip("Z") + "+00:00").timestamp()


def main(directory, memory_program):
    directory = Path(directory)
    writes = [float(line.split()[1]) for line in (directory / "writes").read_text().splitlines()]
    log = [line.split() for line in (directory / "memory.log").read_text().splitlines()]
    reports = []
    for path in sorted(directory.glob("*.json"), key=lambda path: path.with_suffix(".times").read_text()):
        begin, end = map(float, path.with_suffix(".times").read_text().split())
        report = json.loads(path.read_text())
        if report["service"] == "redis":
            seen = largest_gap(writes, begin, end)
        else:  # its next line tells
            seen = largest_pause(log, begin, end + 3)
        reports.append((report, seen))

    print("\nMigrations over a link of 1 Gbit/s. Downtime as seen from outside (by the client of Redis, by the memory service's own clock)")
    print("and as Pagurus reports it; what moved, and what went over the link, in MiB\n")
    header = ["service", "from -> to", "strategy", "seen", "reported", "total time", "memory", "files", "image", "sent"]
    table([header] + [
        [
            report["service"],
            f"{report['source']} -> {report['destination']}",
            report["strategy"],
            seconds(seen),
            seconds(report["downtime_ms"] / 1000),
            seconds(report["total_ms"] / 1000),
            mib(report["bytes_memory"]),
            mib(report["bytes_files"]),
            mib(report["bytes_images"]),
            mib(report["bytes_sent"]),
        ]
        for report, seen in reports
    ])

    print("\nPhases in ms: from freeze to restore the service stands still; dump and send overlap\n")
    names = max((list(report["phases"]) for report, _ in reports), key=len)
    table([["service", "from -> to"] + names] + [
        [report["service"], f"{report['source']} -> {report['destination']}"]
        + [str(report["phases"].get(name, "-")) for name in names]
        for report, _ in reports
    ])

    print("\nProofs\n")
    filled = (directory / "blocks").read_text().strip()
    _, _, _, run_before = (directory / "before").read_text().split()
    acknowledged, missing, blocks, run_after = (directory / "after").read_text().split()
    step, digest = log[-1][2], log[-1][4]
    expected = subprocess.run([memory_program, "--expect", step], check=True, capture_output=True, text=True).stdout.strip()
    numbers = [int(words[2]) for words in log]
    proofs = [
        (missing == "0" and acknowledged != "0", "redis", f"{acknowledged} writes acknowledged and read back, {missing} missing"),
        (blocks == filled, "redis", f"digest of its other values as before, {blocks[:16]}"),
        (run_before == run_after, "redis", f"the same process, run id {run_after[:16]}"),
        (digest == expected, "memory", f"digest after {step} steps as computed elsewhere, {digest}"),
        (numbers == list(range(50, 50 * len(numbers) + 1, 50)), "memory", f"its log goes on, {len(numbers)} lines, none lost or doubled"),
        (all(report["outcome"] == "completed" for report, _ in reports), "both", f"{len(reports)} migrations completed"),
    ]
    for holds, service, words in proofs:
        print(f"  {'ok    ' if holds else 'FAILED'}  {service:6}  {words}")
    print()
    return 0 if all(holds for holds, _, _ in proofs) else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
