using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace House.Types;

/// <summary>Interfaces stand where there are two sides; classes are sealed until somebody really derives.</summary>
internal static class TypeRules
{
    public static IReadOnlyList<Rule> All { get; } =
    [
        new("two-implementations", "take the class itself; an interface needs two implementations here, or users who plug in their own.",
            LonelyInterfaces),
        new("sealed-classes", "seal it; deriving is an offer to users that has to be designed, tested and listed.", OpenClasses),
    ];

    private static IEnumerable<Violation> LonelyInterfaces(Repository repository)
    {
        var types = repository.Sources.SelectMany(source => source.Nodes<TypeDeclarationSyntax>()).ToList();
        var interfaces = types.OfType<InterfaceDeclarationSyntax>().Select(type => type.Identifier.Text).ToHashSet();
        foreach (var source in repository.Sources)
        {
            foreach (var declared in source.Nodes<InterfaceDeclarationSyntax>())
            {
                var implementations = Implementations(declared.Identifier.Text, types, interfaces, []);
                if (implementations.Count < 2)
                {
                    var found = implementations.Count == 0 ? "none" : implementations.Single();
                    yield return source.At(
                        declared, $"interface {declared.Identifier.Text} has {implementations.Count} implementation(s): {found}");
                }
            }
        }
    }

    // By name alone: what implements a derived interface implements its base as well.
    private static HashSet<string> Implementations(
        string name, List<TypeDeclarationSyntax> types, HashSet<string> interfaces, HashSet<string> seen)
    {
        var found = new HashSet<string>();
        if (!seen.Add(name))
        {
            return found;
        }

        foreach (var type in types.Where(type => BasesOf(type).Contains(name)))
        {
            if (interfaces.Contains(type.Identifier.Text))
            {
                found.UnionWith(Implementations(type.Identifier.Text, types, interfaces, seen));
            }
            else
            {
                found.Add(type.Identifier.Text);
            }
        }

        return found;
    }

    private static IEnumerable<Violation> OpenClasses(Repository repository)
    {
        // A partial class is sealed when one of its parts says so.
        var sealedParts = repository.Sources
            .SelectMany(source => source.Nodes<TypeDeclarationSyntax>())
            .Where(type => type.Modifiers.Any(SyntaxKind.SealedKeyword))
            .Select(FullName)
            .ToHashSet();
        foreach (var source in repository.Sources)
        {
            foreach (var type in source.Nodes<TypeDeclarationSyntax>().Where(IsOpenable))
            {
                if (!sealedParts.Contains(FullName(type)))
                {
                    yield return source.At(type, $"public class {type.Identifier.Text} is not sealed");
                }
            }
        }
    }

    private static bool IsOpenable(TypeDeclarationSyntax type) =>
        (type is ClassDeclarationSyntax
            || (type is RecordDeclarationSyntax record && !record.ClassOrStructKeyword.IsKind(SyntaxKind.StructKeyword)))
        && type.Modifiers.Any(SyntaxKind.PublicKeyword)
        && !type.Modifiers.Any(SyntaxKind.StaticKeyword)
        && !IsClosedFamily(type);

    // Nobody outside derives from what only this assembly can construct.
    private static bool IsClosedFamily(TypeDeclarationSyntax type) =>
        type.Modifiers.Any(SyntaxKind.AbstractKeyword)
        && type.Members.OfType<ConstructorDeclarationSyntax>().ToList() is { Count: > 0 } constructors
        && constructors.All(constructor => constructor.Modifiers.Any(SyntaxKind.PrivateKeyword));

    private static string FullName(TypeDeclarationSyntax type) =>
        string.Join('.', type.AncestorsAndSelf().Reverse().Select(node => node switch
        {
            BaseNamespaceDeclarationSyntax space => space.Name.ToString(),
            TypeDeclarationSyntax outer => $"{outer.Identifier.Text}`{outer.Arity}",
            _ => null,
        }).OfType<string>());

    private static IEnumerable<string> BasesOf(TypeDeclarationSyntax type) =>
        type.BaseList?.Types.Select(based => based.Type switch
        {
            SimpleNameSyntax simple => simple.Identifier.Text,
            QualifiedNameSyntax qualified => qualified.Right.Identifier.Text,
            _ => "",
        }) ?? [];
}
