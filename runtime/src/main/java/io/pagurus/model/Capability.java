package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * One thing that migration needs or profits from, as {@code pagurus check} lists it.
 *
 * @param area kernel, criu, cpu, engine, disk, memory, clock or policy
 * @param name what was probed
 * @param detail what was found
 * @param remedy what to do about it; empty when {@link Status#OK}
 */
public record Capability(String area, String name, Status status, String detail, String remedy) {

  /** How good it is. */
  public enum Status {
    @JsonProperty("ok")
    OK,
    @JsonProperty("limited")
    LIMITED,
    @JsonProperty("missing")
    MISSING
  }
}
