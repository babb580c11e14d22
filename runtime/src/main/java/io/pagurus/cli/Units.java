package io.pagurus.cli;

import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Amounts as people write and read them. */
final class Units {
  private static final Pattern AMOUNT = Pattern.compile("(\\d+(?:\\.\\d+)?)\\s*([A-Za-z]*)");

  private static final Map<String, Long> MILLIS =
      Map.of("ms", 1L, "s", 1000L, "m", 60_000L, "h", 3_600_000L, "d", 86_400_000L);

  private static final Map<String, Double> BYTES =
      Map.ofEntries(
          Map.entry("", 1.0),
          Map.entry("B", 1.0),
          Map.entry("kB", 1e3),
          Map.entry("MB", 1e6),
          Map.entry("GB", 1e9),
          Map.entry("KiB", 0x1p10),
          Map.entry("MiB", 0x1p20),
          Map.entry("GiB", 0x1p30),
          Map.entry("kbit", 1e3 / 8),
          Map.entry("Mbit", 1e6 / 8),
          Map.entry("Gbit", 1e9 / 8));

  private static final Duration MAX_DURATION = Duration.ofDays(366);

  private Units() {}

  /** Reads {@code 90s}, {@code 15m}, {@code 1.5h}. */
  static Duration duration(String text) {
    Matcher amount = AMOUNT.matcher(text.strip());
    if (!amount.matches() || !MILLIS.containsKey(amount.group(2))) {
      throw new IllegalArgumentException(
          "'%s' is no duration; write for instance 500ms, 90s, 15m, 2h or 1d".formatted(text));
    }
    double millis = Double.parseDouble(amount.group(1)) * MILLIS.get(amount.group(2));
    if (millis > MAX_DURATION.toMillis()) {
      throw new IllegalArgumentException("'%s' is longer than a year".formatted(text));
    }
    return Duration.ofMillis(Math.round(millis));
  }

  /** Reads {@code 50MiB}, {@code 1Gbit/s}, bytes per second. */
  static long bytesPerSecond(String text) {
    Matcher amount = AMOUNT.matcher(text.strip().replaceFirst("/s$", ""));
    if (!amount.matches() || !BYTES.containsKey(amount.group(2))) {
      throw new IllegalArgumentException(
          "'%s' is no bandwidth; write for instance 50MiB, 100MB or 500Mbit (per second)"
              .formatted(text));
    }
    long rate = Math.round(Double.parseDouble(amount.group(1)) * BYTES.get(amount.group(2)));
    if (rate < 1) {
      throw new IllegalArgumentException("'%s' is less than a byte per second".formatted(text));
    }
    return rate;
  }

  /** Reads {@code 512MiB}, {@code 2GiB}, bytes. */
  static long size(String text) {
    Matcher amount = AMOUNT.matcher(text.strip());
    if (!amount.matches()
        || !BYTES.containsKey(amount.group(2))
        || amount.group(2).endsWith("bit")) {
      throw new IllegalArgumentException(
          "'%s' is no size; write for instance 512MiB or 2GiB".formatted(text));
    }
    return Math.round(Double.parseDouble(amount.group(1)) * BYTES.get(amount.group(2)));
  }

  /** Reads {@code 50} or {@code 50%}. */
  static long percent(String text) {
    String digits = text.strip().replaceFirst("%$", "");
    if (!digits.matches("[1-9]\\d{0,5}")) {
      throw new IllegalArgumentException(
          "'%s' is no share of a core; write for instance 50 or 150%%".formatted(text));
    }
    return Long.parseLong(digits);
  }

  static String bytes(long bytes) {
    if (bytes < 1024) {
      return bytes + " B";
    }
    double amount = bytes;
    int unit = -1;
    while (amount >= 1024 && unit < 3) {
      amount /= 1024;
      unit++;
    }
    return String.format(Locale.ROOT, "%.1f %ciB", amount, "KMGT".charAt(unit));
  }

  static String millis(long millis) {
    return millis < 10_000 ? millis + " ms" : String.format(Locale.ROOT, "%.1f s", millis / 1000.0);
  }
}
