package io.pagurus.cli;

import java.io.PrintWriter;

/** Prints the report of a completed migration, or of a dry run, for people. */
final class Summary {
  private Summary() {}

  static void print(Node report, boolean moved, PrintWriter out) {
    out.printf(
        moved
            ? "%s runs on %s now, moved from %s by %s.%n"
            : "%s can move to %s; nothing was touched on %s (%s).%n",
        report.text("service"),
        report.text("destination"),
        report.text("source"),
        report.text("strategy"));
    if (moved) {
      out.printf(
          "Downtime %s%s, total %s.%n",
          Units.millis(report.number("downtime_ms")),
          laterAtFullSpeed(report)
              ? ", full speed after " + Units.millis(report.number("time_to_full_speed_ms"))
              : "",
          Units.millis(report.number("total_ms")));
      out.printf(
          "Sent %s: memory %s, files %s, images %s before compression.%n",
          Units.bytes(report.number("bytes_sent")),
          Units.bytes(report.number("bytes_memory")),
          Units.bytes(report.number("bytes_files")),
          Units.bytes(report.number("bytes_images")));
      var phases = new Table("PHASE", "TIME");
      report
          .get("phases")
          .fields()
          .forEach(
              (phase, millis) -> phases.add(phase, Units.millis(Long.parseLong(millis.text()))));
      phases.print(out);
    }
    report.get("warnings").items().forEach(warning -> out.println("Warning: " + warning.text()));
  }

  /** Whether pages were still missing when the service ran again. */
  static boolean laterAtFullSpeed(Node report) {
    return report.number("time_to_full_speed_ms") > report.number("downtime_ms");
  }
}
