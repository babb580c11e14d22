package io.pagurus.app;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.trust.ApiTokens;
import io.pagurus.trust.Identity;
import io.pagurus.trust.TlsFiles;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How this runtime is set up, read from environment variables; {@code docs/cli.md} lists them.
 *
 * @param name of this outer container in reports
 * @param port of the one network listener
 * @param standby whether declared services are not brought up: this outer container waits for
 *     migrations
 * @param stateDirectory outlives the outer container when it is a volume
 * @param runDirectory sockets and marks; a tmpfs
 * @param stagingDirectory what arrives is staged here; a tmpfs
 * @param advertised addresses for tickets, host:port; empty: this outer container's own
 * @param apiTokens of which network clients of the API must show one
 * @param tlsFiles by which an authority connects runtimes; may be missing
 * @param composeFile services declared by the operator; may be missing
 * @param imageDirectory image archives to load at start; may be missing
 * @param policyFile what services may arrive; may be missing
 * @param checkpointKeyFile seals the checkpoints that are kept; empty: one is made in the state
 *     directory
 * @param hiddenCpuFlags instruction-set flags to hide from peers, so that machines with different
 *     CPUs agree on what a service may use
 * @param digestBytes most off-heap memory of one migration for digests of what it has sent
 * @param lazyRestore whether services may run here before all of their memory is in place
 */
public record Configuration(
    String name,
    int port,
    boolean standby,
    Path stateDirectory,
    Path runDirectory,
    Path stagingDirectory,
    List<String> advertised,
    ApiTokens apiTokens,
    TlsFiles tlsFiles,
    Path composeFile,
    Path imageDirectory,
    Path policyFile,
    Optional<Path> checkpointKeyFile,
    List<String> hiddenCpuFlags,
    long digestBytes,
    boolean lazyRestore) {
  private static final Map<String, Long> BYTES =
      Map.of("KiB", 1L << 10, "MiB", 1L << 20, "GiB", 1L << 30);

  private static final Pattern AMOUNT = Pattern.compile("([1-9]\\d{0,5})([KMG]iB)");

  /**
   * Reads the environment.
   *
   * @throws MigrationException USAGE when a variable has a wrong value; the message names it
   */
  public static Configuration of(Map<String, String> environment) {
    return new Configuration(
        text(environment, "PAGURUS_NAME").orElseGet(Configuration::hostName),
        port(environment),
        standby(environment),
        path(environment, "PAGURUS_STATE_DIR", "/var/lib/pagurus"),
        path(environment, "PAGURUS_RUN_DIR", "/run/pagurus"),
        path(environment, "PAGURUS_STAGING_DIR", "/dev/shm/pagurus"),
        words(environment, "PAGURUS_ADVERTISE"),
        apiTokens(environment),
        new TlsFiles(
            path(environment, "PAGURUS_TLS_CA", "/etc/pagurus/tls/ca.pem"),
            path(environment, "PAGURUS_TLS_CERT", "/etc/pagurus/tls/cert.pem"),
            path(environment, "PAGURUS_TLS_KEY", "/etc/pagurus/tls/key.pem")),
        path(environment, "PAGURUS_COMPOSE_FILE", "/etc/pagurus/compose.yaml"),
        path(environment, "PAGURUS_IMAGE_DIR", "/var/lib/pagurus/images"),
        path(environment, "PAGURUS_POLICY_FILE", "/etc/pagurus/policy.yaml"),
        text(environment, "PAGURUS_CHECKPOINT_KEY_FILE").map(Path::of),
        words(environment, "PAGURUS_CPU_HIDE"),
        bytes(environment, "PAGURUS_DIGEST_MEMORY", "64MiB"),
        lazyRestore(environment));
  }

  private static List<String> words(Map<String, String> environment, String name) {
    return Arrays.stream(text(environment, name).orElse("").split(",", -1))
        .map(String::strip)
        .filter(word -> !word.isEmpty())
        .toList();
  }

  private static Optional<String> text(Map<String, String> environment, String name) {
    return Optional.ofNullable(environment.get(name)).filter(value -> !value.isBlank());
  }

  private static Path path(Map<String, String> environment, String name, String fallback) {
    return Path.of(text(environment, name).orElse(fallback));
  }

  private static long bytes(Map<String, String> environment, String name, String fallback) {
    String text = text(environment, name).orElse(fallback);
    Matcher amount = AMOUNT.matcher(text);
    if (!amount.matches()) {
      throw new MigrationException(
          FailureCode.USAGE,
          "%s must be an amount such as 512KiB or 64MiB, not '%s'.".formatted(name, text));
    }
    return Long.parseLong(amount.group(1)) * BYTES.get(amount.group(2));
  }

  private static int port(Map<String, String> environment) {
    String text = text(environment, "PAGURUS_PORT").orElse("7070");
    if (!text.matches("\\d{1,5}") || Integer.parseInt(text) > 65535) {
      throw new MigrationException(
          FailureCode.USAGE, "PAGURUS_PORT must be a port, 0 to 65535, not '%s'.".formatted(text));
    }
    return Integer.parseInt(text);
  }

  private static boolean standby(Map<String, String> environment) {
    String role = text(environment, "PAGURUS_ROLE").orElse("active");
    return switch (role) {
      case "standby" -> true;
      case "active" -> false;
      default ->
          throw new MigrationException(
              FailureCode.USAGE,
              "PAGURUS_ROLE must be active or standby, not '%s'.".formatted(role));
    };
  }

  private static boolean lazyRestore(Map<String, String> environment) {
    String choice = text(environment, "PAGURUS_LAZY_RESTORE").orElse("auto");
    return switch (choice) {
      case "auto" -> true;
      case "off" -> false;
      default ->
          throw new MigrationException(
              FailureCode.USAGE,
              "PAGURUS_LAZY_RESTORE must be auto or off, not '%s'.".formatted(choice));
    };
  }

  private static ApiTokens apiTokens(Map<String, String> environment) {
    ApiTokens tokens = ApiTokens.none();
    Optional<String> admin = text(environment, "PAGURUS_API_TOKEN_FILE");
    if (admin.isPresent()) {
      tokens = tokens.withAdmin(Path.of(admin.get()));
    }
    Optional<String> file = text(environment, "PAGURUS_API_TOKENS_FILE");
    return file.isPresent() ? tokens.withFile(Path.of(file.get())) : tokens;
  }

  /**
   * Loads the keys of this runtime, or makes its own.
   *
   * @throws MigrationException USAGE when those of an authority are configured and cannot be used
   */
  public Identity identity() {
    Identity own = Identity.loadOrCreate(stateDirectory);
    return tlsFiles.exist() ? own.with(tlsFiles) : own;
  }

  private static String hostName() {
    try {
      return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
    } catch (IOException e) {
      return "unknown";
    }
  }

  /**
   * Where peers reach this runtime: what the operator advertises, else every global address that
   * this outer container had before the inner engine made its bridges.
   *
   * @param listening the port that is bound
   */
  public List<String> addresses(int listening) {
    if (!advertised.isEmpty()) {
      return advertised.stream()
          .map(address -> address.matches(".*:\\d+") ? address : address + ":" + listening)
          .toList();
    }
    try {
      return NetworkInterface.networkInterfaces()
          .filter(network -> !isInner(network))
          .flatMap(NetworkInterface::inetAddresses)
          .filter(address -> !address.isLoopbackAddress() && !address.isLinkLocalAddress())
          .map(address -> format(address, listening))
          .sorted()
          .toList();
    } catch (SocketException e) {
      return List.of();
    }
  }

  /** The inner engine's bridges and their ends: only inner containers reach those. */
  private static boolean isInner(NetworkInterface network) {
    String name = network.getName();
    return name.startsWith("docker") || name.startsWith("br-") || name.startsWith("veth");
  }

  private static String format(InetAddress address, int port) {
    String host = address.getHostAddress();
    return address instanceof Inet4Address
        ? host + ":" + port
        : "[%s]:%d".formatted(host.replaceFirst("%.*", ""), port);
  }

  /** Without the tokens. */
  @Override
  public String toString() {
    return "Configuration[name=%s, port=%d, standby=%s, state=%s, run=%s, staging=%s]"
        .formatted(name, port, standby, stateDirectory, runDirectory, stagingDirectory);
  }
}
