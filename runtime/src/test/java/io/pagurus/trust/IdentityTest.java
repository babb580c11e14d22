package io.pagurus.trust;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class IdentityTest {
  @TempDir private Path directory;

  @Test
  void secondStartLoadsWhatTheFirstMade() {
    Identity first = Identity.loadOrCreate(directory);
    assertEquals(first.fingerprint(), Identity.loadOrCreate(directory).fingerprint());
    assertTrue(first.fingerprint().matches("[0-9a-f]{64}"));
  }

  @Test
  void everyStateDirectoryGetsItsOwn(@TempDir Path other) {
    assertNotEquals(
        Identity.loadOrCreate(directory).fingerprint(), Identity.loadOrCreate(other).fingerprint());
  }

  @Test
  void onlyTheOwnerMayReadTheFile() throws Exception {
    Path state = directory.resolve("state");
    var _ = Identity.loadOrCreate(state);
    assertEquals(
        "rw-------",
        PosixFilePermissions.toString(
            Files.getPosixFilePermissions(state.resolve("identity.pem"))));
    assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(state)));
  }

  @Test
  void certificateIsReadableByAnyLibrary() throws Exception {
    // The JDK's parser checks the encoding strictly; verify() checks the signature.
    var certificate = Identity.loadOrCreate(directory).certificate();
    certificate.verify(certificate.getPublicKey());
    certificate.checkValidity();
    assertEquals("CN=pagurus", certificate.getSubjectX500Principal().getName());
    assertEquals(3, certificate.getVersion());
  }

  @Test
  void damagedFileIsAnErrorAndStays() throws Exception {
    Path file = directory.resolve("identity.pem");
    Files.writeString(file, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    var failure = assertThrows(UncheckedIOException.class, () -> Identity.loadOrCreate(directory));
    assertTrue(failure.getMessage().contains(file.toString()));
    assertTrue(Files.exists(file));
  }

  @Test
  void stringFormHasNoKey() throws Exception {
    Identity identity = Identity.loadOrCreate(directory);
    assertFalse(identity.toString().contains("PRIVATE"));
    assertEquals("Identity[" + identity.fingerprint() + "]", identity.toString());
  }
}
