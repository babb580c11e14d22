package io.pagurus.trust;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.time.Instant;
import org.junit.jupiter.api.Test;

final class LockoutTest {
  private Instant now = Instant.parse("2030-01-01T00:00:00Z");
  private final Lockout lockout = new Lockout(() -> now);

  private void fail(String remote, int times) {
    for (int i = 0; i < times; i++) {
      lockout.failed(remote);
    }
  }

  @Test
  void anAddressIsLockedOutWhateverItsPortAndOthersAreNot() {
    fail("192.0.2.1:1000", Lockout.MAX_FAILURES - 1);
    assertDoesNotThrow(() -> lockout.requireOpen("192.0.2.1:1"));
    fail("192.0.2.1:2000", 1);
    var failure =
        assertThrows(MigrationException.class, () -> lockout.requireOpen("192.0.2.1:3000"));
    assertEquals(FailureCode.UNAUTHORIZED, failure.code());
    assertDoesNotThrow(() -> lockout.requireOpen("192.0.2.2:3000"));
  }

  @Test
  void itIsLetInAgainAfterAWhile() {
    fail("192.0.2.1:1", Lockout.MAX_FAILURES);
    now = now.plus(Lockout.WINDOW);
    assertDoesNotThrow(() -> lockout.requireOpen("192.0.2.1:1"));
    fail("192.0.2.1:1", 1);
    assertDoesNotThrow(() -> lockout.requireOpen("192.0.2.1:1"));
  }

  @Test
  void manyAddressesDoNotFillTheMemory() {
    for (int i = 0; i < 50_000; i++) {
      lockout.failed("192.0.2.%d:1".formatted(i));
    }
    assertDoesNotThrow(() -> lockout.requireOpen("192.0.2.1:1"));
  }
}
