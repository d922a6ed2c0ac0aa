using System.Globalization;
using Xunit;

namespace Librdkafka.Redist.Tests;

/// <summary>
/// The script from the archive to the cache, over a delivered source that takes no time to build; the build of the real one is
/// part of building this project.
/// </summary>
public sealed class SourceBuildTests : IDisposable
{
    private const string GoodConfigure = "printf '#define WITH_SSL 1\\n#define WITH_ZLIB 1\\n#define WITH_SASL_SCRAM 1\\n' > config.h";

    // Counts its runs and makes a library that the real strip takes.
    private const string GoodMake =
        "echo run >> $(BENCH)/makes; echo 'int answer(void) { return 42; }' > a.c; " +
        "$(CC) -shared -fPIC -o src/librdkafka.so.1 a.c; cp src/librdkafka.so.1 src/librdkafka.1.dylib";

    private static readonly string LibraryName = OperatingSystem.IsMacOS() ? "librdkafka.dylib" : "librdkafka.so";

    private readonly ScriptBench _bench;

    public SourceBuildTests()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "librdkafka is not built from source on Windows.");
        _bench = new ScriptBench();
    }

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task A_finished_build_is_printed_found_again_and_leaves_nothing_behind()
    {
        _bench.DeliverSource(GoodConfigure, GoodMake);

        var missed = await _bench.Run("cached", _bench.Cache, ScriptBench.Platform);
        var built = await _bench.Build();
        var found = await _bench.Run("cached", _bench.Cache, ScriptBench.Platform);

        Assert.Equal(new ScriptEnd(3, "", ""), missed);
        Assert.Equal(new ScriptEnd(0, built.Output, ""), built);
        Assert.Equal(built, found);
        var folder = built.Output.TrimEnd('\n');
        Assert.Equal(
            ["LICENSES.txt", "complete", LibraryName], Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal([folder], Directory.GetFileSystemEntries(_bench.Cache));
        Assert.Empty(Directory.GetFileSystemEntries(_bench.TemporaryFolder));
    }

    [Fact]
    public async Task A_library_without_its_completeness_marker_is_built_again()
    {
        _bench.DeliverSource(GoodConfigure, GoodMake);
        var first = await _bench.Build();
        File.Delete(Path.Combine(first.Output.TrimEnd('\n'), "complete"));

        var found = await _bench.Run("cached", _bench.Cache, ScriptBench.Platform);
        var second = await _bench.Build();

        Assert.Equal(3, found.ExitCode);
        Assert.Equal(first, second);
        Assert.Equal(2, CountMakes());
    }

    [Fact]
    public async Task A_finished_build_needs_no_tool_any_more()
    {
        _bench.DeliverSource(GoodConfigure, GoodMake);
        var built = await _bench.Build();
        foreach (var tool in new[] { "npm", "cc", "make", "strip" })
        {
            _bench.RemoveTool(tool);
        }

        var found = await _bench.Run("cached", _bench.Cache, ScriptBench.Platform);

        Assert.Equal(built, found);
    }

    [Fact]
    public async Task A_build_for_another_platform_is_not_taken()
    {
        _bench.DeliverSource(GoodConfigure, GoodMake);
        await _bench.Build();

        var found = await _bench.Run("cached", _bench.Cache, "other-arm64");

        Assert.Equal(3, found.ExitCode);
    }

    [Fact]
    public async Task Two_builds_at_once_build_once_and_both_get_it()
    {
        _bench.DeliverSource(GoodConfigure, GoodMake);

        var ends = await Task.WhenAll(_bench.Build(), _bench.Build(), _bench.Build());

        Assert.All(ends, end => Assert.Equal(new ScriptEnd(0, ends[0].Output, ""), end));
        Assert.Equal(1, CountMakes());
    }

    [Fact]
    public async Task A_lock_left_by_a_dead_build_is_taken_over()
    {
        _bench.DeliverSource(GoodConfigure, GoodMake);
        var built = await _bench.Build();
        var folder = built.Output.TrimEnd('\n');
        Directory.Delete(folder, recursive: true);
        // No process has this id: Linux and macOS stop at 4,194,304 and 99,999.
        File.CreateSymbolicLink(folder + ".lock", "4194305");

        var again = await _bench.Build();

        Assert.Equal(built, again);
        Assert.Null(new FileInfo(folder + ".lock").LinkTarget);
    }

    [Fact]
    public async Task A_lock_that_a_living_build_never_gives_up_is_named_with_its_process()
    {
        _bench.DeliverSource(GoodConfigure, GoodMake);
        var folder = (await _bench.Build()).Output.TrimEnd('\n');
        Directory.Delete(folder, recursive: true);
        var holder = System.Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        File.CreateSymbolicLink(folder + ".lock", holder);
        _bench.Environment["EVENKEEL_LOCK_SECONDS"] = "1";

        var end = await _bench.Build();

        Assert.Equal(1, end.ExitCode);
        Assert.Contains($"process {holder}) has held {folder}.lock for 1 s", end.Error, StringComparison.Ordinal);
        Assert.Equal(holder, new FileInfo(folder + ".lock").LinkTarget);
    }

    [Fact]
    public async Task A_corrupted_archive_is_refused_by_its_checksum()
    {
        _bench.ReplaceTool("npm", "echo 'not the archive' > source.tgz");

        var end = await _bench.Build();

        Assert.Equal(1, end.ExitCode);
        Assert.Contains(
            "its SHA-256 is c2ace7bd2e2141eb79ecb041a5fcff858a740a53d2577a991d1a3b73d9e9a95c instead of " +
            ScriptBench.ExpectedChecksum(), end.Error, StringComparison.Ordinal);
        Assert.Contains("npm cache clean --force", end.Error, StringComparison.Ordinal);
        AssertNothingFinished();
    }

    [Fact]
    public async Task An_npm_that_fails_is_quoted()
    {
        _bench.ReplaceTool("npm", "echo 'npm error 404 Not Found' >&2; exit 1");

        var end = await _bench.Build();

        Assert.Equal(1, end.ExitCode);
        Assert.Contains("npm could not fetch @confluentinc/kafka-javascript@1.10.1", end.Error, StringComparison.Ordinal);
        Assert.Contains("npm error 404 Not Found", end.Error, StringComparison.Ordinal);
        AssertNothingFinished();
    }

    [Fact]
    public async Task An_npm_that_delivers_nothing_is_an_error()
    {
        _bench.ReplaceTool("npm", "exit 0");

        var end = await _bench.Build();

        Assert.Equal(1, end.ExitCode);
        Assert.Contains("left no .tgz", end.Error, StringComparison.Ordinal);
        AssertNothingFinished();
    }

    [Theory]
    [InlineData("echo 'configure is cross'; exit 1", GoodMake, "configure of librdkafka 2.15.1 failed", "configure is cross")]
    [InlineData(GoodConfigure, "echo 'make is cross'; exit 1", "make of librdkafka 2.15.1 failed", "make is cross")]
    [InlineData(GoodConfigure, "echo text | tee src/librdkafka.so.1 src/librdkafka.1.dylib", "strip of librdkafka 2.15.1 failed", "src/librdkafka")]
    [InlineData("echo '#define WITH_ZLIB 1' > config.h", GoodMake, "could not link: WITH_SSL is off", "2.15.1-test-x64-")]
    public async Task A_step_that_fails_is_named_with_the_end_of_its_log(string configure, string make, string named, string quoted)
    {
        _bench.DeliverSource(configure, make);

        var end = await _bench.Build();

        Assert.Equal(1, end.ExitCode);
        Assert.Contains(named, end.Error, StringComparison.Ordinal);
        Assert.Contains(quoted, end.Error, StringComparison.Ordinal);
        AssertNothingFinished();
    }

    [Fact]
    public async Task A_cache_folder_that_cannot_be_made_is_named()
    {
        var cache = Path.Combine(_bench.WriteFile("a-file", ""), "cache");

        var end = await _bench.Run("build", cache, ScriptBench.Platform);

        Assert.Equal(1, end.ExitCode);
        Assert.Contains($"the cache folder {cache} cannot be written; set EVENKEEL_CACHE", end.Error, StringComparison.Ordinal);
    }

    private int CountMakes() => File.ReadLines(_bench.PathOf("makes")).Count();

    private void AssertNothingFinished()
    {
        Assert.Empty(Directory.GetDirectories(_bench.Cache));
        Assert.Empty(Directory.GetFiles(_bench.Cache, "*.lock"));
        Assert.Empty(Directory.GetFileSystemEntries(_bench.TemporaryFolder));
    }
}
