package io.pagurus.criu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class CpuFeaturesTest {
  private static final String ZEN_5 =
      """
      processor\t: 0
      vendor_id\t: AuthenticAMD
      cpu family\t: 26
      model\t\t: 2
      model name\t: AMD EPYC
      flags\t\t: fpu vme sse sse2 nx lm pni sse4_1 popcnt aes xsave avx avx2 avx512f sha_ni smep umip
      bugs\t\t: sysret_ss_attrs

      processor\t: 1
      vendor_id\t: AuthenticAMD
      model name\t: AMD EPYC
      flags\t\t: fpu vme sse sse2 nx lm pni sse4_1 popcnt aes xsave avx avx2 avx512f smep umip
      """;

  private static final String HASWELL =
      """
      vendor_id\t: GenuineIntel
      model name\t: Intel(R) Xeon(R) CPU E5-2680 v3
      flags\t\t: fpu vme sse sse2 nx lm pni sse4_1 popcnt aes xsave avx avx2 fma smep vmx
      vmx flags\t: vnmi preemption_timer
      """;

  private static final String GRAVITON =
      """
      processor\t: 0
      Features\t: fp asimd evtstrm aes sve
      CPU implementer\t: 0x41
      CPU part\t: 0xd40

      processor\t: 1
      Features\t: fp asimd evtstrm aes
      CPU implementer\t: 0x41
      CPU part\t: 0xd40
      """;

  @Test
  void flagsAreThoseOfAllProcessorsThatProgramsCanSee() {
    CpuFeatures cpu = CpuFeatures.parse(ZEN_5, List.of());
    assertEquals("AuthenticAMD", cpu.vendor());
    assertEquals("AMD EPYC", cpu.model());
    assertEquals(
        Set.of("pni", "sse4_1", "popcnt", "aes", "xsave", "avx", "avx2", "avx512f"), cpu.flags());
  }

  @Test
  void armFeaturesAreReadToo() {
    CpuFeatures cpu = CpuFeatures.parse(GRAVITON, List.of());
    assertEquals("0x41", cpu.vendor());
    assertEquals("0xd40", cpu.model());
    assertEquals(Set.of("fp", "asimd", "evtstrm", "aes"), cpu.flags());
  }

  @Test
  void whatADestinationLacksIsNamed() {
    CpuFeatures newer = CpuFeatures.parse(ZEN_5, List.of());
    CpuFeatures older = CpuFeatures.parse(HASWELL, List.of());
    assertEquals(Set.of("avx512f"), newer.missingOn(older));
    assertEquals(Set.of("fma"), older.missingOn(newer));
    assertTrue(newer.missingOn(newer).isEmpty());
  }

  @Test
  void aSiteCanAgreeNotToUseAFlag() {
    CpuFeatures newer = CpuFeatures.parse(ZEN_5, List.of("avx512f", "unheard-of"));
    CpuFeatures older = CpuFeatures.parse(HASWELL, List.of());
    assertTrue(newer.missingOn(older).isEmpty());
  }

  @Test
  void anEmptyFileSaysNothing() {
    assertEquals(
        new CpuFeatures("unknown", "unknown", new TreeSet<>()), CpuFeatures.parse("", List.of()));
  }

  @Test
  void thisMachineHasFlags() throws IOException {
    assertFalse(CpuFeatures.ofThisMachine(List.of()).flags().isEmpty());
  }
}
