package io.pagurus.criu;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What instructions the processors of a machine understand, as far as programs can see it.
 *
 * <p>Programs choose their code by these flags when they start: one that has found AVX-512 will go
 * on using it on a destination that lacks it, and die with SIGILL some time after the restore. So
 * flags that steer only the kernel are left out here, and everything else counts.
 *
 * <p>Source: {@code /proc/cpuinfo}; names as in Linux {@code arch/x86/include/asm/cpufeatures.h}
 * and {@code arch/arm64/kernel/cpuinfo.c}.
 *
 * @param vendor such as {@code AuthenticAMD}; on arm64 the implementer's number
 * @param model the name for people; on arm64 the part number
 * @param flags that all processors of the machine have, sorted
 */
public record CpuFeatures(String vendor, String model, NavigableSet<String> flags) {
  private static final Path CPUINFO = Path.of("/proc/cpuinfo");

  /** The instruction-set extensions of x86-64 beyond what every such processor has. */
  private static final Pattern X86_INSTRUCTIONS =
      Pattern.compile(
          String.join(
              "|",
              "cx16|lahf_lm|movbe|popcnt|abm|rdtscp|mmxext|3dnow|3dnowext|3dnowprefetch",
              "pni|ssse3|sse4.*|misalignsse|avx.*|amx_.*|fma|fma4|xop|tbm|lwp|f16c|bmi[12]|adx",
              "aes|vaes|pclmulqdq|vpclmulqdq|gfni|sha_ni|sha512|sm3|sm4",
              "rdrand|rdseed|rdpid|fsgsbase|rtm|hle|tsxldtrk|erms|fsrm|fzrm|fsrs|fsrc",
              "xsave|xsaveopt|xsavec|xgetbv1|xsaves|pku|ospke|user_shstk",
              "clflushopt|clwb|clzero|cldemote|movdiri|movdir64b|movrs|enqcmd|serialize|waitpkg",
              "ptwrite|uintr|cmpccxadd|raoint|prefetchwt1|prefetchi|apx"));

  public CpuFeatures {
    requireNonNull(vendor, "vendor is null");
    requireNonNull(model, "model is null");
    flags = Collections.unmodifiableNavigableSet(new TreeSet<>(flags));
  }

  /**
   * Reads this machine's, less some flags that a site has agreed not to use, so that services can
   * move between its newer and older machines.
   *
   * <p>To leave a flag out here keeps no program from using it: mask it in the hypervisor (as
   * VMware EVC does), or for glibc's own code with {@code GLIBC_TUNABLES=glibc.cpu.hwcaps}.
   *
   * @param hidden flags to leave out, named as in {@code /proc/cpuinfo}
   */
  public static CpuFeatures ofThisMachine(Collection<String> hidden) throws IOException {
    return parse(Files.readString(CPUINFO), hidden);
  }

  static CpuFeatures parse(String cpuinfo, Collection<String> hidden) {
    NavigableSet<String> common = new TreeSet<>();
    List<NavigableSet<String>> each =
        Stream.concat(
                values(cpuinfo, "flags")
                    .map(line -> words(line, X86_INSTRUCTIONS.asMatchPredicate())),
                values(cpuinfo, "Features").map(line -> words(line, flag -> true)))
            .toList();
    if (!each.isEmpty()) {
      common.addAll(each.getFirst());
    }
    each.forEach(common::retainAll);
    hidden.forEach(common::remove);
    return new CpuFeatures(
        first(cpuinfo, "vendor_id", "CPU implementer"),
        first(cpuinfo, "model name", "CPU part"),
        common);
  }

  private static Stream<String> values(String cpuinfo, String key) {
    return cpuinfo
        .lines()
        .filter(line -> line.startsWith(key) && line.contains(":"))
        .filter(line -> line.substring(0, line.indexOf(':')).strip().equals(key))
        .map(line -> line.substring(line.indexOf(':') + 1).strip());
  }

  private static NavigableSet<String> words(String line, Predicate<String> wanted) {
    NavigableSet<String> words = new TreeSet<>();
    for (String word : line.split("\\s+", -1)) {
      if (!word.isEmpty() && wanted.test(word)) {
        words.add(word);
      }
    }
    return words;
  }

  private static String first(String cpuinfo, String key, String otherKey) {
    return Stream.concat(values(cpuinfo, key), values(cpuinfo, otherKey))
        .findFirst()
        .orElse("unknown");
  }

  /** The flags that a service from this machine may use and would miss on the destination. */
  public NavigableSet<String> missingOn(CpuFeatures destination) {
    NavigableSet<String> missing = new TreeSet<>(flags);
    missing.removeAll(destination.flags());
    return missing;
  }
}
