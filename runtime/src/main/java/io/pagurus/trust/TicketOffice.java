package io.pagurus.trust;

import static java.util.Objects.requireNonNull;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Issues tickets, checks their proofs and lets each be used once.
 *
 * <p>One file per ticket, {@code tickets/ID} in the state directory, mode 0600, holds what {@link
 * Proof} needs to check (not the secret itself), so that tickets outlive a restart. Used and
 * expired tickets are remembered for a while, so that their holder reads what is wrong; only who
 * proves the secret is told so.
 */
public final class TicketOffice {
  /** More guesses than a mistaken holder needs; a secret has 256 bits. */
  private static final int MAX_FAILURES = 5;

  private static final Duration MEMORY = Duration.ofDays(7);

  /** Longer-lived tickets would be passwords. */
  private static final Duration MAX_VALIDITY = Duration.ofDays(7);

  private final Path directory;
  private final String fingerprint;
  private final InstantSource clock;
  private final MigrationTokens tokens;
  private final ReentrantLock lock = new ReentrantLock();

  /**
   * @param stateDirectory where {@code tickets/} lives
   * @param fingerprint of this runtime's certificate
   */
  public TicketOffice(Path stateDirectory, String fingerprint, InstantSource clock) {
    this.directory = stateDirectory.resolve("tickets");
    this.fingerprint = requireNonNull(fingerprint, "fingerprint is null");
    this.clock = requireNonNull(clock, "clock is null");
    PrivateFiles.createDirectory(directory);
    this.tokens = new MigrationTokens(stateDirectory);
    forgetOld();
  }

  /** What is handed out in exchange for a ticket. */
  public MigrationTokens tokens() {
    return tokens;
  }

  /**
   * Issues a ticket.
   *
   * @param validFor more than zero, at most seven days
   * @param service the only service it is for; empty for any
   * @param addresses where this runtime listens, host:port
   * @throws MigrationException USAGE when an argument is out of range
   */
  public Ticket issue(Duration validFor, Optional<String> service, List<String> addresses) {
    if (!validFor.isPositive() || validFor.compareTo(MAX_VALIDITY) > 0) {
      throw new MigrationException(
          FailureCode.USAGE,
          "A ticket can be valid for at most %d days and must be valid for more than 0 s."
              .formatted(MAX_VALIDITY.toDays()));
    }
    if (addresses.isEmpty()) {
      throw new MigrationException(
          FailureCode.USAGE,
          "No address is known under which this runtime can be reached. Pass --address HOST:PORT or set PAGURUS_ADVERTISE.");
    }
    var ticket =
        new Ticket(
            addresses,
            fingerprint,
            Ticket.newId(),
            Secret.random(),
            Instant.ofEpochSecond(clock.instant().plus(validFor).getEpochSecond()),
            service);
    locked(
        () -> {
          forgetOld();
          write(
              ticket.id(),
              new Entry(Proof.verifier(ticket.secret()), ticket.expiresAt(), service, false, 0));
          return ticket;
        });
    return ticket;
  }

  /**
   * Checks a proof; the ticket stays usable.
   *
   * @param serverNonce what this side drew for the connection
   * @param clientNonce what the client drew
   * @param proof what the client computed by {@link Proof#of}
   * @param service the service it wants to bring
   * @throws MigrationException UNAUTHORIZED when the ticket is wrong, locked, used, expired or for
   *     another service
   */
  public void check(
      String ticketId, byte[] serverNonce, byte[] clientNonce, byte[] proof, String service) {
    locked(
        () -> {
          Entry entry = find(ticketId).orElseThrow(TicketOffice::wrong);
          if (entry.failures() >= MAX_FAILURES) {
            throw refused("is locked after %d wrong proofs".formatted(MAX_FAILURES));
          }
          byte[] expected = Proof.compute(entry.verifier(), serverNonce, clientNonce, fingerprint);
          if (!MessageDigest.isEqual(expected, proof)) {
            write(ticketId, entry.failedOnce());
            throw wrong();
          }
          if (entry.used()) {
            throw refused("has been used already; each works once");
          }
          if (!clock.instant().isBefore(entry.expiresAt())) {
            throw refused("expired at %s".formatted(entry.expiresAt()));
          }
          if (entry.service().isPresent() && !entry.service().get().equals(service)) {
            throw refused(
                "is only for service '%s', not '%s'".formatted(entry.service().get(), service));
          }
          return entry;
        });
  }

  /**
   * Uses a checked ticket up, before anything is done in its name.
   *
   * @throws MigrationException UNAUTHORIZED when another connection was faster
   */
  public void consume(String ticketId) {
    locked(
        () -> {
          Entry entry = find(ticketId).orElseThrow(TicketOffice::wrong);
          if (entry.used()) {
            throw refused("has been used already; each works once");
          }
          write(ticketId, entry.usedUp());
          return entry;
        });
  }

  private static MigrationException wrong() {
    return refused("is unknown here or its secret is wrong");
  }

  private static MigrationException refused(String why) {
    return new MigrationException(
        FailureCode.UNAUTHORIZED,
        "The destination refused the ticket: it %s. Run `pagurus ticket` on the destination for a new one."
            .formatted(why));
  }

  private <T> T locked(Supplier<T> action) {
    lock.lock();
    try {
      return action.get();
    } finally {
      lock.unlock();
    }
  }

  private Optional<Entry> find(String id) {
    // The id comes from the network and becomes a file name.
    if (!id.matches("[0-9a-f]{16}")) {
      return Optional.empty();
    }
    Path file = directory.resolve(id);
    try {
      return Files.exists(file)
          ? Optional.of(Entry.read(Files.readString(file)))
          : Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read ticket %s".formatted(file), e);
    }
  }

  private void write(String id, Entry entry) {
    PrivateFiles.write(directory.resolve(id), entry.text());
  }

  private void forgetOld() {
    Instant limit = clock.instant().minus(MEMORY);
    try (var files = Files.list(directory)) {
      for (Path file : files.toList()) {
        String id = file.getFileName().toString();
        if (find(id).filter(entry -> entry.expiresAt().isBefore(limit)).isPresent()) {
          Files.deleteIfExists(file);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot list tickets in %s".formatted(directory), e);
    }
  }

  /** What is kept of a ticket. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Entry(
      byte[] verifier, Instant expiresAt, Optional<String> service, boolean used, int failures) {

    Entry failedOnce() {
      return new Entry(verifier, expiresAt, service, used, failures + 1);
    }

    Entry usedUp() {
      return new Entry(verifier, expiresAt, service, true, failures);
    }

    String text() {
      Map<String, String> fields =
          Map.of(
              "verifier", HexFormat.of().formatHex(verifier),
              "expires_at", expiresAt.toString(),
              "service", service.orElse(""),
              "used", Boolean.toString(used),
              "failures", Integer.toString(failures));
      var properties = new Properties();
      properties.putAll(fields);
      var text = new StringWriter();
      try {
        properties.store(text, null);
      } catch (IOException e) {
        throw new UncheckedIOException("A string in memory cannot fail", e);
      }
      return text.toString();
    }

    static Entry read(String text) throws IOException {
      var properties = new Properties();
      properties.load(new StringReader(text));
      Map<String, String> fields =
          properties.stringPropertyNames().stream()
              .collect(Collectors.toMap(Function.identity(), properties::getProperty));
      String service = fields.getOrDefault("service", "");
      return new Entry(
          HexFormat.of().parseHex(fields.getOrDefault("verifier", "")),
          Instant.parse(fields.getOrDefault("expires_at", Instant.EPOCH.toString())),
          service.isEmpty() ? Optional.empty() : Optional.of(service),
          Boolean.parseBoolean(fields.get("used")),
          Integer.parseInt(fields.getOrDefault("failures", "0")));
    }
  }
}
