package io.pagurus.policy;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;

/** A mapping of the policy file: every key must be asked for, every value is of one kind. */
final class Section {
  private static final Pattern SIZE = Pattern.compile("(\\d{1,15})\\s*(|B|KiB|MiB|GiB|TiB)");
  private static final List<String> UNITS = List.of("KiB", "MiB", "GiB", "TiB");

  /** What is wrong, and where. */
  static final class Mistake extends Exception {
    Mistake(int line, String what) {
      super("line %d: %s".formatted(line, what));
    }

    Mistake(Node at, String what) {
      this(at.getStartMark().map(mark -> mark.getLine() + 1).orElse(0), what);
    }
  }

  private final Map<String, Node> values = new LinkedHashMap<>();
  private final Map<String, Node> keys = new LinkedHashMap<>();
  private final TreeSet<String> known = new TreeSet<>();

  /** A section without keys. */
  Section() {}

  Section(Node node) throws Mistake {
    if (!(node instanceof MappingNode mapping)) {
      throw new Mistake(node, "keys and values were expected here");
    }
    for (NodeTuple tuple : mapping.getValue()) {
      Node key = tuple.getKeyNode();
      String name = scalar(key, "a key");
      if (keys.put(name, key) != null) {
        throw new Mistake(key, "the key '%s' comes twice".formatted(name));
      }
      values.put(name, tuple.getValueNode());
    }
  }

  private Node find(String key) {
    known.add(key);
    return values.get(key);
  }

  private static String scalar(Node node, String what) throws Mistake {
    if (node instanceof ScalarNode scalar && !scalar.getValue().isBlank()) {
      return scalar.getValue();
    }
    throw new Mistake(node, what + " was expected here");
  }

  boolean flag(String key, boolean fallback) throws Mistake {
    Node node = find(key);
    if (node == null) {
      return fallback;
    }
    return switch (scalar(node, "true or false")) {
      case "true" -> true;
      case "false" -> false;
      case String other ->
          throw new Mistake(node, "%s must be true or false, not '%s'".formatted(key, other));
    };
  }

  /** Words, each of which matches a pattern. */
  List<String> words(String key, String pattern, List<String> fallback) throws Mistake {
    Node node = find(key);
    if (node == null) {
      return fallback;
    }
    if (!(node instanceof SequenceNode sequence)) {
      throw new Mistake(node, key + " must be a list, for instance [] for none");
    }
    List<String> words = new ArrayList<>();
    for (Node item : sequence.getValue()) {
      String word = scalar(item, "a word");
      if (!word.matches(pattern)) {
        throw new Mistake(item, "'%s' is no valid entry of %s".formatted(word, key));
      }
      words.add(word);
    }
    return words;
  }

  /** Bytes, such as 512MiB; the word unlimited takes a limit away. */
  long bytes(String key, long fallback) throws Mistake {
    Node node = find(key);
    if (node == null) {
      return fallback;
    }
    String text = scalar(node, "a size");
    Matcher size = SIZE.matcher(text);
    if (text.equals("unlimited")) {
      return Policy.UNLIMITED;
    }
    if (!size.matches()) {
      throw new Mistake(
          node, "%s must be a size such as 512MiB, or unlimited, not '%s'".formatted(key, text));
    }
    return Long.parseLong(size.group(1)) << (10 * (UNITS.indexOf(size.group(2)) + 1));
  }

  /**
   * A number above zero, in thousandths when these are asked for; the word unlimited takes a limit
   * away.
   */
  long number(String key, int factor, long fallback) throws Mistake {
    Node node = find(key);
    if (node == null) {
      return fallback;
    }
    String text = scalar(node, "a number");
    if (text.equals("unlimited")) {
      return Policy.UNLIMITED;
    }
    boolean valid = text.matches(factor == 1 ? "\\d{1,9}" : "\\d{1,6}(\\.\\d{1,3})?");
    long value = valid ? Math.round(Double.parseDouble(text) * factor) : 0;
    if (value <= 0) {
      throw new Mistake(
          node, "%s must be a number above 0, or unlimited, not '%s'".formatted(key, text));
    }
    return value;
  }

  Section section(String key) throws Mistake {
    Node node = find(key);
    return node == null ? new Section() : new Section(node);
  }

  /** To be called when every key has been asked for. */
  void requireNoMore() throws Mistake {
    for (Map.Entry<String, Node> key : keys.entrySet()) {
      if (!known.contains(key.getKey())) {
        throw new Mistake(
            key.getValue(),
            "unknown key '%s'; known are %s".formatted(key.getKey(), String.join(", ", known)));
      }
    }
  }
}
