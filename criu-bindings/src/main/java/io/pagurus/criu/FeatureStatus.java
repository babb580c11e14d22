package io.pagurus.criu;

/**
 * Whether CRIU has a feature on this kernel.
 *
 * @param support the answer
 * @param detail CRIU's own words when it is not supported; may be empty
 */
public record FeatureStatus(Support support, String detail) {
  /** The three answers. */
  public enum Support {
    SUPPORTED,
    MISSING,
    /** CRIU is not there, too old to know the feature, or did not answer in time. */
    UNKNOWN
  }

  /** Whether CRIU has said yes. */
  public boolean supported() {
    return support == Support.SUPPORTED;
  }
}
