package io.pagurus.criu;

/**
 * What {@code criu check --feature NAME} can be asked for and a migration may depend on; source:
 * {@code feature_list} in CRIU 4.2's {@code criu/cr-check.c}.
 */
public enum CriuFeature {
  USERFAULTFD("uffd", "lazy restore of memory"),
  USERFAULTFD_EVENTS("uffd-noncoop", "lazy restore of processes that fork or remap meanwhile"),
  DIRTY_TRACKING("mem_dirty_track", "CRIU's own pre-dump (Pagurus finds changed pages by digests)"),
  PAGEMAP_SCAN("pagemap_scan", "finding a process's pages quickly"),
  TCP_HALF_CLOSED("tcp_half_closed", "TCP connections closed on one side"),
  SOCKET_BUFFER_LOCK("sockopt_buf_lock", "socket buffer sizes set by the service"),
  SOCKET_NAMESPACE("sk_ns", "sockets of other network namespaces"),
  UNIX_SOCKET_FILE("sk_unix_file", "Unix sockets whose path was replaced"),
  IPV6_FREEBIND("ipv6_freebind", "IPv6 sockets bound to addresses not there yet"),
  IPTABLES_LEGACY("has_ipt_legacy", "locking the network with iptables"),
  NETWORK_LOCK_NFTABLES("network_lock_nftables", "locking the network with nftables"),
  TIME_NAMESPACE("timens", "monotonic clocks that go on"),
  CGROUP_NAMESPACE("cgroupns", "cgroup namespaces"),
  USER_NAMESPACE("userns", "user namespaces"),
  CLONE3_SET_TID("clone3_set_tid", "restoring process ids without a race"),
  PIDFD_STORE("pidfd_store", "finding out reused process ids"),
  SECCOMP_SUSPEND("seccomp_suspend", "services under a seccomp filter"),
  SECCOMP_FILTERS("seccomp_filters", "keeping seccomp filters"),
  RSEQ("get_rseq_conf", "restartable sequences, which glibc uses"),
  VDSO("can_map_vdso", "system calls without entering the kernel"),
  POSIX_TIMERS("timer_cr_ids", "POSIX timers with large ids"),
  TIMER_FD("timerfd", "timer file descriptors"),
  FILE_LOCKS("fdinfo_lock", "file locks"),
  EPOLL("kcmp_epoll", "epoll sets with shared targets"),
  AIO("aio_remap", "asynchronous I/O contexts"),
  HUGE_MEMFD("memfd_hugetlb", "memory files of huge pages"),
  MOUNT_GROUPS("move_mount_set_group", "mount propagation"),
  OVERLAYFS_MAPS("overlayfs_maps", "files mapped from an overlay file system"),
  COMPAT("compat_cr", "32-bit processes"),
  TUN("tun", "tun and tap devices");

  private final String criuName;
  private final String purpose;

  CriuFeature(String criuName, String purpose) {
    this.criuName = criuName;
    this.purpose = purpose;
  }

  /** CRIU's name for it. */
  public String criuName() {
    return criuName;
  }

  /** What it is needed for, as the end of a sentence. */
  public String purpose() {
    return purpose;
  }
}
