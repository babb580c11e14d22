package io.pagurus.checkpoint;

import static io.pagurus.checkpoint.ArchiveException.Reason.WRONG_KEY;
import static io.pagurus.model.FailureCode.USAGE;

import io.pagurus.model.MigrationException;
import io.pagurus.trust.PrivateFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;

/** What seals and opens archives: 32 bytes from a file, or a passphrase. Never printed. */
public final class ArchiveKey {
  static final int BYTES = 32;
  static final int SALT_BYTES = 16;

  /**
   * PBKDF2-HMAC-SHA256 (RFC 8018), in number as OWASP's Password Storage Cheat Sheet advises for
   * it; about a third of a second.
   */
  static final int ITERATIONS = 600_000;

  /** An archive may ask for this many; more would only keep the processor busy. */
  private static final int MOST_ITERATIONS = 10_000_000;

  private static final SecureRandom RANDOM = new SecureRandom();
  private static final String HEX = "[0-9a-fA-F]{64}";

  private final Kind kind;
  private final byte[] secret;
  private final byte[] salt;
  private final Map<String, byte[]> derived = new HashMap<>();

  /** Where a key comes from, as the header has it. */
  enum Kind {
    FILE(1),
    PASSPHRASE(2);

    private final int number;

    Kind(int number) {
      this.number = number;
    }

    int number() {
      return number;
    }
  }

  private ArchiveKey(Kind kind, byte[] secret, byte[] salt) {
    this.kind = kind;
    this.secret = secret;
    this.salt = salt;
  }

  /** Of exactly these bytes. */
  static ArchiveKey of(byte[] key) {
    if (key.length != BYTES) {
      throw new IllegalArgumentException("A key has %d bytes".formatted(BYTES));
    }
    return new ArchiveKey(Kind.FILE, key.clone(), new byte[SALT_BYTES]);
  }

  /**
   * Reads a key: 32 bytes, or 64 hexadecimal digits.
   *
   * @throws MigrationException USAGE when it is none, or others than its owner may read it
   */
  public static ArchiveKey read(Path file) {
    try {
      Set<PosixFilePermission> mode = Files.getPosixFilePermissions(file);
      Set<PosixFilePermission> owner =
          Set.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE);
      if (!owner.containsAll(mode)) {
        throw new MigrationException(
            USAGE,
            "The checkpoint key %s may be read by others (%s): `chmod 600` it."
                .formatted(file, PosixFilePermissions.toString(mode)));
      }
      byte[] content = Files.readAllBytes(file);
      String text = new String(content, StandardCharsets.ISO_8859_1).strip();
      if (content.length == BYTES) {
        return of(content);
      }
      if (text.matches(HEX)) {
        return of(HexFormat.of().parseHex(text));
      }
      throw new MigrationException(
          USAGE,
          "The checkpoint key %s must be 32 bytes or 64 hexadecimal digits; `openssl rand -hex 32` prints one."
              .formatted(file));
    } catch (IOException e) {
      throw new MigrationException(
          USAGE, "The checkpoint key %s cannot be read: %s.".formatted(file, e.getMessage()), e);
    }
  }

  /** The same; makes one, mode 0600, where there is none. */
  public static ArchiveKey readOrCreate(Path file) {
    if (Files.exists(file)) {
      return read(file);
    }
    byte[] key = new byte[BYTES];
    RANDOM.nextBytes(key);
    try {
      PrivateFiles.write(file, key);
      return of(key);
    } catch (IOException e) {
      throw new MigrationException(
          USAGE, "The checkpoint key %s cannot be made: %s.".formatted(file, e.getMessage()), e);
    }
  }

  /** From a passphrase, in UTF-8 where it is typed; it stays in memory. */
  public static ArchiveKey ofPassphrase(String passphrase) {
    if (passphrase.length() < 8) {
      throw new MigrationException(USAGE, "The passphrase has fewer than 8 characters.");
    }
    byte[] salt = new byte[SALT_BYTES];
    RANDOM.nextBytes(salt);
    return new ArchiveKey(Kind.PASSPHRASE, passphrase.getBytes(StandardCharsets.UTF_8), salt);
  }

  Kind kind() {
    return kind;
  }

  /** How many rounds a new archive takes. */
  int iterations() {
    return kind == Kind.FILE ? 0 : ITERATIONS;
  }

  /** The salt of new archives: one for all of them, so that the key is derived once. */
  byte[] salt() {
    return salt.clone();
  }

  /**
   * The 32 bytes that an archive's own keys come from.
   *
   * @throws ArchiveException WRONG_KEY when the archive wants another kind of key
   */
  byte[] master(int wanted, int iterations, byte[] itsSalt) throws ArchiveException {
    if (wanted != kind.number()) {
      throw new ArchiveException(
          wanted == Kind.PASSPHRASE.number() ? ArchiveException.Reason.NO_KEY : WRONG_KEY,
          wanted == Kind.PASSPHRASE.number()
              ? "It was sealed with a passphrase, which is not known now: `pagurus start-options NAME --passphrase-fd 0`."
              : "It was sealed with a key file, not with this passphrase.");
    }
    if (kind == Kind.FILE) {
      return secret.clone();
    }
    if (iterations < 1 || iterations > MOST_ITERATIONS) {
      throw new ArchiveException(WRONG_KEY, "Its header asks for %d rounds.".formatted(iterations));
    }
    return derive(iterations, itsSalt).clone();
  }

  private synchronized byte[] derive(int iterations, byte[] itsSalt) {
    return derived.computeIfAbsent(
        iterations + "/" + HexFormat.of().formatHex(itsSalt),
        key -> {
          char[] passphrase = new String(secret, StandardCharsets.UTF_8).toCharArray();
          try {
            PBEKeySpec spec = new PBEKeySpec(passphrase, itsSalt, iterations, BYTES * Byte.SIZE);
            return SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256")
                .generateSecret(spec)
                .getEncoded();
          } catch (GeneralSecurityException e) {
            throw new IllegalStateException("Every JDK has PBKDF2", e);
          } finally {
            Arrays.fill(passphrase, '\0');
          }
        });
  }

  @Override
  public String toString() {
    return "a key (%s)".formatted(kind);
  }
}
