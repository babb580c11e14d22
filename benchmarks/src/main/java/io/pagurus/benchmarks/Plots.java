package io.pagurus.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.ChartEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.Styler.LegendPosition;

/**
 * Results as pictures: medians with their ranges by size, and Pagurus' phases one upon the other.
 */
record Plots(Results results) {
  private static final int WIDTH = 900;
  private static final int HEIGHT = 600;

  /**
   * Writes {@code NAME-downtime.png}, {@code NAME-total.png} and {@code NAME-phases.png}.
   *
   * @param stem folder and first part of the files' names
   */
  void write(Path stem) {
    save(bySize("Downtime by size", Run::downtimeMillis), stem + "-downtime.png");
    save(bySize("Total time by size", Run::totalMillis), stem + "-total.png");
    phases().ifPresent(chart -> save(chart, stem + "-phases.png"));
  }

  private XYChart bySize(String title, Function<Run, Optional<Double>> figure) {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(title + " (link " + results.linkRate() + ", medians and ranges)")
            .xAxisTitle("memory of the service, MiB")
            .yAxisTitle("s")
            .build();
    chart.getStyler().setYAxisMin(0.0);
    chart.getStyler().setLegendPosition(LegendPosition.InsideNW);
    for (String peer : results.peers()) {
      record Point(int mib, Spread spread) {}
      List<Point> points =
          results.sizes().stream()
              .flatMap(
                  mib ->
                      results
                          .spread(peer, mib, figure)
                          .map(spread -> new Point(mib, spread))
                          .stream())
              .toList();
      if (!points.isEmpty()) {
        chart.addSeries(
            peer,
            points.stream().map(point -> (double) point.mib()).toList(),
            points.stream().map(point -> point.spread().median() / 1000).toList(),
            points.stream().map(point -> reach(point.spread()) / 1000).toList());
      }
    }
    return chart;
  }

  /** Half the range: XChart knows one length for both sides. */
  private static double reach(Spread spread) {
    return (spread.most() - spread.least()) / 2;
  }

  /**
   * As figure 4 of the UMS paper. Sending overlaps the dump; what is drawn of it is the part after
   * the dump.
   */
  private Optional<CategoryChart> phases() {
    List<String> names =
        results.runs().stream()
            .filter(run -> run.peer().equals("pagurus"))
            .flatMap(run -> run.phasesMillis().keySet().stream())
            .distinct()
            .toList();
    if (names.isEmpty()) {
      return Optional.empty();
    }
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title("Phases of a migration by Pagurus, by size (medians)")
            .xAxisTitle("memory of the service, MiB")
            .yAxisTitle("ms")
            .build();
    chart.getStyler().setStacked(true);
    chart.getStyler().setLegendPosition(LegendPosition.OutsideE);
    List<String> sizes = results.sizes().stream().map(mib -> Integer.toString(mib)).toList();
    for (String name : names) {
      List<Double> millis =
          results.sizes().stream()
              .map(
                  mib ->
                      results
                          .spread(
                              "pagurus", mib, run -> Optional.of(apart(name, run.phasesMillis())))
                          .map(Spread::median)
                          .orElse(0.0))
              .toList();
      chart.addSeries(name.equals("send") ? "send (after the dump)" : name, sizes, millis);
    }
    return Optional.of(chart);
  }

  private static double apart(String name, Map<String, Double> phases) {
    double millis = phases.getOrDefault(name, 0.0);
    return name.equals("send") ? Math.max(0, millis - phases.getOrDefault("dump", 0.0)) : millis;
  }

  private static void save(Chart<?, ?> chart, String file) {
    try {
      ChartEncoder.saveChart(chart, file, "png");
    } catch (IOException failure) {
      throw new UncheckedIOException("Cannot write " + file, failure);
    }
  }
}
