package io.pagurus.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Prints what {@code --print-stats} shows: the freeze window in its parts by one clock, with CRIU's
 * own times under CRIU's names, the rounds, and what was expected beside what came.
 */
final class Stats {
  private static final int BAR = 40;

  /** CRIU's times that are parts of ours, by the part; criu/images/stats.proto, microseconds. */
  private static final Map<String, List<String>> OF_CRIU =
      Map.of(
          "dump", List.of("freezing_time", "frozen_time", "memdump_time", "memwrite_time"),
          "restore", List.of("forking_time", "restore_time"));

  /** Begins when the downtime has ended. */
  private static final Set<String> AFTER = Set.of("acknowledge");

  private final Node report;
  private final PrintWriter out;

  private Stats(Node report, PrintWriter out) {
    this.report = report;
    this.out = out;
  }

  static void print(Node report, PrintWriter out) {
    var stats = new Stats(report, out);
    stats.window();
    stats.rounds();
    stats.prediction();
  }

  private void window() {
    List<Node> parts = report.get("window").items();
    if (parts.isEmpty()) {
      return;
    }
    double downtime = Math.max(1, report.number("downtime_ms"));
    out.println();
    out.printf(
        Locale.ROOT,
        "%-18s%10s %10s %6s  0%" + (BAR - 1) + "s%n",
        "FREEZE WINDOW",
        "FROM",
        "TIME",
        "SHARE",
        String.format(Locale.ROOT, "%.0f ms", downtime));
    for (Node part : parts) {
      String name = part.text("part");
      double from = part.decimal("from_ms");
      double millis = part.decimal("ms");
      boolean after = AFTER.contains(name);
      out.printf(
          Locale.ROOT,
          "%-18s%7.1f ms %7.1f ms %6s  %s%n",
          name,
          from,
          millis,
          after ? "after" : share(millis, downtime),
          after ? "" : bar(from, millis, downtime));
      ofCriu(name, downtime);
    }
    out.printf(
        Locale.ROOT,
        "%-18s%10s %7.1f ms %6s%n",
        "downtime",
        "",
        downtime,
        share(downtime, downtime));
    if (Summary.laterAtFullSpeed(report)) {
      out.printf(
          Locale.ROOT,
          "%-18s%10s %7.1f ms %6s%n",
          "full speed",
          "",
          (double) report.number("time_to_full_speed_ms"),
          "after");
    }
    out.println("Parts overlap. Indented: CRIU's own figures for its part of the work.");
    Node placement = report.get("restore_memory");
    if (placement.has("way")) {
      out.printf("Memory was placed %s. %s%n", adverb(placement), placement.text("reason"));
    }
  }

  private static String adverb(Node placement) {
    return placement.text("way").equals("lazy")
        ? "while the service ran already"
        : "before the service went on";
  }

  private void ofCriu(String part, double downtime) {
    Node statistics = report.get("criu").get(part);
    for (String name : OF_CRIU.getOrDefault(part, List.of())) {
      if (statistics.has(name)) {
        double millis = statistics.number(name) / 1000.0;
        out.printf(
            Locale.ROOT,
            "%-18s%10s %7.1f ms %6s%n",
            "  " + name,
            "",
            millis,
            share(millis, downtime));
      }
    }
  }

  private static String share(double millis, double downtime) {
    return String.format(Locale.ROOT, "%.0f %%", 100 * millis / downtime);
  }

  private static String bar(double from, double millis, double downtime) {
    int begin = Math.clamp(Math.round(BAR * from / downtime), 0, BAR - 1);
    int end = Math.clamp(Math.round(BAR * (from + millis) / downtime), begin + 1, BAR);
    return " ".repeat(begin) + "#".repeat(end - begin);
  }

  private void rounds() {
    Node cost = report.get("precopy");
    List<Node> shared = cost.get("shared_rounds").items();
    List<Node> rounds = report.get("rounds").items();
    if (shared.isEmpty() && rounds.isEmpty()) {
      return;
    }
    out.println();
    out.printf("%-18s%10s %10s %12s%n", "ROUND", "SENT", "TIME", "RATE");
    rounds("shared ", shared);
    rounds("", rounds);
    out.printf(
        Locale.ROOT,
        "In rounds the runtime used %.0f %% of a core, the service %.2f cores; it waited for a core %.1f %% of the time that it wanted to run, %.1f %% before.%n",
        cost.decimal("cpu_percent"),
        cost.decimal("service_cores"),
        cost.decimal("service_waiting_percent"),
        cost.decimal("service_waiting_percent_before"));
    cost.get("slowed")
        .items()
        .forEach(
            step ->
                out.printf(
                    Locale.ROOT,
                    "After round %d %d %% of its CPU time were taken away, %.2f cores left.%n",
                    step.number("after_round"),
                    step.number("percent"),
                    step.decimal("cores")));
  }

  private void rounds(String kind, List<Node> rounds) {
    int number = 0;
    for (Node round : rounds) {
      number++;
      long millis = Math.max(1, round.number("ms"));
      out.printf(
          "%-18s%10s %10s %12s%n",
          kind + number,
          Units.bytes(round.number("bytes")),
          Units.millis(millis),
          Units.bytes(round.number("bytes") * 1000 / millis) + "/s");
    }
  }

  private void prediction() {
    Node prediction = report.get("prediction");
    if (!prediction.has("downtime_error_percent")) {
      return;
    }
    out.println();
    out.printf(
        "%-18s%10s %10s%n", report.text("strategy").toUpperCase(Locale.ROOT), "DOWNTIME", "TOTAL");
    times("expected", prediction);
    times("measured", report);
    out.printf(
        Locale.ROOT,
        "%-18s%+8.0f %% %+8.0f %%%n",
        "error",
        prediction.decimal("downtime_error_percent"),
        prediction.decimal("total_error_percent"));
  }

  private void times(String name, Node times) {
    out.printf(
        "%-18s%10s %10s%n",
        name, Units.millis(times.number("downtime_ms")), Units.millis(times.number("total_ms")));
  }

  /** What a dry run expects of every strategy. */
  static void forecast(Node report, PrintWriter out) {
    Node forecast = report.get("forecast");
    if (!forecast.has("reason")) {
      return;
    }
    Node measured = forecast.get("measured");
    out.println();
    out.printf("%-18s%10s %10s%n", "STRATEGY", "DOWNTIME", "TOTAL");
    for (Node strategy : forecast.get("strategies").items()) {
      boolean chosen = strategy.text("strategy").equals(report.text("strategy"));
      out.printf(
          "%-18s%10s %10s%s%n",
          strategy.text("strategy"),
          Units.millis(strategy.number("downtime_ms")),
          Units.millis(strategy.number("total_ms")),
          chosen ? "  <- " + forecast.text("reason") : "");
    }
    out.printf(
        Locale.ROOT,
        "Measured: memory %s, shrinks to %d %%, changes %s/s (%s in the long run); link %s/s, round trip %.1f ms.%n",
        Units.bytes(measured.number("memory_bytes")),
        measured.number("compressed_percent"),
        Units.bytes(measured.number("dirty_bytes_per_second")),
        Units.bytes(measured.number("dirty_set_bytes")),
        Units.bytes(measured.number("link_bytes_per_second")),
        measured.number("round_trip_us") / 1000.0);
  }
}
