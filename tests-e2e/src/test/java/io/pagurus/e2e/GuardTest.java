package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;

/**
 * CRIU is killed while the processes that it dumps make system calls for it: without the guard
 * ({@code image/guard.c}) each would die of the next instruction, which is CRIU's.
 */
class GuardTest extends BetweenTwo {
  /** CRIU makes each of them work for it. */
  private static final int COUNTING = 24;

  /** From the first process that is traced to CRIU's end, ms, at most. */
  private static final int DUMP_MILLIS = 40;

  private static final int STEP_MILLIS = 4;

  @Test
  void aServiceOutlivesCriu() {
    python("threads", "threads.py", "-e", "COUNTING=" + COUNTING);
    awaitLog(a, "threads", 3);
    String secret = secret(a.log("threads").getFirst());
    OuterContainer here = a;
    int killed = 0;
    try (ExecutorService striking = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int millis = 0; millis < DUMP_MILLIS; millis += STEP_MILLIS) {
        OuterContainer there = here.equals(a) ? b : a;
        long pid = pid(here, "threads");
        String strike =
            ("until grep -qs '^TracerPid:.*[1-9]' /proc/%d/status; do :; done;"
                    + " sleep 0.%03d; pkill -KILL -x criu || true")
                .formatted(pid, millis);
        OuterContainer struck = here;
        var strikes =
            CompletableFuture.runAsync(
                () -> struck.exec("timeout", "60", "sh", "-c", strike).ok(), striking);
        Command moving = here.tryMigrate("threads", there.ticket(), "--strategy", "stop-and-copy");
        strikes.join();
        if (moving.exitCode() == 0) {
          here = there; // CRIU was faster
        } else {
          killed++;
          assertTrue(moving.err().contains("runs again at"), moving.err());
          assertEquals(pid, pid(here, "threads"), "the same process");
        }
        awaitMoreLog(here, "threads");
      }
    }
    assertTrue(killed > 0, "CRIU was never killed in time");
    for (String line : here.log("threads")) {
      assertEquals(secret, secret(line), "it was started afresh");
    }
  }

  private static String secret(String line) {
    return line.split(" ", -1)[0];
  }
}
