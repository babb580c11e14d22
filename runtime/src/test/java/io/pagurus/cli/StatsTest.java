package io.pagurus.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;

final class StatsTest {
  private static String shown(BiConsumer<Node, PrintWriter> print, String report) {
    var text = new StringWriter();
    var out = new PrintWriter(text);
    Node node = Node.parse(report.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
    print.accept(node, out);
    out.flush();
    return text.toString().replace(System.lineSeparator(), "\n");
  }

  @Test
  void theFreezeWindowIsDrawnToScaleWithCriusFiguresBelowTheirParts() {
    String report =
        """
        {'downtime_ms': 200,
         'window': [
           {'part': 'freeze', 'from_ms': 0.0, 'ms': 10.0},
           {'part': 'dump', 'from_ms': 10.0, 'ms': 60.25},
           {'part': 'send', 'from_ms': 20, 'ms': 80},
           {'part': 'restore', 'from_ms': 100.0, 'ms': 100.0},
           {'part': 'acknowledge', 'from_ms': 200.0, 'ms': 31.5}],
         'criu': {
           'dump': {'frozen_time': 50000, 'freezing_time': 1500, 'pages_scanned': 7},
           'restore': {'restore_time': 40000}},
         'restore_memory': {'way': 'lazy', 'reason': 'It has 300 MiB.'}}
        """;
    assertEquals(
        """

        FREEZE WINDOW           FROM       TIME  SHARE  0                                 200 ms
        freeze                0.0 ms    10.0 ms    5 %  ##
        dump                 10.0 ms    60.3 ms   30 %    ############
          freezing_time                  1.5 ms    1 %
          frozen_time                   50.0 ms   25 %
        send                 20.0 ms    80.0 ms   40 %      ################
        restore             100.0 ms   100.0 ms   50 %                      ####################
          restore_time                  40.0 ms   20 %
        acknowledge         200.0 ms    31.5 ms  after
        downtime                       200.0 ms  100 %
        Parts overlap. Indented: CRIU's own figures for its part of the work.
        Memory was placed while the service ran already. It has 300 MiB.
        """,
        shown(Stats::print, report).replaceAll(" +\n", "\n"));
  }

  @Test
  void aPartThatIsTooShortToDrawStillHasItsMark() {
    String bar =
        shown(
                Stats::print,
                "{'downtime_ms': 1000, 'window': [{'part': 'stage', 'from_ms': 999.9, 'ms': 0.1}],"
                    + " 'restore_memory': {'way': 'eager', 'reason': 'Little.'}}")
            .lines()
            .filter(line -> line.startsWith("stage"))
            .findFirst()
            .orElseThrow();
    assertEquals("stage               999.9 ms     0.1 ms    0 %  " + " ".repeat(39) + "#", bar);
  }

  @Test
  void roundsShowTheirRateAndWhatTheyCost() {
    String report =
        """
        {'window': [],
         'rounds': [{'bytes': 104857600, 'ms': 2000}, {'bytes': 1024, 'ms': 0}],
         'precopy': {
           'cpu_percent': 41.6, 'service_cores': 0.75, 'service_waiting_percent': 2.5,
           'service_waiting_percent_before': 1,
           'slowed': [{'after_round': 2, 'percent': 20, 'cores': 0.6}],
           'shared_rounds': [{'bytes': 5242880, 'ms': 100}]}}
        """;
    assertEquals(
        """

        ROUND                   SENT       TIME         RATE
        shared 1             5.0 MiB     100 ms   50.0 MiB/s
        1                  100.0 MiB    2000 ms   50.0 MiB/s
        2                    1.0 KiB       1 ms 1000.0 KiB/s
        In rounds the runtime used 42 % of a core, the service 0.75 cores; it waited for a core 2.5 % of the time that it wanted to run, 1.0 % before.
        After round 2 20 % of its CPU time were taken away, 0.60 cores left.
        """,
        shown(Stats::print, report));
  }

  @Test
  void whatWasExpectedStandsBesideWhatCame() {
    String report =
        """
        {'strategy': 'pre-copy', 'downtime_ms': 180, 'total_ms': 12500,
         'prediction': {
           'downtime_ms': 200, 'total_ms': 9000,
           'downtime_error_percent': 11.1, 'total_error_percent': -28.0}}
        """;
    assertEquals(
        """

        PRE-COPY            DOWNTIME      TOTAL
        expected              200 ms    9000 ms
        measured              180 ms     12.5 s
        error                  +11 %      -28 %
        """,
        shown(Stats::print, report));
  }

  @Test
  void aReportWithoutFiguresPrintsNothing() {
    assertEquals("", shown(Stats::print, "{'outcome': 'failed', 'downtime_ms': 0}"));
    assertEquals("", shown(Stats::forecast, "{'outcome': 'failed'}"));
  }

  @Test
  void theForecastMarksTheStrategyThatIsChosenAndSaysWhy() {
    String report =
        """
        {'strategy': 'pre-copy',
         'forecast': {
           'reason': 'The shortest downtime.',
           'strategies': [
             {'strategy': 'stop-and-copy', 'downtime_ms': 900, 'total_ms': 1500},
             {'strategy': 'pre-copy', 'downtime_ms': 150, 'total_ms': 2500}],
           'measured': {
             'memory_bytes': 104857600, 'compressed_percent': 40,
             'dirty_bytes_per_second': 1048576, 'dirty_set_bytes': 2097152,
             'link_bytes_per_second': 125000000, 'round_trip_us': 300}}}
        """;
    assertEquals(
        """

        STRATEGY            DOWNTIME      TOTAL
        stop-and-copy         900 ms    1500 ms
        pre-copy              150 ms    2500 ms  <- The shortest downtime.
        Measured: memory 100.0 MiB, shrinks to 40 %, changes 1.0 MiB/s (2.0 MiB in the long run); link 119.2 MiB/s, round trip 0.3 ms.
        """,
        shown(Stats::forecast, report));
  }
}
