package io.pagurus.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * One move to be measured.
 *
 * @param round counted from 1
 * @param contender who moves
 */
record Trial(int round, Case what, String contender) {

  /**
   * All moves of some suites. Interleaved: each case once by each contender, then the next case,
   * then the next round, so that whatever disturbs the machine for a while disturbs all alike.
   *
   * @param contenders of each suite, without those that this machine lacks
   */
  static List<Trial> all(int runs, Map<Suite, List<String>> contenders, Suite.Settings settings) {
    List<Trial> trials = new ArrayList<>();
    for (int round = 1; round <= runs; round++) {
      for (Map.Entry<Suite, List<String>> suite : contenders.entrySet()) {
        for (Case what : suite.getKey().cases(settings)) {
          for (String contender : suite.getValue()) {
            trials.add(new Trial(round, what, contender));
          }
        }
      }
    }
    return trials;
  }
}
