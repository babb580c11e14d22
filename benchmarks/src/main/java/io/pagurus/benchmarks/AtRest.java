package io.pagurus.benchmarks;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What Pagurus costs while nothing moves.
 *
 * @param imageMb size of the wrapper image, unpacked, MB
 * @param readyMillis from {@code docker run} to ready, ms, one figure per outer container
 * @param rssMib resident memory of the runtime after its rehearsal, before any migration, MiB
 * @param psMillis {@code docker exec NAME pagurus ps}, ms, several times
 */
record AtRest(
    @JsonProperty("image_mb") double imageMb,
    @JsonProperty("ready_ms") List<Double> readyMillis,
    @JsonProperty("rss_mib") List<Double> rssMib,
    @JsonProperty("ps_ms") List<Double> psMillis) {

  static AtRest of(String image, List<Double> readyMillis, List<Outer> outers) {
    return new AtRest(
        Long.parseLong(Command.run("docker", "image", "inspect", "--format", "{{.Size}}", image))
            / 1e6,
        readyMillis,
        outers.stream().map(outer -> outer.runtimeStatus().get("VmRSS") / 1024.0).toList(),
        IntStream.range(0, 5)
            .mapToObj(i -> millis(() -> outers.getFirst().exec("pagurus", "ps")))
            .toList());
  }

  /** How long something takes, ms. */
  static double millis(Runnable work) {
    long from = System.nanoTime();
    work.run();
    return (System.nanoTime() - from) / 1e6;
  }
}
