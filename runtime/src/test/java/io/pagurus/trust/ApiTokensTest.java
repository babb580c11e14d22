package io.pagurus.trust;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ApiTokensTest {
  private static final String SECRET = "q5mW9YcUkT2bVtXeZr8J";

  @TempDir private Path directory;

  private Path file(String text) throws IOException {
    Path file = directory.resolve("tokens");
    PrivateFiles.write(file, text);
    return file;
  }

  private static void refused(String why, ApiTokens tokens, String token) {
    var failure = assertThrows(MigrationException.class, () -> tokens.roles(token));
    assertEquals(FailureCode.UNAUTHORIZED, failure.code());
    assertTrue(failure.getMessage().contains(why), failure.getMessage());
    assertFalse(failure.getMessage().contains(token), failure.getMessage());
  }

  @Test
  void everyTokenHasItsRoles() throws Exception {
    ApiTokens tokens =
        ApiTokens.none()
            .withFile(
                file(
                    """
                    # for the dashboard
                    read            aaaaaaaaaaaaaaaa

                    Read,migrate    bbbbbbbbbbbbbbbb
                    admin           cccccccccccccccc
                    """));
    assertEquals(Set.of(Role.READ), tokens.roles("aaaaaaaaaaaaaaaa"));
    assertEquals(Set.of(Role.READ, Role.MIGRATE), tokens.roles("bbbbbbbbbbbbbbbb"));
    assertEquals(Set.of(Role.ADMIN), tokens.roles("cccccccccccccccc"));
    refused("unknown", tokens, "dddddddddddddddd");
  }

  @Test
  void aFileMayHoldHashesOnly() throws Exception {
    String digest =
        HexFormat.of()
            .formatHex(
                MessageDigest.getInstance("SHA-256")
                    .digest(SECRET.getBytes(StandardCharsets.UTF_8)));
    ApiTokens tokens = ApiTokens.none().withFile(file("receive sha256:" + digest));
    assertEquals(Set.of(Role.RECEIVE), tokens.roles(SECRET));
    refused("unknown", tokens, "sha256:" + digest);
  }

  @Test
  void anExpiredTokenIsRefusedAsSuch() throws Exception {
    Instant now = Instant.parse("2030-01-01T00:00:00Z");
    ApiTokens tokens =
        ApiTokens.none()
            .withFile(
                file(
                    "read aaaaaaaaaaaaaaaa 2030-01-01T00:00:00Z\nread bbbbbbbbbbbbbbbb 2030-01-01T00:00:01Z"))
            .at(() -> now);
    refused("expired at 2030-01-01T00:00:00Z", tokens, "aaaaaaaaaaaaaaaa");
    assertEquals(Set.of(Role.READ), tokens.roles("bbbbbbbbbbbbbbbb"));
  }

  @Test
  void aReplacedFileCountsAtOnce() throws Exception {
    ApiTokens tokens = ApiTokens.none().withFile(file("read aaaaaaaaaaaaaaaa"));
    file("migrate bbbbbbbbbbbbbbbb");
    refused("unknown", tokens, "aaaaaaaaaaaaaaaa");
    assertEquals(Set.of(Role.MIGRATE), tokens.roles("bbbbbbbbbbbbbbbb"));
    Files.delete(directory.resolve("tokens"));
    refused("cannot be read", tokens, "bbbbbbbbbbbbbbbb");
  }

  @Test
  void theSingleTokenIsAdminBesideTheFile() throws Exception {
    Path single = directory.resolve("single");
    Files.writeString(single, "0123456789abcdef\n");
    ApiTokens tokens = ApiTokens.none().withAdmin(single).withFile(file("read aaaaaaaaaaaaaaaa"));
    assertEquals(Set.of(Role.ADMIN), tokens.roles("0123456789abcdef"));
    assertEquals(Set.of(Role.READ), tokens.roles("aaaaaaaaaaaaaaaa"));
  }

  @Test
  void withoutFilesNothingIsLetIn() {
    refused("unknown", ApiTokens.none(), "aaaaaaaaaaaaaaaa");
    assertThrows(MigrationException.class, () -> ApiTokens.none().roles(""));
  }

  @Test
  void aFileThatOthersMayReadIsRefused() throws Exception {
    Path file = file("read aaaaaaaaaaaaaaaa");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
    var failure = assertThrows(MigrationException.class, () -> ApiTokens.none().withFile(file));
    assertEquals(FailureCode.USAGE, failure.code());
    assertTrue(failure.getMessage().contains("chmod 600"), failure.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          read                                            | it has 1 words
          read secret-secret-secret 2030-01-01 more       | it has 4 words
          secret-secret-secret read                       | roles are read, migrate
          write secret-secret-secret                      | roles are read, migrate
          read secret-secr                                | fewer than 16
          read secret-secret-secret tomorrow              | an expiry is written
          read sha256:secret                              | 64 hexadecimal
          """)
  void aWrongLineIsNamedAndNotRepeated(String line, String why) throws Exception {
    Path file = file("# comment\nread aaaaaaaaaaaaaaaa\n" + line);
    var failure = assertThrows(MigrationException.class, () -> ApiTokens.none().withFile(file));
    assertEquals(FailureCode.USAGE, failure.code());
    assertTrue(failure.getMessage().contains(why), failure.getMessage());
    assertTrue(failure.getMessage().contains("Line 3"), failure.getMessage());
    assertFalse(failure.getMessage().contains("secret"), failure.getMessage());
  }

  @Test
  void aTokenStandsOnce() throws Exception {
    Path file = file("read aaaaaaaaaaaaaaaa\nadmin aaaaaaaaaaaaaaaa");
    var failure = assertThrows(MigrationException.class, () -> ApiTokens.none().withFile(file));
    assertTrue(failure.getMessage().contains("Line 2"), failure.getMessage());
  }
}
