package io.pagurus.engine.docker;

import io.pagurus.criu.SeccompFilter;
import io.pagurus.policy.Capabilities;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * System calls that Docker's default profile denies, in each of its versions, to a container
 * without certain capabilities ({@code profiles/seccomp/default.json}), whatever their arguments.
 *
 * <p>Programs that two versions of libseccomp make of the same profile differ in every byte. So a
 * filter is not compared with another one, but asked for these. They are witnesses, not the whole
 * profile: calls by which a process gets at what is not its container's.
 */
final class DeniedCalls {
  /** {@code AUDIT_ARCH_} of {@code linux/audit.h}. */
  private static final int X86_64 = 0xc000003e;

  private static final int I386 = 0x40000003;
  private static final int AARCH64 = 0xc00000b7;

  /** Marks numbers of the ABI x32. */
  private static final int X32 = 0x40000000;

  private static final List<Call> ALL = all(System.getProperty("os.arch"));

  private DeniedCalls() {}

  /**
   * @param unless capabilities of which each one may open it
   */
  record Call(String name, int architecture, int number, long unless) {
    @Override
    public String toString() {
      return switch (architecture) {
        case I386 -> name + " (32 bit)";
        default -> (number & X32) != 0 ? name + " (x32)" : name;
      };
    }
  }

  private static List<Call> all(String machine) {
    boolean arm = machine.equals("aarch64");
    List<Call> calls = new ArrayList<>();
    add(calls, arm, "mount", 165, 21, 40, "SYS_ADMIN");
    add(calls, arm, "umount2", 166, 52, 39, "SYS_ADMIN");
    add(calls, arm, "pivot_root", 155, 217, 41, "SYS_ADMIN");
    add(calls, arm, "setns", 308, 346, 268, "SYS_ADMIN");
    add(calls, arm, "unshare", 272, 310, 97, "SYS_ADMIN");
    add(calls, arm, "bpf", 321, 357, 280, "SYS_ADMIN", "BPF");
    add(calls, arm, "perf_event_open", 298, 336, 241, "SYS_ADMIN", "PERFMON");
    add(calls, arm, "keyctl", 250, 288, 219, "SYS_ADMIN");
    add(calls, arm, "swapon", 167, 87, 224, "SYS_ADMIN");
    add(calls, arm, "swapoff", 168, 115, 225, "SYS_ADMIN");
    add(calls, arm, "init_module", 175, 128, 105, "SYS_MODULE");
    add(calls, arm, "finit_module", 313, 350, 273, "SYS_MODULE");
    add(calls, arm, "delete_module", 176, 129, 106, "SYS_MODULE");
    add(calls, arm, "kexec_load", 246, 283, 104, "SYS_ADMIN", "SYS_BOOT");
    add(calls, arm, "reboot", 169, 88, 142, "SYS_ADMIN", "SYS_BOOT");
    add(calls, arm, "open_by_handle_at", 304, 342, 265, "SYS_ADMIN", "DAC_READ_SEARCH");
    add(calls, arm, "settimeofday", 164, 79, 170, "SYS_TIME");
    add(calls, arm, "open_tree", 428, 428, 428, "SYS_ADMIN");
    add(calls, arm, "move_mount", 429, 429, 429, "SYS_ADMIN");
    add(calls, arm, "fsmount", 432, 432, 432, "SYS_ADMIN");
    return List.copyOf(calls);
  }

  private static void add(
      List<Call> calls,
      boolean arm,
      String name,
      int x86,
      int i386,
      int aarch64,
      String... unless) {
    long capabilities = Capabilities.of(Set.of(unless));
    if (arm) {
      calls.add(new Call(name, AARCH64, aarch64, capabilities));
      return;
    }
    calls.add(new Call(name, X86_64, x86, capabilities));
    calls.add(new Call(name, X86_64, x86 | X32, capabilities));
    calls.add(new Call(name, I386, i386, capabilities));
  }

  /** Those that a container with these capabilities may not make. */
  static List<Call> without(long capabilities) {
    return ALL.stream().filter(call -> (call.unless & capabilities) == 0).toList();
  }

  /** Which of these a filter denies. */
  static Set<Call> of(SeccompFilter filter, List<Call> calls) {
    Set<Call> denied = new HashSet<>();
    for (Call call : calls) {
      if (filter.denies(call.architecture, call.number)) {
        denied.add(call);
      }
    }
    return denied;
  }
}
