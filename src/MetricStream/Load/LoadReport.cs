using System.Globalization;
using System.Text;

namespace MetricStream.Load;

/// <summary>Everything one <c>load</c> command found out: the run (or the best step of a search), the search, the verification.</summary>
internal sealed record LoadOutcome(LoadOptions Options, string RunId)
{
    /// <summary>The one run, or the best step of the search; null when no step held.</summary>
    public LoadResult? Result { get; init; }

    public RateSearch? Search { get; init; }

    public VerificationReport? Verification { get; init; }

    public bool WasInterrupted { get; init; }

    /// <summary>130 interrupted; 1 a request failed or a batch is missing, doubled, altered or uninvited; else 0. In a search a rate that
    /// breaks is no failure: finding it is the purpose; that none held is one.</summary>
    public int ExitCode => WasInterrupted ? 130
        : Verification is { IsClean: false } ? 1
        : Search is not null ? (Search.Best is null ? 1 : 0)
        : Result is { Tally.Failed: > 0 } ? 1
        : 0;
}

/// <summary>The load report as people read it: aligned lines, one number each.</summary>
internal static class LoadReport
{
    private const int LabelWidth = 16;

    public static string Text(LoadOutcome outcome)
    {
        var text = new StringBuilder();
        if (outcome.WasInterrupted) text.AppendLine("interrupted: this is what was measured so far");
        if (outcome.Search is { } search) AppendSearch(text, search);
        if (outcome.Result is { } result) AppendResult(text, result);
        if (outcome.Verification is { } verification) AppendVerification(text, verification);
        return text.ToString();
    }

    /// <summary>One line for a step of a search, aligned with the others.</summary>
    public static string StepLine(RateStep step)
    {
        var latency = step.Result.Tally.Latency;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{step.Rate,10:0.#}/s  reached {step.Result.RequestsPerSecond,10:0.0}/s  p50 {Show(latency.Percentile(50)),10}"
            + $"  p99 {Show(latency.Percentile(99)),10}  max {Show(latency.Max),10}  {(step.Holds ? "held" : step.Refusal)}");
    }

    /// <summary>A time with three significant digits and the unit that reads best.</summary>
    public static string Show(TimeSpan time) => time.TotalMilliseconds switch
    {
        < 1 => Invariant($"{time.TotalMicroseconds:0} µs"),
        < 10 => Invariant($"{time.TotalMilliseconds:0.00} ms"),
        < 100 => Invariant($"{time.TotalMilliseconds:0.0} ms"),
        < 1000 => Invariant($"{time.TotalMilliseconds:0} ms"),
        _ => Invariant($"{time.TotalSeconds:0.00} s"),
    };

    private static void AppendSearch(StringBuilder text, RateSearch search)
    {
        if (search.Best is { } best)
            Line(text, "highest rate", $"{best.Rate:0.#} requests/s held, of {search.Steps.Count} tried; its measurement:");
        else
            Line(text, "highest rate", $"none of the {search.Steps.Count} tried was held");
    }

    private static void AppendResult(StringBuilder text, LoadResult result)
    {
        var (shape, tally, seconds) = (result.Shape, result.Tally, result.Elapsed.TotalSeconds);
        Line(text, "requests", $"{tally.Finished} in {seconds:0.00} s by {shape.Clients} clients, {shape.Metrics} metrics each");
        Line(text, "success", $"{Percent(result.SuccessRate)}  ({tally.Succeeded} of {tally.Finished})");
        Line(text, "requests/s", $"{result.RequestsPerSecond:0.0}{(shape.Rate is { } rate ? Invariant($" of {rate:0.#} offered") : "")}");
        Line(text, "metrics/s", $"{result.MetricsPerSecond:0.0}");
        AppendLatency(text, result);
        Line(text, "status codes", $"{Counts(tally.Statuses.Select(pair => (Invariant($"{pair.Key}"), pair.Value)))}");
        Line(text, "errors", $"{Counts(tally.Failures.Select(pair => (LoadTally.NameOf(pair.Key), pair.Value)))}");
        foreach (var (kind, example) in tally.Examples) Line(text, $"  {kind}", $"{example}");
        if (tally.Unsent > 0)
            Line(text, "never sent", $"{tally.Unsent} due while all {shape.Clients} connections were busy; in the latency with their wait");
        if (tally.Abandoned > 0) Line(text, "abandoned", $"{tally.Abandoned} in flight at the interruption");
    }

    private static void AppendLatency(StringBuilder text, LoadResult result)
    {
        var latency = result.Tally.Latency;
        Line(text, "latency", $"{(result.Shape.Rate is null ? "from the send" : "from the intended send time")} to the end of the answer");
        (string Name, TimeSpan Time)[] rows =
        [
            ("min", latency.Min), ("mean", latency.Mean), ("p50", latency.Percentile(50)), ("p90", latency.Percentile(90)),
            ("p99", latency.Percentile(99)), ("p99.9", latency.Percentile(99.9)), ("max", latency.Max),
        ];
        foreach (var (name, time) in rows) Line(text, "  " + name, $"{Show(time),10}");
        if (result.Shape.Rate is not null) Line(text, "  send lag p99", $"{Show(result.Tally.SendLag.Percentile(99)),10}");
    }

    private static void AppendVerification(StringBuilder text, VerificationReport report)
    {
        Line(text, "verified", $"{report.Found} of {report.Acknowledged} acknowledged stored exactly once as posted (run {report.RunId})");
        Line(text, "  refused", $"{report.Refused}, none of them stored: {(report[Anomaly.Uninvited] == 0 ? "yes" : "NO")}");
        Line(text, "  unknown", $"{report.Unknown} without an answer, {report.UnknownStored} of them stored");
        var anomalies = Enum.GetValues<Anomaly>().Select(anomaly => (anomaly.ToString().ToLowerInvariant(), report[anomaly]));
        Line(text, "  anomalies", $"{Counts(anomalies)}");
        if (report.Counters is { } counters) Line(text, "conservation", $"{counters}");
        foreach (var named in report.Named) Line(text, "", $"{named}");
        if (report.Named.Count == VerificationReport.MostNamed)
            Line(text, "", $"(the first {VerificationReport.MostNamed} are named)");
    }

    private static string Counts(IEnumerable<(string Name, long Count)> counts)
    {
        var some = counts.Where(pair => pair.Count > 0).Select(pair => Invariant($"{pair.Name}: {pair.Count}")).ToArray();
        return some.Length == 0 ? "none" : string.Join(", ", some);
    }

    // 99.999 % of a million is not 100 %: it is rounded down, so that 100 % means every one.
    private static string Percent(double share) => Invariant($"{Math.Floor(share * 100_000) / 1000:0.###} %");

    private static void Line(StringBuilder text, string label, FormattableString value) =>
        text.Append(label.PadRight(LabelWidth)).Append(' ').AppendLine(FormattableString.Invariant(value));

    private static string Invariant(FormattableString value) => FormattableString.Invariant(value);
}
