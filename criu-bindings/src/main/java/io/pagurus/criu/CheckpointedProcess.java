package io.pagurus.criu;

import java.util.List;

/**
 * A process of a checkpoint; source: CRIU's {@code images/pstree.proto}. Numbers are those of the
 * innermost pid namespace.
 *
 * @param pid of the process
 * @param parentPid 0 for the root
 * @param groupId process group
 * @param sessionId session
 * @param threads thread ids, the leader's first
 */
public record CheckpointedProcess(
    int pid, int parentPid, int groupId, int sessionId, List<Integer> threads) {
  public CheckpointedProcess {
    threads = List.copyOf(threads);
  }
}
