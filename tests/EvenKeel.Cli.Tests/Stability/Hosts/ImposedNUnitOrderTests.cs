using System.Diagnostics;
using EvenKeel.Cli.Stability.Hosts;
using EvenKeel.Cli.Tests.Broker;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Hosts;

/// <summary>NUnit takes no order from outside; the start-up hook in its process gives it one all the same.</summary>
public sealed class ImposedNUnitOrderTests
{
    private static readonly string[] Backwards =
    [
        "Fixture.Behind.BPolluting.Leaves_a_user_behind", "Fixture.Behind.AVictims.Is_innocent", "Fixture.Behind.AVictims.Expects_no_users",
        "Fixture.Names.Odd.Takes(\"\\u001b[31m\")",
    ];

    private static string Fixture =>
        Path.Combine(AppContext.BaseDirectory.Replace("EvenKeel.Cli.Tests", Path.Combine("Fixtures", "NUnit"), StringComparison.Ordinal),
            "NUnit.Fixture.dll");

    [Fact]
    public async Task NUnit_runs_the_tests_of_the_file_in_its_order_and_no_others()
    {
        var folder = Directory.CreateTempSubdirectory("evenkeel-order-");
        try
        {
            var order = Path.Combine(folder.FullName, "order.txt");
            await File.WriteAllLinesAsync(order, Backwards, TestContext.Current.CancellationToken);
            var start = new ProcessStartInfo(
                "dotnet", ["vstest", Fixture, $"--logger:trx;LogFileName={folder.FullName}/results.trx", "--", "NUnit.NumberOfTestWorkers=0"])
            {
                RedirectStandardOutput = true,
                WorkingDirectory = folder.FullName,
            };
            start.Environment["DOTNET_STARTUP_HOOKS"] = Path.Combine(AppContext.BaseDirectory, "EvenKeel.Hook.dll");
            start.Environment["EVENKEEL_ORDER"] = order;
            using var process = Process.Start(start)!;
            var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken)
                .WaitAsync(BrokerProcess.Deadline, TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);

            var entries = TrxFile.Read(Path.Combine(folder.FullName, "results.trx"));
            Assert.True(entries.Count == Backwards.Length, output);
            Assert.Equal(Backwards.Select(name => name[(name.LastIndexOf('.') + 1)..]), entries.OrderBy(entry => entry.Start).Select(entry => entry.Name));
            Assert.Equal("Expects_no_users", Assert.Single(entries, entry => entry.Failure is not null).Name);
            Assert.True(File.Exists(order + ".imposed"), "The hook did not say that it imposed the order.");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
