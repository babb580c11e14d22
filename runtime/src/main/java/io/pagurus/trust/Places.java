package io.pagurus.trust;

import java.util.HashMap;
import java.util.Map;

/**
 * A bounded number of places, and a bounded number of them for each holder: whoever is slow, or
 * many, leaves room for others.
 */
public final class Places {
  private final int most;
  private final int mostEach;
  private final Map<String, Integer> taken = new HashMap<>();
  private int all;

  /**
   * @param most in all
   * @param mostEach for one holder
   */
  public Places(int most, int mostEach) {
    this.most = most;
    this.mostEach = mostEach;
  }

  /** Whether there was one; it must be {@link #leave left} then. */
  public synchronized boolean take(String holder) {
    if (all >= most || taken.getOrDefault(holder, 0) >= mostEach) {
      return false;
    }
    all++;
    taken.merge(holder, 1, Integer::sum);
    return true;
  }

  public synchronized void leave(String holder) {
    all--;
    taken.computeIfPresent(holder, (key, count) -> count == 1 ? null : count - 1);
  }
}
