package io.pagurus.e2e;

import java.util.List;
import java.util.TreeMap;

/**
 * What an outer container holds beside its services' own things: mounts, network namespaces and
 * rules, control groups, processes, staged files; by kind, without names that change.
 */
record Leftovers(TreeMap<String, String> kinds) {
  private static final String LOOK =
      """
      name() { sed -E 's/[0-9a-f]{64}/ID/g; s/[0-9a-f]{12}/id/g'; }
      echo "mounts $(awk '{print $2, $3}' /proc/mounts | name | sort | uniq -c | tr '\\n' ';')"
      echo "namespaces $(readlink /proc/[0-9]*/ns/net | sort -u | wc -l)"
      echo "groups $(find /sys/fs/cgroup -type d -path '*docker/*' | name | sort | uniq -c | tr '\\n' ';')"
      echo "rules $({ iptables-save 2> /dev/null | grep '^-A' | grep -vF 127.0.0.11; ip rule; tc qdisc show dev eth0 | grep tbf; } | name | sort | uniq -c | tr '\\n' ';')"
      echo "links $(ls /sys/class/net | wc -l) $(grep -L up /sys/class/net/veth*/operstate 2> /dev/null | wc -l)"
      echo "processes $(cat /proc/[0-9]*/comm 2> /dev/null | grep -xE 'criu.*|runc.*|containerd-shim|lazy.*|python3|oci-runtime' | sort | uniq -c | tr -s ' \\n' ' ')"
      echo "staged $(ls -A /dev/shm /dev/shm/pagurus /run/pagurus/restore 2> /dev/null | grep -v : | grep -vx pagurus | tr '\\n' ' ')"
      echo "volumes $(docker volume ls -q | wc -l) $(docker network ls -q | wc -l)"
      """;

  static Leftovers of(OuterContainer outer) {
    var kinds = new TreeMap<String, String>();
    for (String line : outer.exec("sh", "-c", LOOK).lines()) {
      int space = line.indexOf(' ');
      kinds.put(line.substring(0, space), line.substring(space).strip());
    }
    return new Leftovers(kinds);
  }

  /** What is different there, in words; empty when nothing is. */
  String missedBy(OuterContainer outer) {
    Leftovers now = of(outer);
    StringBuilder said = new StringBuilder();
    kinds.forEach(
        (kind, was) -> {
          List<String> before = List.of(was.split(";", -1));
          List<String> after = List.of(now.kinds.get(kind).split(";", -1));
          if (!before.equals(after)) {
            said.append(
                "%s: %s, was %s. ".formatted(kind, without(after, before), without(before, after)));
          }
        });
    return said.toString();
  }

  private static List<String> without(List<String> all, List<String> some) {
    return all.stream().filter(one -> !some.contains(one)).toList();
  }
}
