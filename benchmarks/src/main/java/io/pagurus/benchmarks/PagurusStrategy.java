package io.pagurus.benchmarks;

import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One way in which {@code pagurus migrate} moves a service. A new one is a line in {@link #ALL}.
 *
 * @param contender its name among the contenders
 * @param strategy as in {@code --strategy}
 * @param more further options
 */
record PagurusStrategy(String contender, String strategy, List<String> more) {
  static final List<PagurusStrategy> ALL =
      List.of(
          new PagurusStrategy("pagurus", "stop-and-copy", List.of()),
          new PagurusStrategy("pagurus-pre-copy", "pre-copy", List.of()),
          new PagurusStrategy("pagurus-post-copy", "post-copy", List.of()),
          new PagurusStrategy("pagurus-hybrid", "pre-copy", List.of("--allow-post-copy")),
          new PagurusStrategy("pagurus-auto", "auto", List.of()));

  private static final Pattern STRATEGY =
      Pattern.compile("^ +--strategy=.*\\R(?: {20,}.*\\R?)*", Pattern.MULTILINE);

  /** The contender's strategy, when it is one of Pagurus'. */
  static Optional<PagurusStrategy> of(String contender) {
    return ALL.stream().filter(one -> one.contender().equals(contender)).findFirst();
  }

  /** Further arguments of {@code pagurus migrate}. */
  List<String> arguments() {
    List<String> arguments = new java.util.ArrayList<>(List.of("--strategy", strategy));
    arguments.addAll(more);
    return arguments;
  }

  /**
   * Says what a build of Pagurus lacks for this.
   *
   * @param help what {@code pagurus migrate --help} prints
   * @return nothing when it offers all
   */
  Optional<String> missing(String help) {
    Matcher paragraph = STRATEGY.matcher(help);
    if (!paragraph.find() || !hasWord(paragraph.group(), strategy)) {
      return Optional.of("this build of pagurus offers no --strategy " + strategy);
    }
    return more.stream()
        .filter(option -> !hasWord(help, option))
        .findFirst()
        .map(option -> "this build of pagurus offers no " + option);
  }

  /** Words may be broken at their hyphens: a narrow screen's help does so. */
  private static boolean hasWord(String text, String word) {
    String broken = Pattern.quote(word).replace("-", "\\E-\\s*\\Q");
    return Pattern.compile("(?<![\\w-])" + broken + "(?![\\w-])").matcher(text).find();
  }
}
