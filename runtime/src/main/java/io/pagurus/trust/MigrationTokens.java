package io.pagurus.trust;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * What the later connections of a migration show instead of its ticket, which was used up.
 *
 * <p>A token is HMAC-SHA256(key, "pagurus migration 1 " || migration id), so that it needs no place
 * of its own to outlive a restart, and nothing is lost with one: the key is one file, {@code
 * migration.key} in the state directory, mode 0600. Whoever hands a token out must make sure that
 * nobody else has used the same migration id before.
 */
public final class MigrationTokens {
  private static final String LABEL = "pagurus migration 1 ";

  private final byte[] key;

  /**
   * @param stateDirectory where the key is, or is made
   */
  MigrationTokens(Path stateDirectory) {
    Path file = stateDirectory.resolve("migration.key");
    if (!Files.exists(file)) {
      PrivateFiles.write(file, HexFormat.of().formatHex(Secret.randomBytes(Secret.BYTES)));
    }
    try {
      key = HexFormat.of().parseHex(Files.readString(file).strip());
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read %s".formatted(file), e);
    }
  }

  /** The token of a migration: a secret, 64 hexadecimal digits. */
  public String of(String migration) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return HexFormat.of()
          .formatHex(mac.doFinal((LABEL + migration).getBytes(StandardCharsets.UTF_8)));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every Java has HmacSHA256", e);
    }
  }

  /** Whether this is the migration's token; takes the same time whatever differs. */
  public boolean matches(String migration, String token) {
    return MessageDigest.isEqual(
        of(migration).getBytes(StandardCharsets.UTF_8), token.getBytes(StandardCharsets.UTF_8));
  }
}
