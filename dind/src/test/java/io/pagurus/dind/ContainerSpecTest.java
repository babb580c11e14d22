package io.pagurus.dind;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.pagurus.dind.InnerContainer.MountKind;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** On an inspect of Docker 26.1.5, whose container was created with about every option set. */
class ContainerSpecTest {
  private final ObjectNode inspect = FakeEngine.resource("inspect.json");

  @Test
  void configurationIsTakenOverWhole() {
    JsonNode body = new ContainerSpec(inspect).createBody("full:1");
    for (var field : inspect.path("Config").properties()) {
      assertEquals(field.getValue(), body.path(field.getKey()), field.getKey());
    }
    assertEquals(inspect.path("HostConfig"), body.path("HostConfig"));
  }

  @Test
  void endpointsKeepWhatWasChosenAndLoseWhatTheEngineChose() {
    JsonNode endpoints =
        new ContainerSpec(inspect)
            .createBody("full:1")
            .path("NetworkingConfig")
            .path("EndpointsConfig");
    assertEquals(
        FakeEngine.json(
            "{'IPAMConfig':{'IPv4Address':'10.9.0.55'},'Links':null,'Aliases':['al','al2'],"
                + "'MacAddress':'02:11:22:33:44:55','DriverOpts':null}"),
        endpoints.path("u2"));
    assertEquals(
        FakeEngine.json("{'IPAMConfig':{},'Links':['c1:lnk'],'Aliases':['q'],'DriverOpts':{}}"),
        endpoints.path("u1"));
  }

  @Test
  void emptiedEntrypointStaysEmptyAlthoughTheImageHasOne() {
    inspect.withObject("/Config").putNull("Entrypoint");
    assertEquals(
        "[\"\"]", new ContainerSpec(inspect).createBody("full:1").path("Entrypoint").toString());
  }

  @Test
  void imageIsReferredToAsItIsKnownAtTheDestination() {
    assertEquals(
        "sha256:1", new ContainerSpec(inspect).createBody("sha256:1").path("Image").asText());
  }

  @Test
  void viewNamesWhatAMigrationNeeds() {
    InnerContainer container = new ContainerSpec(inspect).container();
    assertEquals("c5", container.name());
    assertEquals("full:1", container.imageReference());
    assertEquals(InnerContainer.State.RUNNING, container.state());
    assertEquals(268435456, container.memoryLimitBytes());
    assertEquals("json-file", container.logDriver());
    assertTrue(container.logPath().orElseThrow().toString().endsWith("-json.log"));
    assertTrue(container.layers().orElseThrow().upper().endsWith("diff"));
    assertEquals(2, container.layers().orElseThrow().lower().size());
    InnerContainer.Attachment u2 =
        container.networks().stream().filter(n -> n.network().equals("u2")).findFirst().get();
    assertEquals("10.9.0.55", u2.address().orElseThrow());
    assertEquals("02:11:22:33:44:55", u2.mac().orElseThrow());
    assertTrue(u2.addressIsFixed());
    InnerContainer.Attachment u1 =
        container.networks().stream().filter(n -> n.network().equals("u1")).findFirst().get();
    assertFalse(u1.addressIsFixed());
  }

  @Test
  void anonymousVolumesAreToldFromNamedOnes() {
    Set<Path> anonymous =
        new ContainerSpec(inspect)
            .container().mounts().stream()
                .filter(InnerContainer.Mount::anonymous)
                .map(InnerContainer.Mount::destination)
                .collect(Collectors.toSet());
    assertEquals(Set.of(Path.of("/anon"), Path.of("/anon2"), Path.of("/vol")), anonymous);
  }

  @Test
  void bothKindsOfTmpfsAreMounts() {
    Set<Path> tmpfs =
        new ContainerSpec(inspect)
            .container().mounts().stream()
                .filter(mount -> mount.kind() == MountKind.TMPFS)
                .map(InnerContainer.Mount::destination)
                .collect(Collectors.toSet());
    assertEquals(Set.of(Path.of("/tmp1"), Path.of("/tmp2")), tmpfs);
  }

  @Test
  void everySupportedOptionTogetherIsNoBlocker() {
    assertEquals(List.of(), new ContainerSpec(inspect).blockers(Set.of()));
  }

  @Test
  void allBlockersAreToldAtOnce() {
    ObjectNode host = inspect.withObject("/HostConfig");
    host.put("PidMode", "host").put("IpcMode", "container:x").put("UTSMode", "host");
    host.put("NetworkMode", "container:abc");
    host.putArray("Links").add("/db:/web/db");
    host.putArray("VolumesFrom").add("data");
    host.putArray("Devices").addObject().put("PathOnHost", "/dev/fuse");
    host.withObject("/LogConfig").put("Type", "syslog");
    inspect.withObject("/State").put("Status", "exited");
    inspect.withObject("/GraphDriver").put("Name", "vfs");
    inspect
        .withArray("/Mounts")
        .addObject()
        .put("Type", "bind")
        .put("Source", "/srv/data")
        .put("Destination", "/data");
    inspect
        .withArray("/Mounts")
        .addObject()
        .put("Type", "volume")
        .put("Name", "nfs")
        .put("Source", "/mnt")
        .put("Destination", "/nfs")
        .put("Driver", "netshare");
    inspect
        .withArray("/Mounts")
        .addObject()
        .put("Type", "cluster")
        .put("Source", "x")
        .put("Destination", "/c");

    List<Blocker> blockers = new ContainerSpec(inspect).blockers(Set.of());
    assertEquals(
        Set.of(
            Blocker.Code.NOT_RUNNING,
            Blocker.Code.BIND_MOUNT,
            Blocker.Code.MOUNT_TYPE,
            Blocker.Code.VOLUME_DRIVER,
            Blocker.Code.VOLUMES_FROM,
            Blocker.Code.NETWORK_MODE,
            Blocker.Code.LINKS,
            Blocker.Code.PID_MODE,
            Blocker.Code.IPC_MODE,
            Blocker.Code.UTS_MODE,
            Blocker.Code.DEVICE,
            Blocker.Code.STORAGE_DRIVER,
            Blocker.Code.LOG_DRIVER),
        blockers.stream().map(Blocker::code).collect(Collectors.toSet()));
    assertEquals(
        List.of(Blocker.Code.LOG_DRIVER),
        blockers.stream().filter(Blocker::isWarning).map(Blocker::code).toList());
  }

  @Test
  void filesInASharedDevShmStayBehindWithAWarning() {
    inspect.withObject("/HostConfig").put("IpcMode", "shareable");
    List<Blocker> blockers = new ContainerSpec(inspect).blockers(Set.of());
    assertEquals(
        List.of(Blocker.Code.IPC_SHAREABLE), blockers.stream().map(Blocker::code).toList());
    assertTrue(blockers.getFirst().isWarning());
  }

  @Test
  void skippedBindMountIsNoBlockerByEitherPath() {
    inspect
        .withArray("/Mounts")
        .addObject()
        .put("Type", "bind")
        .put("Source", "/srv/data")
        .put("Destination", "/data");
    ContainerSpec spec = new ContainerSpec(inspect);
    assertEquals(1, spec.blockers(Set.of()).size());
    assertTrue(spec.blockers(Set.of()).getFirst().message().contains("/srv/data"));
    assertEquals(List.of(), spec.blockers(Set.of(Path.of("/srv/data"))));
    assertEquals(List.of(), spec.blockers(Set.of(Path.of("/data"))));
  }
}
