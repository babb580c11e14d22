package io.pagurus.benchmarks;

import java.util.List;

/** Text in Markdown, growing. */
final class Markdown {
  private final StringBuilder text = new StringBuilder();

  void title(String words) {
    line("# " + words);
    line("");
  }

  void heading(String words) {
    line("## " + words);
    line("");
  }

  void part(String words) {
    line("### " + words);
    line("");
  }

  void line(String words) {
    text.append(words).append('\n');
  }

  /** Figures stand at the right, the first column's words too, as they are sizes mostly. */
  void table(String first, List<String> columns, List<Row> rows) {
    row(first, columns);
    row("---:", columns.stream().map(column -> "---").toList());
    rows.forEach(row -> row(row.name(), row.cells()));
    line("");
  }

  private void row(String first, List<String> others) {
    line("| " + first + " | " + String.join(" | ", others) + " |");
  }

  /** A row of a table. */
  record Row(String name, List<String> cells) {}

  @Override
  public String toString() {
    return text.toString();
  }
}
