package io.pagurus.criu;

import java.util.Comparator;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A release of CRIU, such as 4.2.1. */
public record CriuVersion(int major, int minor, int sublevel) implements Comparable<CriuVersion> {
  private static final Pattern FORMAT =
      Pattern.compile("(\\d{1,6})\\.(\\d{1,6})(?:\\.(\\d{1,6}))?");

  private static final Comparator<CriuVersion> ORDER =
      Comparator.comparingInt(CriuVersion::major)
          .thenComparingInt(CriuVersion::minor)
          .thenComparingInt(CriuVersion::sublevel);

  /** Finds the version in a text such as {@code Version: 4.2.1}. */
  public static Optional<CriuVersion> find(String text) {
    Matcher version = FORMAT.matcher(text);
    if (!version.find()) {
      return Optional.empty();
    }
    int sublevel = version.group(3) == null ? 0 : Integer.parseInt(version.group(3));
    return Optional.of(
        new CriuVersion(
            Integer.parseInt(version.group(1)), Integer.parseInt(version.group(2)), sublevel));
  }

  @Override
  public int compareTo(CriuVersion other) {
    return ORDER.compare(this, other);
  }

  /** As CRIU writes it: without a sublevel of 0. */
  @Override
  public String toString() {
    return sublevel == 0 ? major + "." + minor : major + "." + minor + "." + sublevel;
  }
}
