package io.pagurus.dind;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

class LostLinksTest {
  @Test
  void findsPairsThatNoContainerGotItsEndOf() throws IOException {
    assertEquals(
        List.of("veth0a1b2c3", "veth4d5e6f7"),
        LostLinks.in(
            """
            [{"ifname":"veth0a1b2c3","link":"veth4d5e6f7","operstate":"DOWN"},
             {"ifname":"veth4d5e6f7","link":"veth0a1b2c3","master":"docker0","operstate":"DOWN"}]
            """));
  }

  @Test
  void leavesWhatAServiceUsesAndWhatIsNotTheEngines() throws IOException {
    assertEquals(
        List.of(),
        LostLinks.in(
            """
            [{"ifname":"vethb723ecf","link_index":2145,"link_netnsid":3,"master":"docker0"},
             {"ifname":"veth-left","link":"veth-right"},
             {"ifname":"veth-right","link":"veth-left"},{}]
            """));
    assertEquals(List.of(), LostLinks.in(""));
  }
}
