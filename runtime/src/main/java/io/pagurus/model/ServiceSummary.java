package io.pagurus.model;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.Optional;

/**
 * A service as {@code pagurus ps} lists it.
 *
 * @param state the engine's word: running, paused, exited, created
 * @param memoryBytes memory that the engine accounts to it, bytes
 * @param migration id of the migration that owns it now
 * @param blockers why it can't migrate; empty when it can
 */
public record ServiceSummary(
    String id,
    String name,
    String image,
    String state,
    @JsonProperty("memory_bytes") long memoryBytes,
    Optional<String> migration,
    List<String> blockers) {}
