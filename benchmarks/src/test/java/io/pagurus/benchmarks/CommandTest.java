package io.pagurus.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class CommandTest {

  @Test
  void aFailureNamesTheCommandButNoTicket() {
    MeasurementException failure =
        assertThrows(
            MeasurementException.class,
            () -> Command.run("sh", "-c", "echo no >&2; exit 5", "--to", "pagurus1.AQAP-secret"));

    assertEquals("sh -c echo no >&2; exit 5 --to TICKET: exit code 5: no", failure.getMessage());
  }
}
