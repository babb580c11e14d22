package io.pagurus.engine;

import java.util.regex.Pattern;

/**
 * Names in a checkpoint's directory: what CRIU 4.2 writes there ({@code criu/image-desc.c}), runc's
 * one file, and this runtime's lists.
 *
 * <p>What CRIU reads only for the sake of its old versions is none of them (rights of a process in
 * a file of their own, {@code creds-1.img}, above all), nor what the destination makes itself:
 * {@code parent}, and files that end in {@code .new}.
 */
public final class CheckpointFiles {
  /** What the first process was started with as descriptors 0 to 2; runc's. */
  public static final String DESCRIPTORS = "descriptors.json";

  /** Shared memory that CRIU leaves out. */
  public static final String SPARED = "spared";

  /** Each tmpfs that CRIU leaves out. */
  public static final String SPARED_TMPFS = "spared-tmpfs";

  private static final Pattern KNOWN =
      Pattern.compile(
          """
          descriptors\\.json|spared|spared-tmpfs|stats-(dump|frozen)|(
          inventory|pstree|files|reg-files|ext-files|ns-files|cgroup|seccomp|apparmor|cpuinfo|
          filelocks|remap-fpath|memfd|tunfile|timerfd|signalfd|pidfd|binfmt-misc|bpfmap-(file|data)|
          eventfd|eventpoll|eventpoll-tfd|inotify|inotify-wd|fanotify|fanotify-mark|
          pipes|pipes-data|fifo|fifo-data|unixsk|inetsk|packetsk|netlinksk|sk-queues|
          tty|tty-info|tty-data|
          (core|ids|mm|fs|fdinfo|pages|pagemap|pagemap-shmem|mountpoints|autofs|binfmt-misc|
          utsns|userns|timens|pidns|netns|netns-ct|netns-exp|netdev|ifaddr|route|route6|rule|
          iptables|ip6tables|nftables|ipcns-(var|shm|msg|sem))-(0|[1-9][0-9]{0,19})|
          tmpfs-(dev-)?(0|[1-9][0-9]{0,19})\\.tar\\.gz|
          (ghost-file|tcp-stream)-[0-9a-f]{1,16}
          )\\.img\
          """,
          Pattern.COMMENTS);

  private CheckpointFiles() {}

  /** Whether a checkpoint has files of this name. */
  public static boolean isKnown(String name) {
    return KNOWN.matcher(name).matches();
  }
}
