package io.pagurus.transfer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class LogLinesTest {
  private static String read(String file, long length) throws IOException {
    try (var lines = new LogLines(new ByteArrayInputStream(file.getBytes(UTF_8)), length)) {
      return new String(lines.readAllBytes(), UTF_8);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "'', ''",
    "'a', 'a'",
    "'a b  c', 'a b  c'",
    "'   a', 'a'",
    "'a\n   b\n', 'a\nb\n'",
    "'     ', ''",
    "'a\n     ', 'a\n'",
    "'a \n b', 'a \nb'",
    "'\n\n x', '\n\nx'"
  })
  void spacesAtTheBeginningOfLinesAreLeftOut(String file, String lines) throws IOException {
    assertEquals(lines, read(file, file.length()));
  }

  @Test
  void whatIsAppendedLaterIsLeftForTheNextPass() throws IOException {
    assertEquals("one\n", read("one\ntwo\n", 4));
    assertEquals("", read("    one\n", 4));
  }

  @Test
  void aFileThatShrankEndsWhereItEnds() throws IOException {
    assertEquals("one", read("one", 1000));
  }
}
