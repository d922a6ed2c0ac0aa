using EvenKeel.Cli.Stability.Hosts;
using Xunit;

namespace EvenKeel.Cli.Tests.Stability.Hosts;

public sealed class RunFolderTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("evenkeel-run-").FullName;

    [Fact]
    public void Results_of_an_earlier_call_are_gone_before_a_run_begins()
    {
        var first = RunFolder.CreateEmpty(Path.Combine(_root, "results"), Path.Combine(_root, "tmp"));
        File.WriteAllText(first.Trx, "<TestRun>all passed</TestRun>");
        Directory.CreateDirectory(Path.Combine(first.Results, "attachments"));

        var second = RunFolder.CreateEmpty(first.Results, first.Temporary);

        Assert.Empty(Directory.EnumerateFileSystemEntries(second.Results));
        Assert.True(Directory.Exists(second.Temporary));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
