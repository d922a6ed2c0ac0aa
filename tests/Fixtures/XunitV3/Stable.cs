using Xunit;

namespace Fixture.Stable;

public sealed class LooksSuspicious : IDisposable
{
    private static int Shared;
    private readonly string _file = Path.GetTempFileName();

    [Fact]
    public void Writes_a_static_and_reads_it_back() => Assert.Equal(7, Interlocked.Exchange(ref Shared, 7) is var _ ? 7 : 0);

    [Fact]
    public async Task Waits_a_little() => await Task.Delay(20);

    [Fact]
    public void Uses_a_temporary_file() => File.WriteAllText(_file, "x");

    [Fact]
    public void Prints_garbage() => Console.Write("{\"$type\":\"test-failed\" <not json> \u001b[31m");

    [Theory]
    [InlineData("a b")]
    [InlineData("quote \" back\\slash, comma")]
    [InlineData("line\nbreak")]
    [InlineData("a|b&c=d~e!f \u001b[31m 漢字 🎉")]
    [InlineData("twice")]
    [InlineData("twice")]
    [InlineData("")]
    public void Takes_odd_names(string text) => Assert.NotNull(text);

    public void Dispose() => File.Delete(_file);
}

public sealed class Parallel1
{
    [Fact]
    public async Task Own_listener_is_closed()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        await Task.Yield();
    }

    [Fact(DisplayName = "The same name")]
    public void One() { }

    [Fact(DisplayName = "The same name")]
    public void Two() { }

    [Fact(Skip = "never runs, by its own word")]
    public void Skipped() => Assert.Fail("no");
}
