package io.pagurus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

final class ProgressTest {
  private final StringWriter shown = new StringWriter();
  private final PrintWriter out = new PrintWriter(shown);

  private static Node status(String phase, long done, long total) {
    return Node.parse(
        "{\"phase\":\"%s\",\"bytes_done\":%d,\"bytes_total\":%d}"
            .formatted(phase, done, total)
            .getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void withoutTerminalEachPhaseIsALine() {
    var progress = new Progress(out, false);
    progress.show(status("send", 0, 2048));
    progress.show(status("send", 1024, 2048));
    progress.show(status("restore", 2048, 2048));
    progress.end();
    assertEquals(
        "send: 0 B of 2.0 KiB%nrestore: 2.0 KiB of 2.0 KiB%n".formatted(), shown.toString());
  }

  @Test
  void onATerminalOneLineRedrawsItself() {
    var progress = new Progress(out, true);
    progress.show(status("send", 512, 2048));
    progress.show(status("send", 4096, 2048));
    progress.end();
    String[] drawn = shown.toString().split("\r\033\\[K", -1);
    assertEquals(3, drawn.length);
    assertTrue(drawn[1].matches("send +\\[#{6}\\.{18}] +25 %  512 B of 2\\.0 KiB .*"), drawn[1]);
    assertTrue(drawn[2].contains("100 %  4.0 KiB of 4.0 KiB"), drawn[2]);
    assertTrue(drawn[2].endsWith(System.lineSeparator()));
  }

  @Test
  void unknownTotalIsNoPercentage() {
    var progress = new Progress(out, true);
    progress.show(
        Node.parse(
            "{\"phase\":\"prepare\",\"message\":\"The destination prepares.\"}"
                .getBytes(StandardCharsets.UTF_8)));
    assertTrue(
        shown.toString().endsWith("prepare     The destination prepares."), shown.toString());
  }

  @Test
  void failureIsLeftToTheLastWord() {
    var progress = new Progress(out, false);
    progress.show(
        Node.parse("{\"phase\":\"send\",\"outcome\":\"failed\"}".getBytes(StandardCharsets.UTF_8)));
    assertEquals("", shown.toString());
  }
}
