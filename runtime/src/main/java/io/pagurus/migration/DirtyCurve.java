package io.pagurus.migration;

/**
 * How many bytes of a service's memory have changed some time after a look at it. Programs write to
 * some pages again and again, so the curve bends: {@code set * (1 - exp(-rate * t / set))} rises
 * with the rate at first and ends at the set.
 *
 * @param bytesPerSecond at first
 * @param setBytes in the long run
 */
record DirtyCurve(double bytesPerSecond, double setBytes) {
  private static final int STEPS = 60;

  /** Fewer changed pages than this tell a rate, but not how it bends. */
  private static final int PAGES_FOR_A_BEND = 20;

  /**
   * A bend is believed as far as chance does not explain it, standard deviations: taken for real, a
   * chance one promises rounds that end soon, of a service whose rounds never end.
   */
  private static final double DOUBT = 2;

  /** A service that changes nothing. */
  static final DirtyCurve NONE = new DirtyCurve(0, 0);

  /**
   * The curve through two looks.
   *
   * @param seconds1 since the beginning, positive
   * @param bytes1 that had changed
   * @param seconds2 later than the first
   * @param bytes2 that had changed, of {@code totalBytes}
   * @param pages that the second look found changed in its sample
   */
  static DirtyCurve through(
      double seconds1,
      double bytes1,
      double seconds2,
      double bytes2,
      double totalBytes,
      int pages) {
    if (bytes2 <= 0) {
      return NONE;
    }
    if (pages < PAGES_FOR_A_BEND || bytes2 >= totalBytes) {
      return new DirtyCurve(
          bytes2 >= totalBytes ? rateOf(bytes2 * 0.999, seconds2, bytes2) : bytes2 / seconds2,
          totalBytes);
    }
    // The smaller the set, the earlier the curve bends, and the more had changed at the first look.
    double early = atLeast(bytes1, bytes2, pages);
    double low = bytes2 * 1.0001;
    double high = totalBytes;
    for (int step = 0; step < STEPS; step++) {
      double set = (low + high) / 2;
      double then = new DirtyCurve(rateOf(bytes2, seconds2, set), set).changedBytes(seconds1);
      if (then > early) {
        low = set;
      } else {
        high = set;
      }
    }
    return new DirtyCurve(rateOf(bytes2, seconds2, high), high);
  }

  /** What had surely changed at the first look, of what had at the second: a binomial sample. */
  private static double atLeast(double bytes1, double bytes2, int pages) {
    double share = Math.clamp(bytes1 / bytes2, 0.0, 1.0);
    return bytes1 - DOUBT * Math.sqrt(share * (1 - share) / pages) * bytes2;
  }

  /** The rate at which a curve with this end has so much after that time. */
  private static double rateOf(double bytes, double seconds, double set) {
    return bytes >= set ? bytes / seconds : -set / seconds * Math.log(1 - bytes / set);
  }

  /** What has changed after that time, bytes. */
  double changedBytes(double seconds) {
    return setBytes <= 0 ? 0 : -setBytes * Math.expm1(-bytesPerSecond * seconds / setBytes);
  }
}
