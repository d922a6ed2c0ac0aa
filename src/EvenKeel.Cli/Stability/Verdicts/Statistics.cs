namespace EvenKeel.Cli.Stability.Verdicts;

/// <summary>The statistics of few runs: what so many failures of so many runs say about the rate behind them.</summary>
internal static class Statistics
{
    private const double NormalQuantile975 = 1.959963984540054;

    /// <summary>Wilson's score interval, two-sided, 95 %.</summary>
    public static (double Low, double High) Wilson(int failures, int runs)
    {
        if (runs == 0)
            return (0, 1);
        var z2 = NormalQuantile975 * NormalQuantile975;
        var rate = (double)failures / runs;
        var middle = (rate + z2 / (2 * runs)) / (1 + z2 / runs);
        var half = NormalQuantile975 / (1 + z2 / runs) * Math.Sqrt(rate * (1 - rate) / runs + z2 / (4.0 * runs * runs));
        return (failures == 0 ? 0 : Math.Max(0, middle - half), failures == runs ? 1 : Math.Min(1, middle + half));
    }

    /// <summary>No failure in so many runs: the rate is below this, at 95 %.</summary>
    public static double ProvenBelow(int cleanRuns) => cleanRuns == 0 ? 1 : 1 - Math.Pow(0.05, 1.0 / cleanRuns);

    /// <summary>
    /// Fisher's exact test, one-sided: how likely the first group would fail at least this often if both had the same rate.
    /// </summary>
    public static double Fisher(int failures, int runs, int otherFailures, int otherRuns)
    {
        var total = runs + otherRuns;
        var failed = failures + otherFailures;
        var most = Math.Min(runs, failed);
        var sum = 0.0;
        for (var k = failures; k <= most; k++)
        {
            if (failed - k <= otherRuns)
                sum += Math.Exp(LogChoose(runs, k) + LogChoose(otherRuns, failed - k) - LogChoose(total, failed));
        }
        return Math.Min(1, sum);
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? 0
            : sorted.Count % 2 == 1 ? sorted[sorted.Count / 2]
            : (sorted[sorted.Count / 2 - 1] + sorted[sorted.Count / 2]) / 2;
    }

    private static double LogChoose(int n, int k) => LogFactorial(n) - LogFactorial(k) - LogFactorial(n - k);

    private static double LogFactorial(int n)
    {
        var sum = 0.0;
        for (var i = 2; i <= n; i++)
            sum += Math.Log(i);
        return sum;
    }
}
