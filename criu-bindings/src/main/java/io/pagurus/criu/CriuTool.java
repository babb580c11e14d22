package io.pagurus.criu;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import io.pagurus.criu.FeatureStatus.Support;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.commons.exec.CommandLine;
import org.apache.commons.exec.DefaultExecutor;
import org.apache.commons.exec.ExecuteWatchdog;
import org.apache.commons.exec.PumpStreamHandler;

/**
 * The {@code criu} program of this machine, asked for its version and features. Answers are kept:
 * neither changes while the machine runs. A machine without CRIU is an answer too, not an error.
 */
public final class CriuTool {
  /** Far more than the ~10 ms a probe takes, and the ~100 ms of the first one. */
  private static final Duration TIMEOUT = Duration.ofSeconds(5);

  private final String executable;
  private final Duration timeout;
  private Optional<CriuVersion> version;
  private Map<CriuFeature, FeatureStatus> features;

  private record Result(int exit, boolean timedOut, String out, String err) {}

  /** The {@code criu} found on the search path. */
  public CriuTool() {
    this("criu", TIMEOUT);
  }

  /**
   * @param executable name or path
   * @param timeout for one call
   */
  public CriuTool(String executable, Duration timeout) {
    this.executable = requireNonNull(executable, "executable is null");
    this.timeout = requireNonNull(timeout, "timeout is null");
  }

  /** CRIU's version, empty when there is no working CRIU. */
  public synchronized Optional<CriuVersion> version() {
    if (version == null) {
      version = askVersion();
    }
    return version;
  }

  /** Every feature's status, in the order of the enum. */
  public synchronized Map<CriuFeature, FeatureStatus> features() {
    if (features == null) {
      features = Collections.unmodifiableMap(askFeatures());
    }
    return features;
  }

  private Optional<CriuVersion> askVersion() {
    try {
      Result result = run("--version");
      return result.exit() == 0 ? CriuVersion.find(result.out()) : Optional.empty();
    } catch (IOException missing) {
      return Optional.empty();
    }
  }

  private Map<CriuFeature, FeatureStatus> askFeatures() {
    Map<CriuFeature, FeatureStatus> answers =
        Collections.synchronizedMap(new EnumMap<>(CriuFeature.class));
    // The first probe alone: it writes the kernel data cache that makes the others fast.
    CriuFeature first = CriuFeature.USERFAULTFD;
    answers.put(first, ask(first));
    try (ExecutorService probes =
        Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors())) {
      for (CriuFeature feature : CriuFeature.values()) {
        if (feature != first) {
          probes.execute(() -> answers.put(feature, ask(feature)));
        }
      }
    }
    return answers;
  }

  private FeatureStatus ask(CriuFeature feature) {
    try {
      Result result = run("check", "--feature", feature.criuName());
      String said = result.err().strip();
      if (result.timedOut()) {
        return new FeatureStatus(Support.UNKNOWN, "No answer in " + timeout.toMillis() + " ms");
      }
      if (result.exit() == 0) {
        return new FeatureStatus(Support.SUPPORTED, "");
      }
      boolean unheardOf = said.contains("Unknown feature");
      return new FeatureStatus(unheardOf ? Support.UNKNOWN : Support.MISSING, said);
    } catch (IOException missing) {
      return new FeatureStatus(Support.UNKNOWN, "Cannot run " + executable);
    }
  }

  private Result run(String... arguments) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    ExecuteWatchdog watchdog = ExecuteWatchdog.builder().setTimeout(timeout).get();
    DefaultExecutor executor =
        DefaultExecutor.builder().setExecuteStreamHandler(new PumpStreamHandler(out, err)).get();
    executor.setWatchdog(watchdog);
    executor.setExitValues(null); // any: the status is the answer
    int exit = executor.execute(new CommandLine(executable).addArguments(arguments, false));
    return new Result(exit, watchdog.killedProcess(), out.toString(UTF_8), err.toString(UTF_8));
  }
}
