package io.pagurus.benchmarks;

import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The runtime's process inside an outer container, as procfs describes it. */
final class RuntimeProcess {
  private static final Pattern FIELD = Pattern.compile("^(\\w+):\\s+(\\d+) kB$", Pattern.MULTILINE);
  private static final String FIND = "pid=$(pgrep -o -f 'java .*pagurus-runtime.jar serve') && ";

  /** Prints its status. */
  static final String SHOW = FIND + "cat /proc/$pid/status";

  /** Lets VmHWM start anew: proc(5), clear_refs, value 5. */
  static final String FORGET_PEAK = FIND + "echo 5 > /proc/$pid/clear_refs";

  private RuntimeProcess() {}

  /** Reads the fields that are in KiB. */
  static Map<String, Long> status(String text) {
    Map<String, Long> fields = new HashMap<>();
    Matcher field = FIELD.matcher(text);
    while (field.find()) {
      fields.put(field.group(1), Long.parseLong(field.group(2)));
    }
    return fields;
  }
}
