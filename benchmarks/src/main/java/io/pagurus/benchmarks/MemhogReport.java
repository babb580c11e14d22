package io.pagurus.benchmarks;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What memhog says when asked: its line beginning with {@code REPORT}.
 *
 * @param gapMillis largest gap between two stamps since the last report, ms
 * @param verified that every page holds what must be there
 */
record MemhogReport(double gapMillis, boolean verified) {
  private static final Pattern LINE =
      Pattern.compile("^REPORT \\d+ gap_ms ([\\d.]+) .* VERIFY (ok|FAILED.*)$", Pattern.MULTILINE);

  /** Finds the last report in a log. */
  static Optional<MemhogReport> last(String log) {
    Matcher line = LINE.matcher(log);
    Optional<MemhogReport> last = Optional.empty();
    while (line.find()) {
      last =
          Optional.of(
              new MemhogReport(Double.parseDouble(line.group(1)), line.group(2).equals("ok")));
    }
    return last;
  }
}
