package io.pagurus.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class MemhogReportTest {

  @Test
  void theLastReportOfALogCounts() {
    String log =
        """
        READY 64
        REPORT 1 gap_ms 13.8 from 1795242891961 ticks 693 pages 16384 VERIFY ok
        REPORT 2 gap_ms 412.5 from 1795242893832 ticks 1134 pages 16384 VERIFY ok
        """;

    MemhogReport report = MemhogReport.last(log).orElseThrow();

    assertEquals(412.5, report.gapMillis());
    assertTrue(report.verified());
  }

  @Test
  void changedPagesAreNotVerified() {
    String log = "REPORT 1 gap_ms 13.8 from 1 ticks 693 pages 16384 VERIFY FAILED 3\n";

    assertFalse(MemhogReport.last(log).orElseThrow().verified());
  }

  @Test
  void aLineThatIsStillBeingWrittenIsNoReport() {
    assertTrue(MemhogReport.last("READY 64\nREPORT 1 gap_ms 13.8 from 1 ti").isEmpty());
  }
}
