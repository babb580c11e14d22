package io.pagurus.e2e;

import io.pagurus.e2e.Moment.Side;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;

/** What may happen to a migration, as shell lines at one side. */
enum Fault {
  SOURCE_RUNTIME_KILLED(Side.SOURCE, killed("pgrep -f '[p]agurus-runtime.jar serve'")),
  DESTINATION_RUNTIME_KILLED(Side.DESTINATION, killed("pgrep -f '[p]agurus-runtime.jar serve'")),
  SOURCE_CRIU_KILLED(Side.SOURCE, killed("pgrep -x 'criu|runc.*'")),
  DESTINATION_CRIU_KILLED(Side.DESTINATION, killed("pgrep -x 'criu|runc.*'")),
  SOURCE_DOCKERD_KILLED(Side.SOURCE, killed("pgrep -x dockerd")),
  DESTINATION_DOCKERD_KILLED(Side.DESTINATION, killed("pgrep -x dockerd")),
  /** It hangs, until the runtime kills it. */
  SOURCE_DOCKERD_STOPPED(Side.SOURCE, stopped("pgrep -x dockerd")),
  DESTINATION_DOCKERD_STOPPED(Side.DESTINATION, stopped("pgrep -x dockerd")),
  SOURCE_CONTAINERD_KILLED(Side.SOURCE, killed("pgrep -x containerd")),
  DESTINATION_CONTAINERD_KILLED(Side.DESTINATION, killed("pgrep -x containerd")),
  SOURCE_STOPPED(Side.SOURCE, signalled("STOP"), signalled("CONT"), 10),
  DESTINATION_STOPPED(Side.DESTINATION, signalled("STOP"), signalled("CONT"), 10),
  LINK_CUT(
      Side.DESTINATION,
      "ip route show default > /run/route; ip link set eth0 down",
      // Its routes went with it.
      "ip link set eth0 up; ip route add $(cat /run/route) 2> /dev/null; true",
      8),
  /** Lost requests: what the destination says arrives. */
  NOTHING_REACHES_THE_DESTINATION(
      Side.DESTINATION, dropped("-I INPUT", "--dport"), dropped("-D INPUT", "--dport"), 8),
  /** Lost replies: the destination hears everything. */
  NOTHING_REACHES_THE_SOURCE(
      Side.DESTINATION, dropped("-I OUTPUT", "--sport"), dropped("-D OUTPUT", "--sport"), 8),
  LINK_SLOW(
      Side.SOURCE,
      "tc qdisc add dev eth0 root tbf rate 1mbit burst 32kb latency 400ms",
      "tc qdisc del dev eth0 root",
      8),
  BYTE_FLIPPED(Side.SOURCE, "true"),
  SOURCE_STAGING_FULL(Side.SOURCE, stagingFull(), stagingEmpty(), 4),
  DESTINATION_STAGING_FULL(Side.DESTINATION, stagingFull(), stagingEmpty(), 4),
  SOURCE_JOURNAL_FULL(Side.SOURCE, full(), "rm -f /var/lib/pagurus/journal/full", 4),
  DESTINATION_JOURNAL_FULL(Side.DESTINATION, full(), "rm -f /var/lib/pagurus/journal/full", 4),
  SOURCE_JOURNAL_BROKEN(Side.SOURCE, remounted("ro"), remounted("rw"), 4),
  DESTINATION_JOURNAL_BROKEN(Side.DESTINATION, remounted("ro"), remounted("rw"), 4),
  SOURCE_JOURNAL_IO_ERROR(Side.SOURCE, ioErrors("/var/lib/pagurus/journal"), mended(), 4),
  DESTINATION_JOURNAL_IO_ERROR(Side.DESTINATION, ioErrors("/var/lib/pagurus/journal"), mended(), 4),
  SOURCE_STAGING_IO_ERROR(Side.SOURCE, ioErrors("/dev/shm/pagurus"), mended(), 4),
  DESTINATION_STAGING_IO_ERROR(Side.DESTINATION, ioErrors("/dev/shm/pagurus"), mended(), 4),
  /** Fault 1 of CRIU's criu/include/fault-injection.h: FI_DUMP_EARLY. */
  DUMP_REFUSED(Side.SOURCE, "echo 1 > /run/criu-fault", "rm -f /run/criu-fault"),
  /**
   * FI_POST_RESTORE: when the processes are there already. FI_RESTORE_ROOT_ONLY, before that, lets
   * the first process kill itself, which the first of a PID namespace cannot.
   */
  RESTORE_REFUSED(Side.DESTINATION, "echo 6 > /run/criu-fault", "rm -f /run/criu-fault"),
  SOURCE_OUT_OF_MEMORY(Side.SOURCE, outOfMemory("pgrep -f '[p]agurus-runtime.jar serve'")),
  DESTINATION_OUT_OF_MEMORY(
      Side.DESTINATION, outOfMemory("pgrep -f '[p]agurus-runtime.jar serve'")),
  SOURCE_CRIU_OUT_OF_MEMORY(Side.SOURCE, outOfMemory("pgrep -x 'criu|runc.*'")),
  DESTINATION_CRIU_OUT_OF_MEMORY(Side.DESTINATION, outOfMemory("pgrep -x 'criu|runc.*'")),
  /** The wall clock of the whole outer container ({@code clock.c}); two hours on, or back. */
  SOURCE_CLOCK_AHEAD(Side.SOURCE, clock("7200"), "rm -f /run/clock-offset", 2),
  SOURCE_CLOCK_BACK(Side.SOURCE, clock("-7200"), "rm -f /run/clock-offset", 2),
  DESTINATION_CLOCK_AHEAD(Side.DESTINATION, clock("7200"), "rm -f /run/clock-offset", 2),
  DESTINATION_CLOCK_BACK(Side.DESTINATION, clock("-7200"), "rm -f /run/clock-offset", 2),
  SOURCE_OUTER_KILLED(Side.SOURCE, "true"),
  DESTINATION_OUTER_KILLED(Side.DESTINATION, "true");

  /** What a strike says for each process that it has hit. */
  private static final String HIT = "hit";

  private final Side side;
  private final String strike;
  private final String repair;
  private final Optional<Duration> lasting;

  Fault(Side side, String strike) {
    this(side, strike, "true", 0);
  }

  /** Lasts until the migration has ended. */
  Fault(Side side, String strike, String repair) {
    this(side, strike, repair, Optional.empty());
  }

  Fault(Side side, String strike, String repair, int lastingSeconds) {
    this(side, strike, repair, Optional.of(Duration.ofSeconds(lastingSeconds)));
  }

  Fault(Side side, String strike, String repair, Optional<Duration> lasting) {
    this.side = side;
    this.strike = strike;
    this.repair = repair;
    this.lasting = lasting;
  }

  private static String killed(String found) {
    return hit("KILL", found);
  }

  private static String stopped(String found) {
    return hit("STOP", found);
  }

  private static String hit(String signal, String found) {
    return "for p in $(%s); do kill -%s $p 2> /dev/null && echo %s $p; done; true"
        .formatted(found, signal, HIT);
  }

  private static String signalled(String signal) {
    return "kill -" + signal + " $(pgrep -f '[p]agurus-runtime.jar serve')";
  }

  private static String dropped(String chain, String port) {
    return "iptables %s -p tcp %s 7070 -j DROP".formatted(chain, port);
  }

  /**
   * Something else in the outer container takes all the memory that this may have; the kernel's
   * out-of-memory killer prefers these processes, and then whoever took it. They stand still
   * meanwhile: a restore would hand its preference on to the service, which would then be chosen.
   * Nor is one of them in a PID namespace of its own, which is the service already.
   */
  private static String outOfMemory(String found) {
    return ("for p in $(%s); do [ /proc/$p/ns/pid -ef /proc/self/ns/pid ] && kill -STOP $p && echo 1000 > /proc/$p/oom_score_adj && marked=\"$marked $p\"; done 2> /dev/null;"
            + " head -c 8G /dev/zero | tail > /dev/null 2>&1;"
            + " for p in $marked; do kill -CONT $p 2> /dev/null || echo %s $p; done; true")
        .formatted(found, HIT);
  }

  private static String clock(String seconds) {
    return "echo %s > /run/clock-next && mv /run/clock-next /run/clock-offset".formatted(seconds);
  }

  /** To write as much would take too long. */
  private static String stagingFull() {
    return "until mount -o remount,size=$(($(df --output=used -B1 /dev/shm | tail -1) + 4096)) /dev/shm; do :; done";
  }

  private static String stagingEmpty() {
    return "mount -o remount,size=4g /dev/shm";
  }

  private static String full() {
    return "head -c 1G /dev/zero > /var/lib/pagurus/journal/full 2> /dev/null; true";
  }

  /** EIO for what is written or synchronised below that directory ({@code disk.c}). */
  private static String ioErrors(String directory) {
    return "echo %s > /run/disk-next && mv /run/disk-next /run/disk-broken".formatted(directory);
  }

  private static String mended() {
    return "rm -f /run/disk-broken";
  }

  private static String remounted(String mode) {
    // Busy while somebody writes.
    return "until mount -o remount,%s /var/lib/pagurus/journal; do sleep 0.005; done"
        .formatted(mode);
  }

  /** Where it strikes. */
  Side side() {
    return side;
  }

  /** A shell line there. */
  String strike() {
    return strike;
  }

  /** A shell line there that ends it, after {@link #lasting}. */
  String repair() {
    return repair;
  }

  /** Nothing: until the migration has ended. */
  Optional<Duration> lasting() {
    return lasting;
  }

  /** Whether it kills processes, of which there may be none at a moment. */
  boolean mayMiss() {
    return strike.contains("echo " + HIT);
  }

  /**
   * Whether its strike has hit no process.
   *
   * @param out what the strike has printed
   */
  boolean missed(String out) {
    return mayMiss() && out.lines().noneMatch(line -> line.startsWith(HIT));
  }

  /** Whether processes die with the outer container, as they would with their machine. */
  boolean killsEverything() {
    return this == SOURCE_OUTER_KILLED || this == DESTINATION_OUTER_KILLED;
  }

  /**
   * The inner engine dies at once, and with it the lines of a log that it has read and not kept.
   */
  boolean killsEngine() {
    return name().contains("DOCKERD_") || name().endsWith("CONTAINERD_KILLED");
  }

  boolean needsMemoryLimit() {
    return name().endsWith("OUT_OF_MEMORY");
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }
}
