namespace KafkaChaos;

/// <summary>What every scenario gets: its verdict, its chance and a folder of its own.</summary>
/// <param name="Verdict">Takes the numbers and the violations.</param>
/// <param name="Random">From the seed; one thread alone uses it.</param>
/// <param name="Folder">Temporary; kept when the run breaks.</param>
/// <param name="Cancellation">Ends the run early.</param>
internal sealed record ScenarioRun(Verdict Verdict, Random Random, string Folder, CancellationToken Cancellation)
{
    /// <summary>Runs a scenario: exit code 0 when all held, 1 when not.</summary>
    /// <param name="name">Its command.</param>
    /// <param name="seed">Draws the moments of the faults.</param>
    /// <param name="print">Takes what is seen.</param>
    /// <param name="scenario">What is done.</param>
    /// <param name="cancellation">Ends the run early.</param>
    public static async Task<Verdict> RunAsync(
        string name, int seed, Action<string> print, Func<ScenarioRun, Task> scenario, CancellationToken cancellation)
    {
        print($"SEED={seed}");
        var verdict = new Verdict(name, seed, print);
        var folder = Directory.CreateTempSubdirectory($"kafka-chaos-{name}-");
        try
        {
            await scenario(new ScenarioRun(verdict, new Random(seed), folder.FullName, cancellation));
        }
        finally
        {
            // What broke is evidence: the folder stays.
            if (verdict.IsHeld)
                folder.Delete(recursive: true);
            else
                print($"{name}: the folder is kept: {folder.FullName}");
        }
        print(verdict.IsHeld ? $"{name}: held" : $"{name}: broken; run again with {name} --seed {seed}");
        return verdict;
    }
}
