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
import org.knowm.xchart.XYSeries.XYSeriesRenderStyle;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Results as pictures: medians with their ranges, and what follows from all runs together. */
record Plots(Results results) {
  private static final int WIDTH = 900;
  private static final int HEIGHT = 600;

  /**
   * Writes {@code STEM-SUITE-downtime.png} and {@code STEM-SUITE-total.png} of each suite, {@code
   * STEM-sizes-downtime-log.png}, {@code STEM-phases-STRATEGY.png}, {@code STEM-slope.png}, {@code
   * STEM-predictions.png} and {@code STEM-rest.png}, as far as there are figures.
   *
   * @param stem folder and first part of the files' names
   */
  void write(Path stem) {
    logarithmic().ifPresent(chart -> save(chart, stem + "-sizes-downtime-log.png"));
    for (Suite suite : results.suites()) {
      save(
          bySuite(suite, "Downtime", Run::downtimeMillis),
          stem + "-" + suite.label() + "-downtime.png");
      save(
          bySuite(suite, "Total time", Run::totalMillis),
          stem + "-" + suite.label() + "-total.png");
    }
    for (String peer : results.peers(Suite.SIZES)) {
      if (PagurusStrategy.of(peer).isPresent()) {
        phases(peer).ifPresent(chart -> save(chart, stem + "-phases-" + peer + ".png"));
      }
    }
    slope().ifPresent(chart -> save(chart, stem + "-slope.png"));
    predictions().ifPresent(chart -> save(chart, stem + "-predictions.png"));
    rest().ifPresent(chart -> save(chart, stem + "-rest.png"));
  }

  /** Downtime by size once more: on a straight axis the slowest hides what lies below a second. */
  private Optional<XYChart> logarithmic() {
    if (results.cases(Suite.SIZES).isEmpty()) {
      return Optional.empty();
    }
    XYChart chart =
        lines(
            Suite.SIZES,
            "Downtime: %s (medians and ranges)".formatted(Suite.SIZES.title()),
            Run::downtimeMillis);
    chart.getStyler().setYAxisLogarithmic(true);
    chart.getStyler().setYAxisMin(0.1);
    return Optional.of(chart);
  }

  private Chart<?, ?> bySuite(Suite suite, String title, Function<Run, Optional<Double>> figure) {
    String whole = "%s: %s (medians and ranges)".formatted(title, suite.title());
    return suite.axis().isEmpty() ? bars(suite, whole, figure) : lines(suite, whole, figure);
  }

  private XYChart lines(Suite suite, String title, Function<Run, Optional<Double>> figure) {
    XYChart chart = xy(title, suite.axis(), "s");
    for (String peer : results.peers(suite)) {
      record Point(double place, Spread spread) {}
      List<Point> points =
          results.cases(suite).stream()
              .flatMap(
                  what ->
                      results.spread(peer, what, figure).stream()
                          .map(spread -> new Point(what.place(), spread)))
              .toList();
      if (!points.isEmpty()) {
        chart.addSeries(
            peer,
            points.stream().map(Point::place).toList(),
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

  private CategoryChart bars(Suite suite, String title, Function<Run, Optional<Double>> figure) {
    CategoryChart chart = categories(title, "", "s");
    List<Case> cases = results.cases(suite);
    for (String peer : results.peers(suite)) {
      List<Optional<Spread>> spreads =
          cases.stream().map(what -> results.spread(peer, what, figure)).toList();
      if (spreads.stream().anyMatch(Optional::isPresent)) {
        chart.addSeries(
            peer,
            cases.stream().map(Case::label).toList(),
            spreads.stream().map(it -> it.map(Spread::median).orElse(0.0) / 1000).toList(),
            spreads.stream().map(it -> it.map(Plots::reach).orElse(0.0) / 1000).toList());
      }
    }
    return chart;
  }

  /**
   * As figure 4 of the UMS paper. Sending overlaps the dump; what is drawn of it is the part after
   * the dump.
   */
  private Optional<CategoryChart> phases(String peer) {
    List<Case> cases = results.cases(Suite.SIZES);
    List<String> names =
        results
            .of(Suite.SIZES)
            .filter(run -> run.peer().equals(peer))
            .flatMap(run -> run.phasesMillis().keySet().stream())
            .distinct()
            .toList();
    if (names.isEmpty()) {
      return Optional.empty();
    }
    CategoryChart chart = categories("Phases of " + peer + " (medians)", "", "ms");
    chart.getStyler().setStacked(true);
    chart.getStyler().setLegendPosition(LegendPosition.OutsideE);
    for (String name : names) {
      List<Double> millis =
          cases.stream()
              .map(
                  what ->
                      results
                          .spread(peer, what, run -> Optional.of(apart(name, run.phasesMillis())))
                          .map(Spread::median)
                          .orElse(0.0))
              .toList();
      chart.addSeries(
          name.equals("send") ? "send (after the dump)" : name,
          cases.stream().map(Case::label).toList(),
          millis);
    }
    return Optional.of(chart);
  }

  private static double apart(String name, Map<String, Double> phases) {
    double millis = phases.getOrDefault(name, 0.0);
    return name.equals("send") ? Math.max(0, millis - phases.getOrDefault("dump", 0.0)) : millis;
  }

  /**
   * Downtime of each pre-copy over the memory that travelled in its window, and the line through
   * them.
   */
  private Optional<XYChart> slope() {
    List<LinearFit.Point> points = results.downtimeOverChanged();
    return LinearFit.of(points)
        .map(
            fit -> {
              XYChart chart =
                  xy(
                      "Downtime of pre-copy by what changed: %.0f ms + %.2f ms/MiB"
                          .formatted(fit.base(), fit.slope()),
                      "sent in the window, MiB",
                      "ms");
              scatter(chart, "moves", points);
              double most = points.stream().mapToDouble(LinearFit.Point::x).max().orElse(1);
              line(chart, "least squares", most, fit.base(), fit.base() + fit.slope() * most);
              return chart;
            });
  }

  /** Each predicted downtime over what came; on the diagonal it came as predicted. */
  private Optional<XYChart> predictions() {
    List<Run> predicted =
        results.runs().stream().filter(run -> run.prediction().isPresent()).toList();
    if (predicted.isEmpty()) {
      return Optional.empty();
    }
    XYChart chart = xy("Predicted and reported downtime", "reported, ms", "predicted, ms");
    double most = 1;
    for (String peer : predicted.stream().map(Run::peer).distinct().toList()) {
      List<LinearFit.Point> points =
          predicted.stream()
              .filter(run -> run.peer().equals(peer))
              .map(
                  run ->
                      new LinearFit.Point(
                          run.reported("downtime_ms").orElse(0.0),
                          run.prediction().orElseThrow().downtimeMillis()))
              .toList();
      scatter(chart, peer, points);
      most = Math.max(most, points.stream().mapToDouble(LinearFit.Point::x).max().orElse(1));
    }
    line(chart, "as predicted", most, 0, most);
    line(chart, "25 % more", most, 0, most * (1 + Prediction.AIM));
    line(chart, "25 % less", most, 0, most * (1 - Prediction.AIM));
    return Optional.of(chart);
  }

  private static void scatter(XYChart chart, String name, List<LinearFit.Point> points) {
    chart
        .addSeries(
            name,
            points.stream().map(LinearFit.Point::x).toList(),
            points.stream().map(LinearFit.Point::y).toList())
        .setXYSeriesRenderStyle(XYSeriesRenderStyle.Scatter);
  }

  private static void line(XYChart chart, String name, double most, double from, double to) {
    chart
        .addSeries(name, new double[] {0, most}, new double[] {from, to})
        .setMarker(SeriesMarkers.NONE);
  }

  /** As figure 5 of the FastMig paper. */
  private Optional<CategoryChart> rest() {
    OverheadTables tables = new OverheadTables(results.overhead());
    List<OverheadTables.Yardstick> known =
        OverheadTables.Yardstick.ALL.stream()
            .filter(yardstick -> tables.ratio(yardstick).isPresent())
            .toList();
    if (known.isEmpty()) {
      return Optional.empty();
    }
    CategoryChart chart =
        categories("A service in the inner engine; plain Docker is 100 %", "", "%");
    List<String> names =
        known.stream().map(yardstick -> yardstick.name().replace('_', ' ')).toList();
    chart.addSeries("plain Docker", names, known.stream().map(yardstick -> 100.0).toList());
    chart.addSeries(
        "inner engine",
        names,
        known.stream().map(yardstick -> 100 * tables.ratio(yardstick).orElse(0.0)).toList());
    return Optional.of(chart);
  }

  private static XYChart xy(String title, String x, String y) {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(title)
            .xAxisTitle(x)
            .yAxisTitle(y)
            .build();
    return fromZero(chart, LegendPosition.InsideNW);
  }

  private static CategoryChart categories(String title, String x, String y) {
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(title)
            .xAxisTitle(x)
            .yAxisTitle(y)
            .build();
    return fromZero(chart, LegendPosition.InsideNE);
  }

  private static <C extends Chart<? extends AxesChartStyler, ?>> C fromZero(
      C chart, LegendPosition legend) {
    chart.getStyler().setYAxisMin(0.0);
    chart.getStyler().setLegendPosition(legend);
    return chart;
  }

  private static void save(Chart<?, ?> chart, String file) {
    try {
      ChartEncoder.saveChart(chart, file, "png");
    } catch (IOException failure) {
      throw new UncheckedIOException("Cannot write " + file, failure);
    }
  }
}
