package io.pagurus.cli;

import java.io.PrintWriter;
import java.util.List;

/** Prints migrations as a table. */
final class Statuses {
  private Statuses() {}

  static void print(List<Node> statuses, PrintWriter out) {
    var table =
        new Table(
            "ID", "SERVICE", "ROLE", "PEER", "STARTED", "STATE", "BYTES", "DOWNTIME", "MESSAGE");
    for (Node status : statuses) {
      table.add(
          status.text("id"),
          status.text("service"),
          status.text("role"),
          status.text("peer"),
          status.text("started_at").replaceFirst("\\.\\d+Z$", "Z"),
          state(status),
          Units.bytes(status.number("bytes_done")),
          status.has("report") ? Units.millis(status.get("report").number("downtime_ms")) : "-",
          status.text("message"));
    }
    table.print(out);
  }

  /** One word: how it ended, else its phase; one that waits for its link is in none. */
  static String state(Node status) {
    if (status.has("outcome")) {
      return status.text("outcome");
    }
    return status.flag("paused") ? "paused" : status.text("phase");
  }
}
