package io.pagurus.benchmarks;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * An outer container, started by {@code image/outer} with the documented flags, whatever image is
 * in it.
 *
 * @param name of the container
 */
record Outer(String name) {
  private static final Duration SHORT = Duration.ofSeconds(30);

  /**
   * Starts one.
   *
   * @param root the repository
   * @param image to start it from; one without our runtime is only started, not waited for
   * @param network the Docker network that it joins
   */
  static Outer start(
      Path root, String name, String image, Network network, List<String> more, boolean wait) {
    List<String> words = new ArrayList<>();
    words.addAll(List.of("env", "PAGURUS_IMAGE=" + image, root.resolve("image/outer").toString()));
    if (!wait) {
      words.add("--no-wait");
    }
    words.addAll(List.of(name, "--network", network.name()));
    words.addAll(more);
    Command.run(Duration.ofSeconds(90), words);
    return new Outer(name);
  }

  /** Runs a program in it. */
  String exec(Duration limit, String... words) {
    return execLater(words).await(limit);
  }

  /** Runs a program in it that ends soon. */
  String exec(String... words) {
    return exec(SHORT, words);
  }

  /** Starts a program in it. */
  Command execLater(String... words) {
    List<String> all = new ArrayList<>(List.of("docker", "exec", name));
    all.addAll(List.of(words));
    return Command.start(all);
  }

  /** Its address on the network. */
  String address(Network network) {
    return Command.run(
        "docker",
        "inspect",
        "--format",
        "{{(index .NetworkSettings.Networks \"" + network.name() + "\").IPAddress}}",
        name);
  }

  /**
   * Removes it, together with what it holds: an engine refuses as long as something in it is
   * frozen.
   */
  static void remove(String name) {
    try {
      Command.run(Duration.ofMinutes(1), List.of("docker", "rm", "--force", "--volumes", name));
    } catch (MeasurementException frozen) {
      Command.run(
          "docker",
          "exec",
          name,
          "sh",
          "-c",
          "docker ps -q --filter status=paused | xargs -r docker unpause");
      Command.run(Duration.ofMinutes(1), List.of("docker", "rm", "--force", "--volumes", name));
    }
  }

  /** What its runtime has needed since {@link RuntimeProcess#FORGET_PEAK}. */
  Optional<RuntimeMemory> runtimeMemory() {
    return Optional.ofNullable(runtimeStatus().get("VmHWM"))
        .map(kib -> RuntimeMemory.of(kib, RuntimeProcess.metrics(pid())));
  }

  /** Its first process, on the engine's host. */
  long pid() {
    return Long.parseLong(Command.run("docker", "inspect", "--format", "{{.State.Pid}}", name));
  }

  /** Fields of /proc/PID/status of its runtime, memory in KiB. */
  Map<String, Long> runtimeStatus() {
    return RuntimeProcess.status(exec("sh", "-c", RuntimeProcess.SHOW));
  }
}
