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
          status.has("outcome") ? status.text("outcome") : status.text("phase"),
          Units.bytes(status.number("bytes_done")),
          status.has("report") ? Units.millis(status.get("report").number("downtime_ms")) : "-",
          status.text("message"));
    }
    table.print(out);
  }
}
