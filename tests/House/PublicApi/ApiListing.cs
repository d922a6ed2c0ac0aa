using House.Docs;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace House.PublicApi;

/// <summary>
/// An API listing names every public type and member of an assembly, one a line, with nullability, constraints and default values.
/// </summary>
internal static class ApiListing
{
    private static readonly SymbolDisplayFormat Types = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypesAndNamespaces,
        genericsOptions: SymbolDisplayGenericsOptions.IncludeTypeParameters
            | SymbolDisplayGenericsOptions.IncludeTypeConstraints
            | SymbolDisplayGenericsOptions.IncludeVariance,
        miscellaneousOptions: SymbolDisplayMiscellaneousOptions.UseSpecialTypes
            | SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    private static readonly SymbolDisplayFormat Members = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypes,
        genericsOptions: Types.GenericsOptions,
        memberOptions: SymbolDisplayMemberOptions.IncludeAccessibility | SymbolDisplayMemberOptions.IncludeModifiers
            | SymbolDisplayMemberOptions.IncludeType
            | SymbolDisplayMemberOptions.IncludeParameters | SymbolDisplayMemberOptions.IncludeConstantValue
            | SymbolDisplayMemberOptions.IncludeRef
            | SymbolDisplayMemberOptions.IncludeExplicitInterface,
        parameterOptions: SymbolDisplayParameterOptions.IncludeType | SymbolDisplayParameterOptions.IncludeName
            | SymbolDisplayParameterOptions.IncludeDefaultValue
            | SymbolDisplayParameterOptions.IncludeParamsRefOut | SymbolDisplayParameterOptions.IncludeExtensionThis,
        propertyStyle: SymbolDisplayPropertyStyle.ShowReadWriteDescriptor,
        miscellaneousOptions: SymbolDisplayMiscellaneousOptions.UseSpecialTypes
            | SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier
            | SymbolDisplayMiscellaneousOptions.AllowDefaultLiteral);

    public static string Of(MetadataReference library)
    {
        var compilation = CSharpCompilation.Create("Listing", references: [.. CodeBlockRules.References, library]);
        var assembly = (IAssemblySymbol)compilation.GetAssemblyOrModuleSymbol(library)!;
        var lines = TypesIn(assembly.GlobalNamespace)
            .OrderBy(type => type.ToDisplayString(Types), StringComparer.Ordinal)
            .SelectMany(type => MembersOf(type).Order(StringComparer.Ordinal).Prepend(Describe(type)));
        return string.Join('\n', lines) + "\n";
    }

    private static IEnumerable<INamedTypeSymbol> TypesIn(INamespaceOrTypeSymbol container)
    {
        foreach (var type in container.GetTypeMembers().Where(IsVisible))
        {
            yield return type;
            foreach (var nested in TypesIn(type))
            {
                yield return nested;
            }
        }

        if (container is INamespaceSymbol space)
        {
            foreach (var type in space.GetNamespaceMembers().SelectMany(TypesIn))
            {
                yield return type;
            }
        }
    }

    private static string Describe(INamedTypeSymbol type)
    {
        var modifiers = type switch
        {
            { TypeKind: not TypeKind.Class } => "",
            { IsStatic: true } => "static ",
            { IsSealed: true } => "sealed ",
            { IsAbstract: true } => "abstract ",
            _ => "",
        };
        var kind = type.TypeKind switch
        {
            TypeKind.Class when type.IsRecord => "record",
            TypeKind.Struct when type.IsReadOnly => "readonly struct",
            _ => type.TypeKind.ToString().ToLowerInvariant(),
        };
        IEnumerable<INamedTypeSymbol> bases =
            type is { TypeKind: TypeKind.Class, BaseType: { SpecialType: not SpecialType.System_Object } based } ? [based] : [];
        var listed = bases.Concat(type.Interfaces).Select(symbol => symbol.ToDisplayString(Types)).Order(StringComparer.Ordinal).ToList();
        var ancestry = listed.Count == 0 ? "" : " : " + string.Join(", ", listed);
        return $"{Accessibility(type)} {modifiers}{kind} {type.ToDisplayString(Types)}{ancestry}";
    }

    private static IEnumerable<string> MembersOf(INamedTypeSymbol type) =>
        type.GetMembers()
            .Where(member => IsVisible(member) && !IsMadeByTheCompiler(member) && member is not INamedTypeSymbol)
            .Select(member => "    " + member.ToDisplayString(Members));

    private static string Accessibility(ISymbol symbol) =>
        symbol.DeclaredAccessibility == Microsoft.CodeAnalysis.Accessibility.Public ? "public" : "protected";

    private static bool IsVisible(ISymbol symbol) =>
        symbol.DeclaredAccessibility is Microsoft.CodeAnalysis.Accessibility.Public
            or Microsoft.CodeAnalysis.Accessibility.Protected
            or Microsoft.CodeAnalysis.Accessibility.ProtectedOrInternal;

    // Accessors speak through their property; a record's equality is part of being a record.
    private static bool IsMadeByTheCompiler(ISymbol member) =>
        !member.CanBeReferencedByName
            && member is not IMethodSymbol { MethodKind: MethodKind.Constructor or MethodKind.UserDefinedOperator or MethodKind.Conversion }
            and not IPropertySymbol { IsIndexer: true }
        || member is IMethodSymbol { AssociatedSymbol: not null }
        || member is IMethodSymbol { MethodKind: MethodKind.Constructor, Parameters.Length: 0, ContainingType.IsValueType: true }
        || member.GetAttributes().Any(attribute => attribute.AttributeClass?.Name == "CompilerGeneratedAttribute");
}
