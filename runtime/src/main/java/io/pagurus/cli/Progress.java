package io.pagurus.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;

/** Shows how a migration goes on: one line that redraws itself on a terminal, else plain lines. */
final class Progress {
  private static final int BAR = 24;

  /** What is left of 80 columns. */
  private static final int MESSAGE = 66;

  /** Weight of the newest rate in the shown one: calm, yet honest within a second or two. */
  private static final double NEWEST = 0.3;

  private static final Duration PLAIN_INTERVAL = Duration.ofSeconds(5);

  private final PrintWriter out;
  private final boolean terminal;
  private final Rate rate = new Rate();
  private String state = "";
  private long lastPlain;
  private boolean lineOpen;

  Progress(PrintWriter out, boolean terminal) {
    this.out = out;
    this.terminal = terminal;
  }

  /** On stderr, which is a terminal when its file is one: the JDK can only tell for stdin. */
  static Progress on(PrintWriter err) {
    try {
      String target = Files.readSymbolicLink(Path.of("/proc/self/fd/2")).toString();
      return new Progress(
          err, target.matches("/dev/(pts/.*|tty.*|console)") && !target.endsWith("ptmx"));
    } catch (IOException | UnsupportedOperationException e) {
      return new Progress(err, false);
    }
  }

  synchronized void show(Node status) {
    long now = System.nanoTime();
    rate.update(status.number("bytes_done"), now);
    if (terminal) {
      out.print("\r\033[K" + bar(status));
      out.flush();
      lineOpen = true;
    } else if (isWorthALine(status, now)) {
      out.println(plain(status));
      out.flush();
      lastPlain = now;
    }
    state = Statuses.state(status);
  }

  private boolean isWorthALine(Node status, long now) {
    if (status.has("outcome")) {
      // How it failed is the command's last word, and need not be said twice.
      return status.text("outcome").equals("completed");
    }
    return !Statuses.state(status).equals(state) || now - lastPlain > PLAIN_INTERVAL.toNanos();
  }

  /** Says something that stays. */
  synchronized void note(String sentence) {
    end();
    out.println(sentence);
    out.flush();
  }

  synchronized void end() {
    if (lineOpen) {
      out.println();
      out.flush();
      lineOpen = false;
    }
  }

  private String bar(Node status) {
    long done = status.number("bytes_done");
    long total = Math.max(done, status.number("bytes_total"));
    String word = Statuses.state(status);
    if (total == 0) {
      String message = status.text("message");
      return "%-11s %s".formatted(word, message.substring(0, Math.min(MESSAGE, message.length())));
    }
    double share = (double) done / total;
    int full = (int) Math.round(share * BAR);
    String eta =
        status.has("outcome") || rate.bytesPerSecond <= 0 || done >= total
            ? ""
            : "  ETA %d s".formatted(Math.round((total - done) / rate.bytesPerSecond));
    return String.format(
        Locale.ROOT,
        "%-11s [%s%s] %3.0f %%  %s of %s  %s/s%s",
        word,
        "#".repeat(full),
        ".".repeat(BAR - full),
        share * 100,
        Units.bytes(done),
        Units.bytes(total),
        Units.bytes(Math.round(rate.bytesPerSecond)),
        eta);
  }

  private static String plain(Node status) {
    return "%s: %s of %s%s"
        .formatted(
            Statuses.state(status),
            Units.bytes(status.number("bytes_done")),
            Units.bytes(Math.max(status.number("bytes_done"), status.number("bytes_total"))),
            status.has("message") ? "; " + status.text("message") : "");
  }

  private static final class Rate {
    private double bytesPerSecond;
    private long lastBytes;
    private long lastNanos;

    void update(long bytes, long nanos) {
      // Statuses may come in bursts, which say nothing about speed.
      if (lastNanos == 0) {
        lastNanos = nanos;
        lastBytes = bytes;
      } else if (nanos - lastNanos > 50_000_000L) {
        double newest = Math.max(0, (bytes - lastBytes) * 1e9 / (nanos - lastNanos));
        bytesPerSecond =
            bytesPerSecond == 0 ? newest : NEWEST * newest + (1 - NEWEST) * bytesPerSecond;
        lastNanos = nanos;
        lastBytes = bytes;
      }
    }
  }
}
