package io.pagurus.dind;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.apache.commons.exec.CommandLine;
import org.apache.commons.exec.DefaultExecutor;
import org.apache.commons.exec.ExecuteException;
import org.apache.commons.exec.ExecuteWatchdog;
import org.apache.commons.exec.PumpStreamHandler;

/** Runs a short command to its end. */
public final class Tool {
  private Tool() {}

  /**
   * @param limit until it is killed
   * @return what it printed
   * @throws IOException with the command, its exit value and what it printed when it fails
   */
  public static String run(Duration limit, List<String> command) throws IOException {
    CommandLine line = new CommandLine(command.getFirst());
    command.stream().skip(1).forEach(argument -> line.addArgument(argument, false));
    ByteArrayOutputStream output = new ByteArrayOutputStream();
    DefaultExecutor executor = DefaultExecutor.builder().get();
    executor.setWatchdog(ExecuteWatchdog.builder().setTimeout(limit).get());
    executor.setStreamHandler(new PumpStreamHandler(output));
    try {
      executor.execute(line);
    } catch (ExecuteException e) {
      throw new IOException(
          "`%s` failed with exit value %d: %s"
              .formatted(
                  String.join(" ", command),
                  e.getExitValue(),
                  output.toString(StandardCharsets.UTF_8).strip()),
          e);
    }
    return output.toString(StandardCharsets.UTF_8);
  }
}
