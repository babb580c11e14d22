package io.pagurus.policy;

import com.fasterxml.jackson.databind.JsonNode;
import io.pagurus.model.FailureCode;
import io.pagurus.protocol.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Collects what is wrong with a plan, and reads its JSON as the engine would. */
final class Findings {
  /** A hostile plan can be wrong in a million ways; nobody reads more. */
  private static final int MAX_PROBLEMS = 20;

  private static final int MAX_SHOWN = 100;

  private final List<Message.Problem> problems = new ArrayList<>();

  List<Message.Problem> problems() {
    return List.copyOf(problems);
  }

  /** Not allowed by a rule of the policy file. */
  void refuse(String rule, String what) {
    add(
        FailureCode.FORBIDDEN,
        "The destination's policy refuses %s (rule %s). Its operator can allow it in policy.yaml."
            .formatted(shown(what), rule));
  }

  /** Never allowed, whatever the file says. */
  void refuseAlways(String what) {
    add(FailureCode.FORBIDDEN, "The destination refuses %s.".formatted(shown(what)));
  }

  /** No honest source sends this. */
  void malformed(String what) {
    add(FailureCode.PROTOCOL, "The plan is malformed: %s.".formatted(shown(what)));
  }

  private void add(FailureCode code, String message) {
    if (problems.size() < MAX_PROBLEMS) {
      problems.add(new Message.Problem(code, message));
    }
  }

  /** The peer's text on its way to a terminal or a log. */
  private static String shown(String text) {
    String printable = text.replaceAll("[^\\x20-\\x7e]", "?");
    return printable.length() <= MAX_SHOWN + 100
        ? printable
        : printable.substring(0, MAX_SHOWN + 100) + "...";
  }

  /** Whether a setting is what it is for a container that asks for nothing. */
  static boolean isDefault(JsonNode value) {
    return switch (value.getNodeType()) {
      case MISSING, NULL -> true;
      case BOOLEAN -> !value.asBoolean();
      case NUMBER -> value.isIntegralNumber() && value.canConvertToLong() && value.asLong() == 0;
      case STRING -> value.asText().isEmpty();
      case ARRAY -> value.valueStream().allMatch(Findings::isDefault);
      case OBJECT -> value.isEmpty();
      case BINARY, POJO -> false;
    };
  }

  /** The strings of a list; the engine takes a single string for a list of one (strslice). */
  List<String> texts(String field, JsonNode value) {
    if (isDefault(value)) {
      return List.of();
    }
    if (value.isTextual()) {
      return List.of(value.asText());
    }
    if (!value.isArray() || !value.valueStream().allMatch(JsonNode::isTextual)) {
      malformed(field + " is no list of strings");
      return List.of();
    }
    return value.valueStream().map(JsonNode::asText).toList();
  }

  /** The elements of a list of objects. */
  void objects(String field, JsonNode value, Consumer<JsonNode> each) {
    if (value.isMissingNode() || value.isNull()) {
      return;
    }
    if (!value.isArray() || !value.valueStream().allMatch(JsonNode::isObject)) {
      malformed(field + " is no list of objects");
      return;
    }
    value.forEach(each);
  }

  /** A string; empty when missing. */
  String text(String field, JsonNode value) {
    if (value.isMissingNode() || value.isNull()) {
      return "";
    }
    if (!value.isTextual()) {
      malformed(field + " is no string");
      return "";
    }
    return value.asText();
  }

  /** A whole number; 0 when missing. */
  long number(String field, JsonNode value) {
    if (value.isMissingNode() || value.isNull()) {
      return 0;
    }
    if (!value.isIntegralNumber() || !value.canConvertToLong()) {
      malformed(field + " is no whole number");
      return 0;
    }
    return value.asLong();
  }

  /** Whether one of the patterns, in which {@code *} stands for anything, is this text. */
  static boolean matches(List<String> patterns, String text) {
    return patterns.stream().anyMatch(pattern -> matches(pattern, text));
  }

  private static boolean matches(String pattern, String text) {
    String[] parts = pattern.split("\\*", -1);
    if (parts.length == 1) {
      return pattern.equals(text);
    }
    String last = parts[parts.length - 1];
    if (!text.startsWith(parts[0]) || text.length() < parts[0].length() + last.length()) {
      return false;
    }
    int at = parts[0].length();
    for (int i = 1; i < parts.length - 1; i++) {
      at = text.indexOf(parts[i], at);
      if (at < 0) {
        return false;
      }
      at += parts[i].length();
    }
    return text.length() - last.length() >= at && text.endsWith(last);
  }
}
