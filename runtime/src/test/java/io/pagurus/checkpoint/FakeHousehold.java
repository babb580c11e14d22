package io.pagurus.checkpoint;

import io.pagurus.engine.Arrival;
import io.pagurus.engine.Household;
import io.pagurus.protocol.Message;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** One service, and an engine that does as it is told. */
final class FakeHousehold implements Household, InstantSource {
  static final String ID = "c0ffee";
  final Map<String, String> labels = new TreeMap<>();
  final List<String> calls = new ArrayList<>();
  volatile boolean there = true;
  boolean onPurpose;
  String restartPolicy = "";
  String state = "running";
  private Instant now = Instant.now();
  private Instant started = now;
  private Instant finished = now;

  /** Time goes on. */
  synchronized void pass(long millis) {
    now = now.plusMillis(millis);
  }

  /** Its process ends. */
  synchronized void end() {
    state = "exited";
    finished = now;
    onPurpose = false;
  }

  @Override
  public synchronized Instant instant() {
    return now;
  }

  @Override
  public synchronized List<Inhabitant> inhabitants() {
    return there ? List.of(new Inhabitant(ID, "web", Map.copyOf(labels), state)) : List.of();
  }

  @Override
  public synchronized Ending ending(String containerId) {
    return new Ending(
        onPurpose, 137, started.toString(), finished.toEpochMilli() - started.toEpochMilli());
  }

  @Override
  public synchronized String takeOver(String containerId) {
    String before = restartPolicy;
    restartPolicy = "";
    return before;
  }

  @Override
  public synchronized void release(String containerId, String policy) {
    restartPolicy = policy;
  }

  @Override
  public synchronized void start(String containerId) {
    calls.add("start");
    begin();
  }

  synchronized void begin() {
    state = "running";
    now = now.plusMillis(1);
    started = now;
  }

  @Override
  public List<String> sharedVolumes(String containerId) {
    return List.of();
  }

  @Override
  public Arrival comeBack(Message.ServicePlan plan, String containerId, Path staging) {
    throw new UnsupportedOperationException();
  }

  @Override
  public synchronized void undoReturn(String containerId) {
    calls.add("undo");
  }
}
