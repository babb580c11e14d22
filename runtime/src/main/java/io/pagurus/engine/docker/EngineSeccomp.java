package io.pagurus.engine.docker;

import com.fasterxml.jackson.databind.JsonNode;
import io.pagurus.policy.Confinement;

/** Which system calls the inner engine filters for a container that asks for nothing. */
enum EngineSeccomp {
  NONE,
  /** Docker's own profile. */
  DEFAULT,
  /** A profile of the operator's, of which nothing is known. */
  OPERATORS;

  /** What a process of a checkpoint must be subject to. */
  enum Demand {
    NOTHING,
    FILTER,
    DEFAULT_PROFILE
  }

  /**
   * @param info as {@code docker info} has it: {@code name=seccomp,profile=builtin} among the
   *     security options, {@code default} until Docker 20.10
   */
  static EngineSeccomp of(JsonNode info) {
    for (JsonNode option : info.path("SecurityOptions")) {
      String text = option.asText();
      if (text.equals("name=seccomp") || text.startsWith("name=seccomp,")) {
        return switch (text) {
          case "name=seccomp,profile=builtin", "name=seccomp,profile=default" -> DEFAULT;
          case "name=seccomp,profile=unconfined" -> NONE;
          default -> OPERATORS;
        };
      }
    }
    return NONE;
  }

  /** Not less than a container has that starts here. */
  Demand demand(Confinement.Seccomp container) {
    return switch (container) {
      case UNCONFINED -> Demand.NOTHING;
      case OWN_PROFILE -> Demand.FILTER;
      case ENGINE_PROFILE ->
          switch (this) {
            case NONE -> Demand.NOTHING;
            case DEFAULT -> Demand.DEFAULT_PROFILE;
            case OPERATORS -> Demand.FILTER;
          };
    };
  }
}
