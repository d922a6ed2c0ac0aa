using House.Names;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace House.TestHygiene;

/// <summary>Test names are sentences that make sense when red, and what is skipped says why.</summary>
internal static class TestHygieneRules
{
    public static IReadOnlyList<Rule> All { get; } =
    [
        Rule.ForSources("test-names", "say what holds: Append_after_a_torn_write_truncates_to_the_last_valid_record.", ShortNames),
        Rule.ForSources("skip-reasons", "say in words what this machine lacks, or delete the test.", SilentSkips),
    ];

    private static IEnumerable<Violation> ShortNames(SourceFile source)
    {
        foreach (var method in source.Nodes<MethodDeclarationSyntax>().Where(IsTest))
        {
            var name = method.Identifier.Text;
            if (name.Split('_').SelectMany(NameRules.WordsOf).Count() < 3)
            {
                yield return source.At(method, $"{name} is no sentence");
            }
        }
    }

    private static IEnumerable<Violation> SilentSkips(SourceFile source)
    {
        foreach (var skip in source.Nodes<AttributeArgumentSyntax>().Where(argument => argument.NameEquals?.Name.Identifier.Text == "Skip"))
        {
            if (!IsReason(skip.Expression))
            {
                yield return source.At(skip, $"skipped because of {skip.Expression}");
            }
        }

        foreach (var call in source.Nodes<InvocationExpressionSyntax>().Where(
            call => call.Expression.ToString().StartsWith("Assert.Skip", StringComparison.Ordinal)))
        {
            if (call.ArgumentList.Arguments.LastOrDefault() is not { } reason || !IsReason(reason.Expression))
            {
                yield return source.At(call, call.ToString());
            }
        }
    }

    // A constant or an interpolated text is taken at its word; a literal needs at least three.
    private static bool IsReason(ExpressionSyntax expression) =>
        expression is not LiteralExpressionSyntax literal
            || literal.Token.ValueText.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length >= 3;

    private static bool IsTest(MethodDeclarationSyntax method) =>
        method.AttributeLists.SelectMany(list => list.Attributes).Any(attribute => attribute.Name.ToString() is "Fact" or "Theory");
}
