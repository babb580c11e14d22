package io.pagurus.criu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Programs are in bytes: operation (16 bit), jumps if true and if false, constant. */
class SeccompFilterTest {
  private static final int X86_64 = 0xc000003e;
  private static final int MOUNT = 165;

  private static final String LOAD_NUMBER = "2000 00 00 00000000 ";
  private static final String LOAD_ARGUMENT = "2000 00 00 10000000 ";
  private static final String ALLOW = "0600 00 00 0000ff7f ";
  private static final String ERRNO = "0600 00 00 01000500 ";

  private static SeccompFilter filter(String program) {
    return new SeccompFilter(ByteBuffer.wrap(Hex.bytes(program)), false);
  }

  private static boolean deniesMount(String program) {
    return filter(program).denies(X86_64, MOUNT);
  }

  @Test
  void anAllowListDeniesWhatIsNotOnIt() {
    SeccompFilter filter =
        filter(
            "2000 00 00 04000000 1500 00 04 3e0000c0 "
                + LOAD_NUMBER
                + "3500 02 00 00000040 1500 00 01 00000000 "
                + ALLOW
                + ERRNO);
    assertFalse(filter.denies(X86_64, 0), "read");
    assertTrue(filter.denies(X86_64, MOUNT), "mount");
    assertTrue(filter.denies(X86_64, MOUNT | 0x40000000), "mount of x32");
    assertTrue(filter.denies(0x40000003, 21), "another architecture");
  }

  @ParameterizedTest
  @ValueSource(strings = {"00000000", "00000080", "00000300", "26000500"})
  void whatEndsACallDeniesIt(String verdict) {
    assertTrue(deniesMount("0600 00 00 " + verdict));
  }

  /** ALLOW, LOG, TRACE and USER_NOTIF, where somebody else decides. */
  @ParameterizedTest
  @ValueSource(strings = {"0000ff7f", "0000fc7f", "0000f07f", "0000c07f", "ffffffff"})
  void nothingElseDoes(String verdict) {
    assertFalse(deniesMount("0600 00 00 " + verdict));
  }

  @Test
  void aSecretArgumentThatOpensACallIsFound() {
    assertFalse(deniesMount(LOAD_ARGUMENT + "1500 00 01 efbeadde " + ALLOW + ERRNO));
    assertFalse(deniesMount(LOAD_ARGUMENT + "4500 01 00 01000000 " + ALLOW + ERRNO));
    assertFalse(deniesMount(LOAD_ARGUMENT + "1600 00 00 00000000"), "the verdict itself");
    assertTrue(deniesMount(LOAD_ARGUMENT + "1500 00 01 efbeadde " + ERRNO + ERRNO));
  }

  @Test
  void whatIsComputedOfTheNumberIsNotTaken() {
    // A = number + 1: not followed, so both ways are open.
    assertFalse(
        deniesMount(LOAD_NUMBER + "0400 00 00 01000000 1500 00 01 a6000000 " + ALLOW + ERRNO));
    // By way of X and back it stays what it is.
    assertTrue(
        deniesMount(
            LOAD_NUMBER
                + "0700 0000 00000000 8700 0000 00000000 1500 01 00 a5000000 "
                + ALLOW
                + ERRNO));
  }

  @Test
  void oneOfTwoWaysThatMeetIsNotForgotten() {
    // If an argument is 1, A becomes 7; there both meet, and 7 is allowed.
    assertFalse(
        deniesMount(
            LOAD_ARGUMENT
                + "1500 00 02 01000000 "
                + "0000 00 00 07000000 0500 00 00 01000000 "
                + LOAD_NUMBER
                + "1500 00 01 07000000 "
                + ALLOW
                + ERRNO));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "2000 00 00 00000000", // no end
        "0500 00 00 ffffffff 0600 00 00 00000500", // back
        "0500 00 00 01000000 0600 00 00 00000500", // out
        "1500 09 09 00000000 0600 00 00 00000500", // out
        "ff00 00 00 00000000 0600 00 00 00000500", // no operation
        "3000 00 00 00000000 0600 00 00 00000500" // a load of a byte
      })
  void whatTheKernelWouldNotTakeDeniesNothing(String program) {
    assertFalse(deniesMount(program));
  }

  @Test
  void programsHaveALength() {
    for (int bytes : new int[] {0, 7, 9, 8 * 4097}) {
      assertThrows(
          IllegalArgumentException.class,
          () -> new SeccompFilter(ByteBuffer.allocate(bytes), false));
    }
    assertEquals(filter(ERRNO), filter(ERRNO));
  }
}
