package io.pagurus.trust;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The key that this runtime makes for itself, {@code identity.pem}, mode 0600, in the state
 * directory, and the one before it, {@code identity-previous.pem}.
 *
 * <p>A key is renewed a month before its certificate expires, or as soon as its file has been
 * removed. Tickets and migrations under way that have pinned the one before still find it.
 */
final class OwnKeys {
  private static final Logger log = LoggerFactory.getLogger(OwnKeys.class);

  private static final Duration VALIDITY = Duration.ofDays(365);

  /** Longer than any ticket is valid. */
  private static final Duration RENEWAL = Duration.ofDays(30);

  private final Path file;
  private final Path previousFile;
  private final InstantSource clock;
  private TlsKey current;
  private Optional<TlsKey> previous;

  OwnKeys(Path stateDirectory, InstantSource clock) {
    this.file = stateDirectory.resolve("identity.pem");
    this.previousFile = stateDirectory.resolve("identity-previous.pem");
    this.clock = clock;
    PrivateFiles.createDirectory(stateDirectory);
    this.current = Files.exists(file) ? read(file) : create();
    this.previous = Files.exists(previousFile) ? Optional.of(read(previousFile)) : Optional.empty();
  }

  synchronized TlsKey current() {
    return current;
  }

  /**
   * @param beginning of a fingerprint, not empty
   * @return its key, if it is still known
   */
  synchronized Optional<TlsKey> find(String beginning) {
    if (beginning.isEmpty()) {
      return Optional.empty();
    }
    return current.fingerprint().startsWith(beginning)
        ? Optional.of(current)
        : previous.filter(key -> key.fingerprint().startsWith(beginning));
  }

  /** Renews the key when it is time. What fails is tried again with the next call. */
  synchronized void refresh() {
    boolean removed = !Files.exists(file);
    if (!removed && clock.instant().isBefore(current.expiresAt().minus(RENEWAL))) {
      return;
    }
    try {
      if (removed) {
        PrivateFiles.write(previousFile, current.pem());
      } else {
        Files.move(
            file,
            previousFile,
            StandardCopyOption.ATOMIC_MOVE,
            StandardCopyOption.REPLACE_EXISTING);
      }
      TlsKey next = create();
      previous = Optional.of(current);
      current = next;
      log.info("Renewed this runtime's own certificate: {}", current.fingerprint());
    } catch (IOException | GeneralSecurityException | UncheckedIOException e) {
      log.warn("Cannot renew this runtime's own certificate: {}", e.getMessage());
    }
  }

  private TlsKey create() {
    try {
      TlsKey key = TlsKey.selfSigned(clock.instant(), VALIDITY);
      PrivateFiles.write(file, key.pem());
      return key;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every Java has P-256", e);
    }
  }

  private static TlsKey read(Path file) {
    try {
      String pem = Files.readString(file);
      return TlsKey.of(pem, pem);
    } catch (IOException | GeneralSecurityException | IllegalArgumentException e) {
      throw new UncheckedIOException(
          "Cannot read this runtime's identity from %s: %s. Remove the file to get a new one (older tickets stop working)."
              .formatted(file, e.getMessage()),
          e instanceof IOException io ? io : new IOException(e));
    }
  }
}
