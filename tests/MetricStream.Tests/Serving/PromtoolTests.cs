using System.Diagnostics;
using MetricStream.Tests.Intake;
using Xunit;

namespace MetricStream.Tests.Serving;

/// <summary>The page of metrics, as Prometheus' own tool judges it.</summary>
public sealed class PromtoolTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-promtool-").FullName;

    private static string? Promtool => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, "promtool")).FirstOrDefault(File.Exists);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Promtool_finds_nothing_in_the_metrics_of_a_server_that_has_worked()
    {
        Assert.SkipUnless(Promtool is not null, "There is no promtool here: install Prometheus (Debian's package prometheus has it).");
        await using var server = await ServedProcess.StartAsync(_folder, ["--rate-limit", "2"]);
        for (var i = 0; i < 4; i++)
            await server.PostAsync(IntakeServer.GoodBody);
        var page = (await server.GetAsync("/metrics")).Body;

        using var promtool = Process.Start(new ProcessStartInfo(Promtool!, ["check", "metrics"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        await promtool.StandardInput.WriteAsync(page);
        promtool.StandardInput.Close();
        var said = await promtool.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)
            + await promtool.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await promtool.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal((0, ""), (promtool.ExitCode, said));
        Assert.Matches("metricstream_rate_limited_total [0-9]+\n", page);
    }
}
