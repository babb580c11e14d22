package io.pagurus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class UnitsTest {
  @ParameterizedTest
  @CsvSource({"500ms, 500", "90s, 90000", "15m, 900000", "1.5h, 5400000", "1d, 86400000"})
  void durationsAreRead(String text, long millis) {
    assertEquals(Duration.ofMillis(millis), Units.duration(text));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "5", "m", "-5m", "5 minutes", "5M", "1h30m", "99999999999999999999d"})
  void otherDurationsAreRefused(String text) {
    assertThrows(IllegalArgumentException.class, () -> Units.duration(text));
  }

  @ParameterizedTest
  @CsvSource({
    "1000, 1000",
    "50MiB, 52428800",
    "50MiB/s, 52428800",
    "100MB, 100000000",
    "1Gbit, 125000000",
    "500Mbit/s, 62500000",
    "0.5kB, 500"
  })
  void bandwidthsAreRead(String text, long bytesPerSecond) {
    assertEquals(bytesPerSecond, Units.bytesPerSecond(text));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "fast", "-1MB", "5mib", "MiB", "0", "0.1B"})
  void otherBandwidthsAreRefused(String text) {
    assertThrows(IllegalArgumentException.class, () -> Units.bytesPerSecond(text));
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "50%, 50", "150, 150"})
  void sharesOfACoreAreRead(String text, long percent) {
    assertEquals(percent, Units.percent(text));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0", "-1", "half", "0.5", "1 %%"})
  void otherSharesAreRefused(String text) {
    assertThrows(IllegalArgumentException.class, () -> Units.percent(text));
  }

  @Test
  void amountsAreShownWithOneDigit() {
    assertEquals("0 B", Units.bytes(0));
    assertEquals("1023 B", Units.bytes(1023));
    assertEquals("1.0 KiB", Units.bytes(1024));
    assertEquals("1.5 GiB", Units.bytes(3L << 29));
    assertEquals("2048.0 TiB", Units.bytes(1L << 51));
    assertEquals("9999 ms", Units.millis(9999));
    assertEquals("10.0 s", Units.millis(10_000));
  }
}
