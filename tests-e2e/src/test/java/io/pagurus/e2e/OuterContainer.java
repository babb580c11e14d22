package io.pagurus.e2e;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.github.dockerjava.api.model.Capability;
import com.github.dockerjava.api.model.HostConfig;
import com.github.dockerjava.api.model.Volume;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.testcontainers.containers.BindMode;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.startupcheck.IsRunningStartupCheckStrategy;
import org.testcontainers.utility.DockerImageName;

/** A real outer container with the flags that {@code image/outer --print} prints. */
final class OuterContainer extends GenericContainer<OuterContainer> {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final DockerImageName IMAGE =
      DockerImageName.parse(
          Optional.ofNullable(System.getenv("PAGURUS_IMAGE")).orElse("pagurus/runtime:dev"));

  OuterContainer() {
    super(IMAGE);
    withImagePullPolicy(image -> false);
    withStartupCheckStrategy(new IsRunningStartupCheckStrategy());
    withTmpFs(Map.of("/run", "exec"));
    List<String> flags = flags();
    withCreateContainerCmdModifier(
        command -> {
          HostConfig host = command.getHostConfig();
          List<Capability> capabilities = new ArrayList<>();
          List<String> security = new ArrayList<>();
          for (int i = 0; i + 1 < flags.size(); i++) {
            switch (flags.get(i)) {
              case "--cap-add" -> capabilities.add(Capability.valueOf(flags.get(i + 1)));
              case "--security-opt" -> security.add(flags.get(i + 1));
              default -> {}
            }
          }
          host.withCapAdd(capabilities.toArray(Capability[]::new))
              .withSecurityOpts(security)
              .withCgroupnsMode("private");
          if (host.getShmSize() == null) {
            host.withShmSize(4L << 30);
          }
          command.withVolumes(new Volume("/var/lib/docker"));
        });
  }

  /** The command line that {@code image/outer} would run, in words. */
  static List<String> flags() {
    return List.of(Command.run("image/outer", "--print", "e2e").ok().split("\\s+", -1));
  }

  OuterContainer withShmBytes(long bytes) {
    withCreateContainerCmdModifier(command -> command.getHostConfig().withShmSize(bytes));
    return this;
  }

  /** Keeps the inner engine's storage on a disk of this size, which is memory. */
  OuterContainer withDiskMebibytes(int mebibytes) {
    String options = "exec,suid,dev,size=%dm".formatted(mebibytes);
    withTmpFs(Map.of("/run", "exec", "/var/lib/docker", options));
    withCreateContainerCmdModifier(command -> command.withVolumes(List.of()));
    return this;
  }

  /** Declares the services of a Compose file among the resources. */
  OuterContainer withCompose(String resource) {
    Path file = Path.of(System.getProperty("user.dir"), "src/test/resources", resource);
    withFileSystemBind(file.toString(), "/etc/pagurus/compose.yaml", BindMode.READ_ONLY);
    return this;
  }

  /** Gives it the image of the services at its start. */
  OuterContainer withServices() {
    String archive = Command.run("tests-e2e/service-image.sh").ok();
    withFileSystemBind(archive, "/var/lib/pagurus/images/services.tar", BindMode.READ_ONLY);
    return this;
  }

  OuterContainer ready() {
    start();
    awaitReady();
    return this;
  }

  /** Copies a file of this module into the outer container. */
  void put(Path file, String target) {
    Path source = Path.of(System.getProperty("user.dir")).resolve(file);
    Command.run("docker", "cp", source.toString(), getContainerId() + ":" + target).ok();
  }

  /**
   * Ends the runtime without a word; its entrypoint starts it again.
   *
   * @param moment a shell line that returns when the time has come
   */
  void killRuntime(String moment) {
    // Brackets: the shell must not find its own command line.
    String kill = "kill -9 $(pgrep -f '[p]agurus-runtime.jar serve'); rm -f /run/pagurus/ready";
    exec("timeout", "60", "sh", "-c", moment + "; " + kill).ok();
  }

  /** Stops and starts the outer container, as its host's restart would. */
  void restart() {
    Command.run("docker", "restart", "--time", "30", getContainerId()).ok();
    awaitReady();
  }

  void awaitReady() {
    await()
        .alias("outer container becomes ready")
        .atMost(Duration.ofMinutes(2))
        .pollInterval(Duration.ofMillis(200))
        .until(this::isReady);
  }

  /** Runs a command in the outer container. */
  Command exec(String... words) {
    List<String> command = new ArrayList<>(List.of("docker", "exec", getContainerId()));
    command.addAll(List.of(words));
    return Command.run(command);
  }

  /** The inner engine's own command line. */
  Command docker(String... words) {
    List<String> command = new ArrayList<>(List.of("docker", "exec", getContainerId(), "docker"));
    command.addAll(List.of(words));
    return Command.run(command);
  }

  Command pagurus(String... words) {
    List<String> command = new ArrayList<>(List.of("docker", "exec", getContainerId(), "pagurus"));
    command.addAll(List.of(words));
    return Command.run(command);
  }

  /** Runs a shell line inside a service. */
  String in(String service, String line) {
    return docker("exec", service, "sh", "-c", line).ok();
  }

  String ticket(String... options) {
    List<String> words = new ArrayList<>(List.of("ticket"));
    words.addAll(List.of(options));
    return pagurus(words.toArray(String[]::new)).lines().getLast();
  }

  /**
   * What its runtime answers: through its Unix socket, as root sees it from here. A command in the
   * outer container takes a second on a busy machine, too long to meet a moment.
   */
  String ask(String method, String path) {
    return answer("/run/pagurus/api.sock", "%s %s HTTP/1.1".formatted(method, path));
  }

  /** The same of its inner engine; HTTP/1.0, so that the answer comes in one piece. */
  String askEngine(String path) {
    return answer("/run/docker.sock", "GET %s HTTP/1.0".formatted(path));
  }

  private String answer(String socket, String request) {
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(outside(socket)))) {
      String whole = "%s\r\nHost: runtime\r\nConnection: close\r\n\r\n".formatted(request);
      channel.write(ByteBuffer.wrap(whole.getBytes(StandardCharsets.US_ASCII)));
      byte[] answer = Channels.newInputStream(channel).readAllBytes();
      return new String(answer, StandardCharsets.UTF_8).replaceFirst("(?s).*?\r\n\r\n", "");
    } catch (IOException e) {
      throw new UncheckedIOException("No answer from " + socket, e);
    }
  }

  /** Whether its entrypoint says that it is ready. */
  boolean isReady() {
    return Files.exists(outside("/run/pagurus/ready"));
  }

  /** Where a file of it is, as the host's root sees it: below its first process. */
  private Path outside(String file) {
    Long pid =
        getDockerClient().inspectContainerCmd(getContainerId()).exec().getState().getPidLong();
    return Path.of("/proc", pid.toString(), "root", file);
  }

  /** A metric in mebibytes. */
  double mebibytes(String metric) {
    return ask("GET", "/metrics")
            .lines()
            .filter(line -> line.startsWith(metric + " "))
            .mapToDouble(line -> Double.parseDouble(line.substring(metric.length() + 1)))
            .findFirst()
            .orElseThrow(() -> new AssertionError("No metric " + metric))
        / (1 << 20);
  }

  JsonNode inspect(String service) {
    return json(docker("inspect", service).ok()).get(0);
  }

  JsonNode image(String name) {
    return json(docker("image", "inspect", name).ok()).get(0);
  }

  List<String> log(String service) {
    return docker("logs", service).lines();
  }

  /** Moves a service; returns the report, which must be one line. */
  JsonNode migrate(String service, OuterContainer destination, String... options) {
    return json(tryMigrate(service, destination.ticket(), options).ok());
  }

  Command tryMigrate(String service, String ticket, String... options) {
    List<String> words =
        new ArrayList<>(List.of("migrate", service, "--to", ticket, "--output", "json"));
    words.addAll(List.of(options));
    return pagurus(words.toArray(String[]::new));
  }

  static JsonNode json(String text) {
    try {
      return JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new AssertionError("No JSON: " + text, e);
    }
  }
}
