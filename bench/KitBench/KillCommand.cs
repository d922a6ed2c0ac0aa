namespace KitBench;

/// <summary>The kit's version, killed somewhere on its way; the next run must be green, and nothing left after it.</summary>
internal sealed class KillCommand(BenchOptions options)
{
    // A killed service is a member of its group until its session of 6 s is over.
    private static readonly TimeSpan Session = TimeSpan.FromSeconds(7);

    public async Task<int> RunAsync()
    {
        for (var round = 0; round < options.Rounds; round++)
        {
            foreach (var broker in options.Brokers)
            {
                var servers = broker == BenchOptions.Real ? options.BootstrapServers : null;
                var life = TimeSpan.FromMilliseconds(new Random(round).Next(300, 6000));
                var killed = await SuiteProcess.RunAsync("Kit", 2, servers, round, life);
                var before = await Leavings.FindAsync(options, []);
                var after = await SuiteProcess.RunAsync("Kit", 2, servers, round);
                var left = await Leavings.FindAsync(options, [killed, after]);
                Console.WriteLine(
                    $"{broker}: killed after {life.TotalMilliseconds:0} ms (exit {killed.ExitCode}), {before.Count} things left, "
                    + $"the next run {after.Passed} passed in {after.Command.TotalSeconds:0.0} s, {left.Count} left");
                if (left.Count > 0 && after.IsGreen && after.Command < Session)
                {
                    // The session outlived that run: the one after it tidies up.
                    after = await SuiteProcess.RunAsync("Kit", 2, servers, round);
                    left = await Leavings.FindAsync(options, [killed, after]);
                    Console.WriteLine($"  and the one after it {after.Passed} passed, {left.Count} left");
                }
                if (!after.IsGreen || left.Count > 0)
                {
                    Console.WriteLine(after.IsGreen ? string.Join('\n', left) : after.Output);
                    return 1;
                }
            }
        }
        return 0;
    }
}
