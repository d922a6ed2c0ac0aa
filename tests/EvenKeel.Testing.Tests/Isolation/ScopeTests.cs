using System.Globalization;
using EvenKeel.Testing.Isolation;
using Xunit;
using static EvenKeel.Testing.Tests.Workers.Runs;

namespace EvenKeel.Testing.Tests.Isolation;

public sealed class ScopeTests
{
    private const string Variable = "EVENKEEL_SCOPE_TEST";
    private static string Cache = "first";

    [Fact]
    public async Task A_variable_is_changed_for_one_test_at_a_time_and_put_back()
    {
        Assert.Null(Environment.GetEnvironmentVariable(Variable));
        var first = await EnvironmentScope.SetAsync(Variable, "one");
        var second = EnvironmentScope.SetAsync(new Dictionary<string, string?> { [Variable] = "two", [Variable + "_OTHER"] = "2" });
        Assert.Equal("one", Environment.GetEnvironmentVariable(Variable));
        Assert.False(second.IsCompleted);

        first.Dispose();
        first.Dispose();
        using (await second)
        {
            Assert.Equal("two", Environment.GetEnvironmentVariable(Variable));
            using var other = await EnvironmentScope.SetAsync(Variable + "_THIRD", "3");
        }
        Assert.Null(Environment.GetEnvironmentVariable(Variable));
        Assert.Null(Environment.GetEnvironmentVariable(Variable + "_OTHER"));
    }

    [Fact]
    public async Task A_hold_that_somebody_forgot_is_named_to_whoever_waits_and_given_back_by_a_change_that_fails()
    {
        using (var forgotten = await ProcessHold.TakeAsync(["a forgotten piece"]))
        {
            var refusal = await Assert.ThrowsAsync<TimeoutException>(
                () => ProcessHold.TakeAsync(["b piece", "a forgotten piece"], TimeSpan.FromMilliseconds(20)));
            Assert.Contains("'a forgotten piece'", refusal.Message, StringComparison.Ordinal);
            Assert.Contains(LeakRegister.Leaks, leak => leak.What == "a forgotten piece");
        }
        Assert.DoesNotContain(LeakRegister.Leaks, leak => leak.What == "a forgotten piece");
        await Assert.ThrowsAsync<DirectoryNotFoundException>(() => CurrentDirectoryScope.ChangeAsync("/no such folder"));
        using var again = await CurrentDirectoryScope.ChangeAsync(Path.GetTempPath());
    }

    [Fact]
    public async Task The_current_folder_is_one_tests_at_a_time_and_put_back_when_its_scope_ends()
    {
        var before = Environment.CurrentDirectory;
        var folder = Directory.CreateTempSubdirectory();
        Task<CurrentDirectoryScope> waiting;
        using (await CurrentDirectoryScope.ChangeAsync(folder.FullName))
        {
            Assert.Equal(folder.FullName, Environment.CurrentDirectory);
            waiting = CurrentDirectoryScope.ChangeAsync(Path.GetTempPath());
            Assert.False(waiting.IsCompleted);
        }
        (await waiting).Dispose();
        Assert.Equal(before, Environment.CurrentDirectory);
        folder.Delete();
    }

    [Fact]
    public async Task A_static_is_held_by_one_test_at_a_time_and_put_back()
    {
        var first = await StaticScope.SetAsync(nameof(Cache), () => Cache, value => Cache = value, "second");
        var waiting = StaticScope.SetAsync(nameof(Cache), () => Cache, value => Cache = value, "third");
        Assert.Equal("second", Cache);
        first.Dispose();
        using (await waiting)
            Assert.Equal("third", Cache);
        Assert.Equal("first", Cache);
    }

    [Fact]
    public async Task A_culture_is_the_calling_tests_alone_or_everybodys_one_test_at_a_time()
    {
        var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        comma.NumberFormat.NumberDecimalSeparator = ",";
        var before = CultureInfo.CurrentCulture;
        using (CultureScope.Use(comma))
        {
            Assert.Equal("1,5", 1.5.ToString(CultureInfo.CurrentCulture));
            Assert.Equal("1,5", await Task.Run(() => 1.5.ToString(CultureInfo.CurrentCulture), Cancellation));
            var elsewhere = "";
            var thread = new Thread(() => elsewhere = 1.5.ToString(CultureInfo.CurrentCulture));
            thread.UnsafeStart();
            thread.Join();
            Assert.Equal("1.5", elsewhere);
        }
        Assert.Same(before, CultureInfo.CurrentCulture);

        var everywhere = await CultureScope.UseEverywhereAsync(comma);
        Assert.Same(comma, CultureInfo.DefaultThreadCurrentCulture);
        var waiting = CultureScope.UseEverywhereAsync(comma);
        Assert.False(waiting.IsCompleted);
        everywhere.Dispose();
        (await waiting).Dispose();
        Assert.Null(CultureInfo.DefaultThreadCurrentCulture);
    }
}
