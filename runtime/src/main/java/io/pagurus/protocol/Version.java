package io.pagurus.protocol;

import static io.pagurus.model.FailureCode.INCOMPATIBLE_PEER;

import io.pagurus.model.MigrationException;

/** Protocol versions: a runtime speaks {@link #CURRENT} and the one before it. */
public final class Version {
  /** Version of this runtime; the property lets two builds be tested against each other. */
  public static final int CURRENT = Integer.getInteger("pagurus.protocol.version", 1);

  /** The oldest version that this runtime still speaks. */
  public static final int OLDEST = Math.max(1, CURRENT - 1);

  private Version() {}

  /**
   * The version that both sides speak.
   *
   * @throws MigrationException INCOMPATIBLE_PEER when there is none
   */
  public static int agree(int theirs) {
    int agreed = Math.min(CURRENT, theirs);
    if (agreed < OLDEST || theirs - CURRENT > 1) {
      throw new MigrationException(
          INCOMPATIBLE_PEER,
          "The peer speaks protocol version %d, this runtime speaks %d to %d. Upgrade the older of the two."
              .formatted(theirs, OLDEST, CURRENT));
    }
    return agreed;
  }
}
