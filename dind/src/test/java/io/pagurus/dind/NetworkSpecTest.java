package io.pagurus.dind;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NetworkSpecTest {
  private static final NetworkSpec BACK =
      new NetworkSpec(network("back", "10.9.0.0/24").put("Internal", true));

  @TempDir Path directory;
  private FakeEngine fake;
  private EngineApi api;

  @BeforeEach
  void start() throws IOException {
    fake = new FakeEngine(directory.resolve("docker.sock"));
    api = new EngineApi(fake.socket());
    fake.on("POST /networks/create", FakeEngine.json("{'Id':'n1'}"));
  }

  @AfterEach
  void stop() throws IOException {
    api.close();
    fake.close();
  }

  @Test
  void missingNetworkIsCreatedWithEverythingThatWasSet() {
    fake.on("GET /networks", FakeEngine.array(network("bridge", "172.31.0.0/16")));
    assertTrue(BACK.ensure(api));
    ObjectNode body = (ObjectNode) fake.requests.getLast().json();
    assertEquals("back", body.path("Name").asText());
    assertTrue(body.path("Internal").asBoolean());
    assertEquals("{\"mtu\":\"1400\"}", body.path("Options").toString());
    assertEquals("10.9.0.0/24", body.path("IPAM").path("Config").path(0).path("Subnet").asText());
    assertFalse(body.has("Id"));
    assertFalse(body.has("Containers"));
  }

  @Test
  void sameNetworkIsUsedAsItIs() {
    fake.on("GET /networks", FakeEngine.array(network("back", "10.9.0.0/24")));
    assertFalse(BACK.ensure(api));
  }

  @Test
  void sameNameWithAnotherSubnetIsRefused() {
    fake.on("GET /networks", FakeEngine.array(network("back", "10.8.0.0/24")));
    BlockedException refusal = assertThrows(BlockedException.class, () -> BACK.ensure(api));
    assertEquals(Blocker.Code.NETWORK_TAKEN, refusal.blocker().code());
    assertTrue(refusal.getMessage().contains("10.8.0.0/24"), refusal.getMessage());
  }

  @Test
  void overlappingSubnetOfAnotherNetworkIsRefused() {
    fake.on("GET /networks", FakeEngine.array(network("wide", "10.0.0.0/8")));
    assertTrue(BACK.blocker(api, List.of()).orElseThrow().message().contains("wide"));
  }

  @Test
  void neighbouringSubnetIsFine() {
    fake.on("GET /networks", FakeEngine.array(network("next", "10.9.1.0/24")));
    assertTrue(BACK.blocker(api, List.of()).isEmpty());
  }

  @Test
  void networkOfTheOuterContainerItselfIsRefused() {
    fake.on("GET /networks", FakeEngine.array());
    assertTrue(
        BACK.blocker(api, List.of(Subnet.of("10.9.0.17/16")))
            .orElseThrow()
            .message()
            .endsWith("is in 10.9.0.0/16."));
    assertTrue(BACK.blocker(api, List.of(Subnet.of("10.10.0.17/16"))).isEmpty());
  }

  @Test
  void macvlanIsRefused() {
    fake.on("GET /networks", FakeEngine.array());
    NetworkSpec spec = new NetworkSpec(network("lan", "10.9.0.0/24").put("Driver", "macvlan"));
    assertEquals(Blocker.Code.NETWORK_DRIVER, spec.blocker(api).orElseThrow().code());
  }

  @Test
  void volumeOfTheSameNameIsRefused() {
    VolumeSpec volume = VolumeSpec.of(volume("data"));
    assertTrue(volume.blocker(api).isEmpty());
    fake.on("GET /volumes/data", volume("data"));
    assertEquals(Blocker.Code.VOLUME_TAKEN, volume.blocker(api).orElseThrow().code());
  }

  @Test
  void volumeOnADeviceOrADirectoryIsRefused() {
    ObjectNode inspect = volume("data");
    inspect.putObject("Options").put("type", "none").put("o", "bind").put("device", "/srv");
    assertTrue(VolumeSpec.of(inspect).blocker().orElseThrow().message().contains("/srv"));
    assertTrue(VolumeSpec.of(volume("data")).blocker().isEmpty());
  }

  private static ObjectNode volume(String name) {
    return FakeEngine.json(
        "{'Name':'" + name + "','Driver':'local','Mountpoint':'/v/_data','Labels':{'a':'b'}}");
  }

  private static ObjectNode network(String name, String subnet) {
    ObjectNode network =
        FakeEngine.json(
            "{'Id':'x','Driver':'bridge','Internal':false,'Options':{'mtu':'1400'},'Containers':{}}");
    network.put("Name", name);
    network.putObject("IPAM").putArray("Config").addObject().put("Subnet", subnet);
    return network;
  }
}
