using System.Globalization;

namespace MetricStream.Load;

/// <summary>A rate that was tried: what came of it, and why it did not hold (null: it held).</summary>
internal sealed record RateStep(double Rate, LoadResult Result, string? Refusal)
{
    public bool Holds => Refusal is null;

    /// <summary>Judges a measured step: no failure in it or its warm-up, every due request sent, p99 within the bound.</summary>
    public static RateStep Judge(double rate, LoadResult result, LoadTally warmUp, TimeSpan p99)
    {
        var failed = result.Tally.Failed + warmUp.Failed;
        var measured = result.Tally.Latency.Percentile(99);
        var refusal = failed > 0 ? string.Create(CultureInfo.InvariantCulture, $"{failed} failed")
            : result.WasInterrupted ? "interrupted"
            : measured > p99 ? $"p99 {LoadReport.Show(measured)} over {LoadReport.Show(p99)}"
            : result.Tally.Finished == 0 ? "nothing was sent"
            : null;
        return new(rate, result, refusal);
    }
}

/// <summary>
/// A rate search looks for the highest rate a server holds: it doubles (or, when the first does not hold, halves) until it has a rate
/// that holds and one that does not, then bisects until they are within 5 %.
/// </summary>
internal sealed class RateSearch
{
    public const double FirstRate = 500;
    public const double LowestRate = 1;
    public const double HighestRate = 10_000_000;
    private const double Precision = 1.05;

    private readonly List<RateStep> _steps = [];

    public IReadOnlyList<RateStep> Steps => _steps;

    /// <summary>The highest step that held; null: none did.</summary>
    public RateStep? Best => _steps.Where(step => step.Holds).MaxBy(step => step.Rate);

    /// <summary>Runs steps until the answer is known or the caller cancels. <paramref name="tryRate"/> runs and judges one.</summary>
    public async Task RunAsync(double firstRate, Func<double, Task<RateStep>> tryRate, CancellationToken cancellation)
    {
        double? holds = null;
        double? breaks = null;
        for (double? rate = firstRate; rate is { } next && !cancellation.IsCancellationRequested; rate = Next(holds, breaks))
        {
            var step = await tryRate(next);
            if (cancellation.IsCancellationRequested) return;
            _steps.Add(step);
            if (step.Holds) holds = next;
            else breaks = next;
        }
    }

    private static double? Next(double? holds, double? breaks) => (holds, breaks) switch
    {
        ({ } low, null) => low * 2 <= HighestRate ? low * 2 : null,
        (null, { } high) => high / 2 >= LowestRate ? high / 2 : null,
        ({ } low, { } high) => high / low > Precision ? (low + high) / 2 : null,
        _ => throw new InvalidOperationException("A step either holds or breaks."),
    };
}
