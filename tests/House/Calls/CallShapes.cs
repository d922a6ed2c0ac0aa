using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace House.Calls;

/// <summary>
/// A call shape is what a call looks like in syntax alone: no compilation keeps the whole house under seconds, and what looks like a
/// banned call without being one gets a departure.
/// </summary>
internal static class CallShapes
{
    // These block by design and are no tasks: waiting on them is their use.
    private static readonly HashSet<string> Signals =
        ["SemaphoreSlim", "ManualResetEventSlim", "CountdownEvent", "Monitor", "Barrier", "SpinWait", "TestEvent"];

    /// <summary><c>Type.Name</c>, also behind a namespace and with type arguments; without names, any member of the type.</summary>
    public static bool IsMember(SyntaxNode node, string type, params string[] names) =>
        node is MemberAccessExpressionSyntax access
        && LastName(access.Expression) == type
        && (access.Expression is IdentifierNameSyntax || IsQualifiedType(access.Expression))
        && (names.Length == 0 || names.Contains(access.Name.Identifier.Text));

    public static bool Creates(SyntaxNode node, string type) => CreatedBy(node) is var (created, _) && created == type;

    public static bool CreatesWithoutArguments(SyntaxNode node, string type) =>
        CreatedBy(node) is var (created, arguments) && created == type && arguments == 0;

    /// <summary><c>.Result</c> read, <c>.Wait(…)</c> on what is not a signal, <c>.GetAwaiter().GetResult()</c>.</summary>
    public static bool BlocksOnATask(SyntaxNode node)
    {
        if (node is not MemberAccessExpressionSyntax access)
        {
            return false;
        }

        var called = access.Parent is InvocationExpressionSyntax invocation && invocation.Expression == access;
        return access.Name.Identifier.Text switch
        {
            "Result" => !called && access.Expression is not ThisExpressionSyntax && !IsAssigned(access) && !IsInNameof(access),
            "Wait" => called && !IsSignal(access.Expression),
            "GetResult" => called && access.Expression is InvocationExpressionSyntax
            {
                Expression: MemberAccessExpressionSyntax { Name.Identifier.Text: "GetAwaiter" or "ConfigureAwait" },
            },
            _ => false,
        };
    }

    /// <summary>A delay without an end is a wait for the cancellation: a signal.</summary>
    public static bool IsForever(SyntaxNode member) =>
        ArgumentsOf(member) is [var delay, _, ..] && delay.ToString() is "Timeout.Infinite" or "Timeout.InfiniteTimeSpan" or "-1";

    /// <summary>Whether the second of the arguments looks like a <see cref="TimeProvider"/>: a name that ends in time or clock.</summary>
    public static bool TakesTheTime(SyntaxNode member) =>
        ArgumentsOf(member) is [_, var second, ..]
        && LastName(second.Expression).TrimStart('_') is var name
        && (name.EndsWith("time", StringComparison.OrdinalIgnoreCase) || name.EndsWith("clock", StringComparison.OrdinalIgnoreCase)
            || name.EndsWith("TimeProvider", StringComparison.OrdinalIgnoreCase));

    private static IReadOnlyList<ArgumentSyntax> ArgumentsOf(SyntaxNode member) =>
        member.Parent is InvocationExpressionSyntax call ? [.. call.ArgumentList.Arguments] : [];

    private static bool IsAssigned(MemberAccessExpressionSyntax access) =>
        access.Parent is AssignmentExpressionSyntax assignment && assignment.Left == access;

    private static bool IsInNameof(SyntaxNode node) =>
        node.Ancestors().OfType<InvocationExpressionSyntax>().Any(
            call => call.Expression is IdentifierNameSyntax { Identifier.Text: "nameof" });

    private static bool IsSignal(ExpressionSyntax expression)
    {
        var name = LastName(expression);
        return Signals.Contains(name) || expression.SyntaxTree.GetRoot().DescendantNodes().Any(node => node switch
        {
            VariableDeclarationSyntax declaration => declaration.Variables.Any(variable => variable.Identifier.Text == name
                && (Signals.Contains(LastName(declaration.Type))
                    || (variable.Initializer?.Value is ObjectCreationExpressionSyntax created
                        && Signals.Contains(LastName(created.Type))))),
            ParameterSyntax { Type: { } type } parameter => parameter.Identifier.Text == name && Signals.Contains(LastName(type)),
            PropertyDeclarationSyntax property => property.Identifier.Text == name && Signals.Contains(LastName(property.Type)),
            _ => false,
        });
    }

    private static (string Type, int Arguments)? CreatedBy(SyntaxNode node) => node switch
    {
        ObjectCreationExpressionSyntax created => (LastName(created.Type), created.ArgumentList?.Arguments.Count ?? 0),
        ImplicitObjectCreationExpressionSyntax implied => (TypeOfTarget(implied), implied.ArgumentList.Arguments.Count),
        _ => null,
    };

    private static string TypeOfTarget(ImplicitObjectCreationExpressionSyntax implied) => implied.Parent?.Parent switch
    {
        VariableDeclaratorSyntax { Parent: VariableDeclarationSyntax declaration } => LastName(declaration.Type),
        _ => implied.Parent is EqualsValueClauseSyntax { Parent: PropertyDeclarationSyntax property } ? LastName(property.Type) : "",
    };

    private static bool IsQualifiedType(ExpressionSyntax expression) =>
        expression is MemberAccessExpressionSyntax or AliasQualifiedNameSyntax
        && expression.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>().First().Identifier.Text is "System" or "global";

    private static string LastName(SyntaxNode node) => node switch
    {
        SimpleNameSyntax simple => simple.Identifier.Text,
        MemberAccessExpressionSyntax access => access.Name.Identifier.Text,
        QualifiedNameSyntax qualified => qualified.Right.Identifier.Text,
        AliasQualifiedNameSyntax alias => alias.Name.Identifier.Text,
        NullableTypeSyntax nullable => LastName(nullable.ElementType),
        _ => "",
    };
}
