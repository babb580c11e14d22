package io.pagurus.policy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** Judges the networks that come with a service. */
final class NetworkJudge {
  private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}");

  /** The kernel's limit is 15; a name of another form could be somebody's interface. */
  private static final Pattern BRIDGE = Pattern.compile("docker0|br-[a-zA-Z0-9_.-]{1,12}");

  private final Policy policy;
  private final Findings findings;
  private final List<Cidr> allowed;

  NetworkJudge(Policy policy, Findings findings) {
    this.policy = policy;
    this.findings = findings;
    this.allowed = policy.subnets().stream().flatMap(text -> Cidr.of(text).stream()).toList();
  }

  void judge(List<ObjectNode> networks) {
    networks.forEach(this::judge);
  }

  private void judge(ObjectNode network) {
    String name = findings.text("network name", network.path("Name"));
    if (!NAME.matcher(name).matches()) {
      findings.malformed("a network named '%s'".formatted(name));
    }
    String driver = findings.text("network driver", network.path("Driver"));
    switch (driver) {
      case "bridge", "null" -> {}
      case "host" -> {
        if (!policy.hostNamespaces().contains("network")) {
          findings.refuse("host_namespaces", "the network namespace of the destination");
        }
      }
      default -> findings.refuseAlways("the network driver '%s'".formatted(driver));
    }
    JsonNode addresses = network.path("IPAM");
    if (!Set.of("", "default").contains(addresses.path("Driver").asText())
        || !Findings.isDefault(addresses.path("Options"))) {
      findings.refuseAlways("the address driver of network " + name);
    }
    findings.objects("IPAM.Config", addresses.path("Config"), this::subnet);
    network.path("Options").properties().forEach(this::option);
    if (!Findings.isDefault(network.path("ConfigFrom").path("Network"))
        || !Findings.isDefault(network.path("ConfigOnly"))
        || !Findings.isDefault(network.path("Ingress"))) {
      findings.refuseAlways("the kind of network " + name);
    }
  }

  /** A bridge takes the traffic to its subnet away from whoever has it outside. */
  private void subnet(JsonNode config) {
    String text = findings.text("subnet", config.path("Subnet"));
    var subnet = Cidr.of(text);
    if (subnet.isEmpty()) {
      findings.malformed("a subnet '%s'".formatted(text));
    } else if (allowed.stream().noneMatch(range -> range.contains(subnet.get()))) {
      findings.refuse("subnets", "the subnet " + text);
    }
  }

  private void option(Map.Entry<String, JsonNode> option) {
    String value = findings.text(option.getKey(), option.getValue());
    boolean known =
        switch (option.getKey()) {
          case "com.docker.network.bridge.default_bridge",
              "com.docker.network.bridge.enable_icc",
              "com.docker.network.bridge.enable_ip_masquerade",
              "com.docker.network.bridge.host_binding_ipv4",
              "com.docker.network.driver.mtu" ->
              true;
          case "com.docker.network.bridge.name" -> BRIDGE.matcher(value).matches();
          default -> false;
        };
    if (!known) {
      findings.refuseAlways("the network option %s=%s".formatted(option.getKey(), value));
    }
  }
}
