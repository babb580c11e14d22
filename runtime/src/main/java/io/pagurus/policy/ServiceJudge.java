package io.pagurus.policy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.pagurus.protocol.Message;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Judges a plan before anything else looks at it. */
final class ServiceJudge {
  /** What the engine takes for a name of a container, a volume or a network. */
  private static final Pattern DESCRIPTOR = Pattern.compile("[ -~]{1,200}");

  private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}");

  private static final Pattern IMAGE_ID = Pattern.compile("sha256:[0-9a-f]{64}");
  private static final Pattern REFERENCE = Pattern.compile("[a-zA-Z0-9][a-zA-Z0-9._/:@-]{0,511}");
  private static final Pattern ADDRESS = Pattern.compile("[0-9a-fA-F.:]{0,45}");

  /** A PiB: sums and products of such figures stay within 64 bits. */
  private static final long MAX_BYTES = 1L << 50;

  /** Labels by which this runtime tells its own containers from services. */
  private static final String OWN_LABELS = "io.pagurus.";

  private final Policy policy;
  private final Message.ServicePlan plan;
  private final Findings findings = new Findings();

  ServiceJudge(Policy policy, Message.ServicePlan plan) {
    this.policy = policy;
    this.plan = plan;
  }

  /** Capabilities are written with and without their prefix, in either case. */
  static String plainCapability(String name) {
    String upper = name.toUpperCase(Locale.ROOT);
    return upper.startsWith("CAP_") ? upper.substring("CAP_".length()) : upper;
  }

  List<Message.Problem> judge() {
    form();
    if (findings.problems().isEmpty()) {
      figures();
      image();
      plan.volumes().forEach(this::volume);
      new NetworkJudge(policy, findings).judge(plan.networks());
      attachments();
      config();
      JsonNode host = plan.inspect().path("HostConfig");
      new HostConfigJudge(policy, findings, names(plan.volumes()), names(plan.networks()))
          .judge(host);
    }
    return findings.problems();
  }

  private static Set<String> names(List<ObjectNode> described) {
    return described.stream()
        .map(one -> one.path("Name").asText())
        .collect(Collectors.toUnmodifiableSet());
  }

  /** What every later look at the plan relies on. */
  private void form() {
    if (!NAME.matcher(plan.service()).matches()) {
      findings.malformed("a service named '%s'".formatted(plan.service()));
    }
    String name = plan.inspect().path("Name").asText();
    if (!name.isEmpty() && !name.equals("/" + plan.service())) {
      findings.malformed("the container of %s is named '%s'".formatted(plan.service(), name));
    }
    if (plan.networks().contains(null) || plan.volumes().contains(null)) {
      findings.malformed("a network or volume is null");
      return;
    }
    if (plan.descriptors().size() > 3
        || !plan.descriptors().stream()
            .allMatch(
                descriptor -> descriptor != null && DESCRIPTOR.matcher(descriptor).matches())) {
      findings.malformed("descriptors that runc does not write");
    }
    for (String part : List.of("Config", "HostConfig", "NetworkSettings")) {
      if (!plan.inspect().path(part).isObject()) {
        findings.malformed("it has no " + part);
      }
    }
    text(plan.inspect());
    plan.networks().forEach(this::text);
    plan.volumes().forEach(this::text);
  }

  /** No file name and no argument has a NUL in it. */
  private void text(JsonNode node) {
    if (node.isTextual() && node.textValue().indexOf('\0') >= 0) {
      findings.malformed("a string has a NUL");
    }
    node.forEach(this::text);
    node.fieldNames()
        .forEachRemaining(
            name -> {
              if (name.indexOf('\0') >= 0) {
                findings.malformed("a name has a NUL");
              }
            });
  }

  private void figures() {
    long[] figures = {plan.memoryBytes(), plan.fileBytes(), plan.imageBytes(), plan.logBytes()};
    long total = 0;
    for (long figure : figures) {
      if (figure < 0 || figure > MAX_BYTES) {
        findings.malformed("a size of %d bytes".formatted(figure));
        return;
      }
      total += figure;
    }
    if (plan.sharedBytes() < 0 || plan.sharedBytes() > plan.memoryBytes()) {
      findings.malformed("%d bytes of memory are shared".formatted(plan.sharedBytes()));
    }
    if (total > policy.bytes()) {
      findings.refuse("bytes", "%d bytes where %d are allowed".formatted(total, policy.bytes()));
    }
  }

  private void image() {
    String reference = findings.text("Config.Image", plan.inspect().path("Config").path("Image"));
    if (!IMAGE_ID.matcher(plan.imageId()).matches()) {
      findings.malformed("an image id '%s'".formatted(plan.imageId()));
      return;
    }
    if (!REFERENCE.matcher(reference).matches()) {
      findings.malformed("an image named '%s'".formatted(reference));
      return;
    }
    Policy.Images images = policy.images();
    boolean any = images.digests().isEmpty() && images.registries().isEmpty();
    if (!any && !images.digests().contains(plan.imageId()) && !fromRegistry(reference)) {
      findings.refuse("images", "the image %s (%s)".formatted(reference, plan.imageId()));
    }
  }

  private boolean fromRegistry(String reference) {
    String full = qualified(reference);
    return policy.images().registries().stream()
        .map(registry -> registry.endsWith("/") ? registry : registry + "/")
        .anyMatch(full::startsWith);
  }

  /** With registry: the part before the first slash when it looks like a host, else docker.io. */
  private static String qualified(String reference) {
    int slash = reference.indexOf('/');
    String first = slash < 0 ? "" : reference.substring(0, slash);
    if (first.contains(".") || first.contains(":") || first.equals("localhost")) {
      return reference;
    }
    return "docker.io/" + (slash < 0 ? "library/" : "") + reference;
  }

  private void volume(ObjectNode volume) {
    String name = findings.text("volume name", volume.path("Name"));
    if (!NAME.matcher(name).matches()) {
      findings.malformed("a volume named '%s'".formatted(name));
    }
    if (!Set.of("local").contains(findings.text("volume driver", volume.path("Driver")))) {
      findings.refuseAlways("the driver of volume " + name);
    }
    // Other options of the local driver mount whatever the source names.
    JsonNode options = volume.path("Options");
    boolean harmless =
        Findings.isDefault(options)
            || (options.path("type").asText().equals("tmpfs")
                && options.path("device").asText().equals("tmpfs")
                && options.properties().stream()
                    .allMatch(option -> Set.of("type", "device", "o").contains(option.getKey()))
                && options.path("o").asText().matches("((size|uid|gid|mode)=\\w+,?)*"));
    if (!harmless) {
      findings.refuseAlways("the mount options of volume " + name);
    }
  }

  private void attachments() {
    Set<String> networks = names(plan.networks());
    JsonNode attached = plan.inspect().path("NetworkSettings").path("Networks");
    for (Map.Entry<String, JsonNode> attachment : attached.properties()) {
      if (!networks.contains(attachment.getKey())) {
        findings.refuseAlways(
            "the network '%s', which does not come along".formatted(attachment.getKey()));
      }
      attachment
          .getValue()
          .properties()
          .forEach(field -> endpoint(field.getKey(), field.getValue()));
    }
    for (JsonNode mount : plan.inspect().path("Mounts")) {
      if (!mount.path("Destination").asText().startsWith("/")) {
        findings.malformed("a mount point that is no absolute path");
      }
    }
  }

  private void endpoint(String field, JsonNode value) {
    switch (field) {
      case "IPAddress", "GlobalIPv6Address", "Gateway", "IPv6Gateway", "MacAddress" -> {
        if (!ADDRESS.matcher(findings.text(field, value)).matches()) {
          findings.malformed("an address '%s'".formatted(value.asText()));
        }
      }
      case "IPAMConfig",
          "Aliases",
          "NetworkID",
          "EndpointID",
          "IPPrefixLen",
          "GlobalIPv6PrefixLen",
          "DNSNames",
          "GwPriority" -> {
        // The engine looks at these itself, or nobody does.
      }
      default -> {
        if (!Findings.isDefault(value)) {
          findings.refuseAlways("the setting %s of a network".formatted(field));
        }
      }
    }
  }

  /** Also a list of what is known, for the reason that {@link HostConfigJudge} gives. */
  private void config() {
    for (Map.Entry<String, JsonNode> field : plan.inspect().path("Config").properties()) {
      switch (field.getKey()) {
        case "Hostname",
            "Domainname",
            "User",
            "AttachStdin",
            "AttachStdout",
            "AttachStderr",
            "ExposedPorts",
            "Tty",
            "OpenStdin",
            "StdinOnce",
            "Env",
            "Cmd",
            "Healthcheck",
            "ArgsEscaped",
            "Image",
            "Volumes",
            "WorkingDir",
            "Entrypoint",
            "NetworkDisabled",
            "MacAddress",
            "OnBuild",
            "StopSignal",
            "StopTimeout",
            "Shell" -> {
          // Concerns the container alone.
        }
        case "Labels" ->
            field
                .getValue()
                .fieldNames()
                .forEachRemaining(
                    label -> {
                      if (label.startsWith(OWN_LABELS)) {
                        findings.refuseAlways("the label %s".formatted(label));
                      }
                    });
        default -> {
          if (!Findings.isDefault(field.getValue())) {
            findings.refuseAlways("the setting Config.%s".formatted(field.getKey()));
          }
        }
      }
    }
  }
}
