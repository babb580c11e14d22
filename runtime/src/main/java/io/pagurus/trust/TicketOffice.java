package io.pagurus.trust;

import static java.util.Objects.requireNonNull;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Caller;
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
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * Issues tickets, checks their proofs and lets each be used once.
 *
 * <p>One file per ticket, {@code tickets/ID} in the state directory, mode 0600, holds what {@link
 * Proof} needs to check (not the secret itself), so that tickets outlive a restart. Used and
 * expired tickets are remembered for a while, so that their holder reads what is wrong; only who
 * proves the secret is told so. A ticket goes on to be good when this runtime's certificate is
 * renewed.
 */
public final class TicketOffice {
  /** More guesses than a mistaken holder needs; a secret has 256 bits. */
  private static final int MAX_FAILURES = 5;

  private static final Duration MEMORY = Duration.ofDays(7);

  /** Longer-lived tickets would be passwords. */
  private static final Duration MAX_VALIDITY = Duration.ofDays(7);

  private final Path directory;
  private final Supplier<String> fingerprint;

  /** Whether an authority vouches for names of sources. */
  private final boolean named;

  private final InstantSource clock;
  private final MigrationTokens tokens;
  private final ReentrantLock lock = new ReentrantLock();

  /**
   * @param stateDirectory where {@code tickets/} lives
   * @param fingerprint of this runtime's certificate
   */
  public TicketOffice(Path stateDirectory, String fingerprint, InstantSource clock) {
    this(stateDirectory, () -> fingerprint, false, clock);
  }

  /**
   * @param identity whose certificate tickets name, as it is when they are issued
   */
  public TicketOffice(Path stateDirectory, Identity identity, InstantSource clock) {
    this(stateDirectory, identity::fingerprint, identity.hasAuthority(), clock);
  }

  private TicketOffice(
      Path stateDirectory, Supplier<String> fingerprint, boolean named, InstantSource clock) {
    this.named = named;
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
    return issue(validFor, service, Optional.empty(), addresses);
  }

  /**
   * The same for one source.
   *
   * @param source the only one that may use it: the fingerprint of the certificate that it shows,
   *     64 hexadecimal digits, or a name that an authority vouches for; empty for any
   */
  public Ticket issue(
      Duration validFor,
      Optional<String> service,
      Optional<String> source,
      List<String> addresses) {
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
    source.ifPresent(this::requireMeaning);
    var ticket =
        new Ticket(
            addresses,
            fingerprint.get(),
            Ticket.newId(),
            Secret.random(),
            Instant.ofEpochSecond(clock.instant().plus(validFor).getEpochSecond()),
            service);
    locked(
        () -> {
          forgetOld();
          write(
              ticket.id(),
              new Entry(
                  Proof.verifier(ticket.secret()),
                  ticket.fingerprint(),
                  ticket.expiresAt(),
                  service,
                  source,
                  false,
                  0));
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
   * @param caller who shows it
   * @throws MigrationException UNAUTHORIZED when the ticket is wrong, locked, used, expired, or for
   *     another service or source
   */
  public void check(
      String ticketId,
      byte[] serverNonce,
      byte[] clientNonce,
      byte[] proof,
      String service,
      Caller caller) {
    locked(
        () -> {
          Entry entry = find(ticketId).orElseThrow(TicketOffice::wrong);
          if (entry.failures() >= MAX_FAILURES) {
            throw refused("is locked after %d wrong proofs".formatted(MAX_FAILURES));
          }
          byte[] expected =
              Proof.compute(entry.verifier(), serverNonce, clientNonce, entry.fingerprint());
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
          requireSource(entry.source(), caller);
          return entry;
        });
  }

  private void requireMeaning(String source) {
    if (!named && !source.matches("[0-9a-f]{64}")) {
      throw new MigrationException(
          FailureCode.USAGE,
          "No authority vouches for names of sources here, so '%s' could be anybody. Name the fingerprint that `pagurus version` prints at the source, or configure PAGURUS_TLS_CA."
              .formatted(source));
    }
  }

  /** A name that the source gives to itself would be worth nothing. */
  private static void requireSource(Optional<String> source, Caller caller) {
    if (source.isPresent()
        && !caller.fingerprint().equals(source)
        && !caller.names().contains(source.get())) {
      throw refused(
          "is only for the source '%s', and this one %s"
              .formatted(
                  source.get(),
                  caller.certificate().map(TicketOffice::shown).orElse("shows no certificate")));
    }
  }

  private static String shown(Caller.Certificate certificate) {
    return certificate.vouchedFor()
        ? "has a certificate for %s".formatted(certificate.names())
        : "shows the certificate %s, for which no name is vouched: %s"
            .formatted(certificate.fingerprint(), certificate.doubt());
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
          ? Optional.of(Entry.read(Files.readString(file), fingerprint))
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
      byte[] verifier,
      String fingerprint,
      Instant expiresAt,
      Optional<String> service,
      Optional<String> source,
      boolean used,
      int failures) {

    Entry failedOnce() {
      return new Entry(verifier, fingerprint, expiresAt, service, source, used, failures + 1);
    }

    Entry usedUp() {
      return new Entry(verifier, fingerprint, expiresAt, service, source, true, failures);
    }

    String text() {
      var properties = new Properties();
      properties.setProperty("verifier", HexFormat.of().formatHex(verifier));
      properties.setProperty("fingerprint", fingerprint);
      properties.setProperty("expires_at", expiresAt.toString());
      properties.setProperty("service", service.orElse(""));
      properties.setProperty("source", source.orElse(""));
      properties.setProperty("used", Boolean.toString(used));
      properties.setProperty("failures", Integer.toString(failures));
      var text = new StringWriter();
      try {
        properties.store(text, null);
      } catch (IOException e) {
        throw new UncheckedIOException("A string in memory cannot fail", e);
      }
      return text.toString();
    }

    /**
     * @param current for tickets of a version that did not note which certificate they pin
     */
    static Entry read(String text, Supplier<String> current) throws IOException {
      var properties = new Properties();
      properties.load(new StringReader(text));
      String fingerprint = properties.getProperty("fingerprint", "");
      return new Entry(
          HexFormat.of().parseHex(properties.getProperty("verifier", "")),
          fingerprint.isEmpty() ? current.get() : fingerprint,
          Instant.parse(properties.getProperty("expires_at", Instant.EPOCH.toString())),
          named(properties, "service"),
          named(properties, "source"),
          Boolean.parseBoolean(properties.getProperty("used")),
          Integer.parseInt(properties.getProperty("failures", "0")));
    }

    private static Optional<String> named(Properties properties, String key) {
      return Optional.of(properties.getProperty(key, "")).filter(value -> !value.isEmpty());
    }
  }
}
