using System.Security.Cryptography;
using System.Text;
using MetricStream.Admission;
using Xunit;

namespace MetricStream.Tests.Admission;

public sealed class KeyRingTests
{
    [Fact]
    public void A_key_is_found_by_its_text_with_its_client_and_its_role()
    {
        var ring = Ring("# who", "", "  agent-1:" + Hash("a") + "  ", "team:x:" + Hash("b").ToUpperInvariant(), "dash:" + Hash("c") + ":read");

        Assert.Equal(3, ring.Count);
        Assert.Equal(("agent-1", false), (ring.Find("a")!.Client, ring.Find("a")!.Reads));
        Assert.Equal(("team:x", false), (ring.Find("b")!.Client, ring.Find("b")!.Reads));
        Assert.Equal(("dash", true), (ring.Find("c")!.Client, ring.Find("c")!.Reads));
    }

    [Theory]
    [InlineData("")]
    [InlineData("d")]
    [InlineData("a ")]
    [InlineData("A")]
    public void Another_text_finds_nothing(string text) => Assert.Null(Ring("agent:" + Hash("a")).Find(text));

    [Fact]
    public void The_hash_itself_is_no_key_and_neither_is_a_text_without_end()
    {
        var ring = Ring("agent:" + Hash("a"));

        Assert.Null(ring.Find(Hash("a")));
        Assert.Null(ring.Find(new string('a', 1_000_000)));
    }

    [Fact]
    public void Every_bad_line_is_named_by_its_number_and_no_key_is_repeated()
    {
        var (ring, violations) = KeyRing.Read([
            "# keys", "agent-1:" + Hash("a"), "my-secret", "agent-2:my-secret", "bad id:" + Hash("b"), "..:" + Hash("c"),
            "agent-3:" + Hash("a"), "agent-4:" + Hash("d") + ":write", "agent-5:" + Hash(""), ":" + Hash("e")]);

        Assert.Null(ring);
        Assert.Equal(
            ["line 3", "line 4", "line 5", "line 6", "line 7", "line 8", "line 9", "line 10"],
            violations.Select(violation => violation.Split(':')[0]));
        Assert.Contains("write it as client-id:sha256-hex", violations[0], StringComparison.Ordinal);
        Assert.Contains("64 hexadecimal digits", violations[1], StringComparison.Ordinal);
        Assert.Contains("stands in line 2 already", violations[4], StringComparison.Ordinal);
        Assert.Contains("role is unknown", violations[5], StringComparison.Ordinal);
        Assert.Contains("SHA-256 of nothing", violations[6], StringComparison.Ordinal);
        Assert.DoesNotContain(violations, violation => violation.Contains("my-secret", StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_without_a_key_is_refused() =>
        Assert.Contains("it has no key", Assert.Single(KeyRing.Read(["", "# none yet"]).Violations), StringComparison.Ordinal);

    [Fact]
    public void A_ring_that_takes_anothers_place_revokes_what_is_not_in_it_and_nothing_else()
    {
        var old = Ring("a:" + Hash("stays"), "b:" + Hash("goes"), "c:" + Hash("loses") + ":read");
        var (stays, goes, loses) = (old.Find("stays")!, old.Find("goes")!, old.Find("loses")!);
        var ring = Ring("c:" + Hash("loses"), "a:" + Hash("stays"), "d:" + Hash("comes"));

        Assert.Equal((2, 2), ring.Replace(old));

        Assert.Same(stays, ring.Find("stays"));
        Assert.False(stays.Revoked.IsCancellationRequested);
        Assert.True(goes.Revoked.IsCancellationRequested);
        Assert.True(loses.Revoked.IsCancellationRequested);
        Assert.Null(ring.Find("goes"));
        Assert.False(ring.Find("loses")!.Reads);
    }

    internal static string Hash(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    private static KeyRing Ring(params string[] lines)
    {
        var (ring, violations) = KeyRing.Read(lines);
        Assert.Empty(violations);
        return ring!;
    }
}
