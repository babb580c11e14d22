package io.pagurus.model;

import static java.util.Objects.requireNonNull;

import java.util.List;

/**
 * What the arrival of a service creates at an engine, beside its image.
 *
 * @param service name of the container
 * @param volumes named ones, which are not there yet
 * @param networks which are not there yet
 */
public record Belongings(String service, List<String> volumes, List<String> networks) {
  public Belongings {
    requireNonNull(service, "service is null");
    volumes = List.copyOf(volumes);
    networks = List.copyOf(networks);
  }
}
