package io.pagurus.cli;

import java.io.PrintWriter;
import java.util.List;

/** Prints services with start options as a table. */
final class KeptServices {
  private KeptServices() {}

  static void print(List<Node> services, PrintWriter out) {
    var table =
        new Table(
            "SERVICE",
            "STATE",
            "ON EXIT",
            "INTERVAL",
            "CHECKPOINTS",
            "LAST CHECKPOINT",
            "NEXT CHECKPOINT",
            "MESSAGE");
    for (Node service : services) {
      Node options = service.get("options");
      List<Node> checkpoints = service.get("checkpoints").items();
      table.add(
          service.text("service"),
          service.text("state"),
          options.text("on_exit"),
          options.has("checkpoint_interval_ms")
              ? Units.millis(options.number("checkpoint_interval_ms"))
              : "-",
          checkpoints.isEmpty() ? "-" : kept(checkpoints),
          checkpoints.isEmpty() ? "-" : last(checkpoints.getFirst()),
          service.has("next_checkpoint") ? time(service.text("next_checkpoint")) : "-",
          service.has("next_start")
              ? "%s Next start at %s."
                  .formatted(service.text("message"), time(service.text("next_start")))
              : service.text("message"));
    }
    table.print(out);
  }

  private static String kept(List<Node> checkpoints) {
    long bytes = checkpoints.stream().mapToLong(one -> one.number("bytes")).sum();
    return "%d (%s)".formatted(checkpoints.size(), Units.bytes(bytes));
  }

  private static String last(Node checkpoint) {
    String what =
        "%d at %s".formatted(checkpoint.number("number"), time(checkpoint.text("taken_at")));
    return checkpoint.has("frozen_ms")
        ? "%s, frozen %s".formatted(what, Units.millis(checkpoint.number("frozen_ms")))
        : what;
  }

  private static String time(String instant) {
    return instant.replaceFirst("\\.\\d+Z$", "Z");
  }
}
