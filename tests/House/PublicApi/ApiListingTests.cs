using House.Docs;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Xunit;

namespace House.PublicApi;

/// <summary>A listing that missed a change of signature would let a break through: each kind of change shows.</summary>
public sealed class ApiListingTests
{
    [Theory]
    [InlineData("public string A() => \"\";", "public string? A() => null;")]
    [InlineData("public void A(int a = 1) { }", "public void A(int a = 2) { }")]
    [InlineData("public void A(int first) { }", "public void A(int second) { }")]
    [InlineData("public int A { get; }", "public int A { get; set; }")]
    [InlineData("public int A { get; set; }", "public int A { get; init; }")]
    [InlineData("public const int A = 1;", "public const int A = 2;")]
    [InlineData("public enum A { B, C }", "public enum A { C, B }")]
    [InlineData("public void A<T>() where T : class { }", "public void A<T>() { }")]
    [InlineData("public sealed class A;", "public class A;")]
    [InlineData("public sealed record A(int B);", "public sealed record A(int B, int C = 0);")]
    [InlineData("public event System.Action? A;", "public event System.Action A = null!;")]
    [InlineData("public Q(int a) { }", "public Q(long a) { }")]
    [InlineData("public class A { protected int B; }", "public class A { private protected int B; }")]
    [InlineData("public static bool operator ==(Q a, Q b) => true; public static bool operator !=(Q a, Q b) => true;", "")]
    [InlineData("public int this[int a] => 1;", "public int this[long a] => 1;")]
    public void A_changed_signature_changes_the_listing(string before, string after) => Assert.NotEqual(List(before), List(after));

    [Theory]
    [InlineData("internal int A;")]
    [InlineData("private void A() { }")]
    [InlineData("internal sealed class A { public int B; }")]
    public void What_users_cannot_see_is_not_listed(string member) => Assert.Equal(List(""), List(member));

    [Fact]
    public void A_difference_names_what_is_gone_and_what_is_new()
    {
        var differences = PublicApiRules.Differences("src/L/PublicApi.txt", "a\nb\n", "b\nc\n").Select(difference => difference.ToString());

        Assert.Equal(["src/L/PublicApi.txt:1: gone: a", "src/L/PublicApi.txt:3: new: c"], differences);
    }

    private static string List(string member)
    {
        using var library = new MemoryStream();
        var built = CSharpCompilation.Create(
            "Library",
            [CSharpSyntaxTree.ParseText("public class Q { " + member + " }", SourceFile.Options)],
            CodeBlockRules.References,
            new(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable)).Emit(library);
        Assert.True(built.Success, string.Join('\n', built.Diagnostics));
        return ApiListing.Of(MetadataReference.CreateFromImage(library.ToArray()));
    }
}
