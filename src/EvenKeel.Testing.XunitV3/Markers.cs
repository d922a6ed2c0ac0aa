using EvenKeel.Testing.Isolation;
using Xunit.v3;

namespace EvenKeel.Testing.XunitV3;

/// <summary>
/// Marks tests that need Kafka: the cluster is there before they begin, and they can be run, or left out, by the trait
/// <c>Category=Kafka</c>.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class KafkaTestAttribute : Attribute, ITraitAttribute
{
    /// <inheritdoc/>
    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => [new("Category", "Kafka")];
}

/// <summary>Marks tests that run alone in the assembly. Trait <c>Category=Serial</c>.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class SerialAttribute : Attribute, ITraitAttribute
{
    /// <inheritdoc/>
    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => [new("Category", "Serial")];
}

/// <summary>Marks tests that do not run beside others of their kind, but beside all others. Trait <c>Category=NoParallel</c>.</summary>
/// <param name="kind">Those that exclude each other.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class NoParallelAttribute(string kind = "") : Attribute, ITraitAttribute
{
    /// <summary>Those that exclude each other.</summary>
    public string Kind => kind;

    /// <inheritdoc/>
    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => [new("Category", "NoParallel")];
}

/// <summary>
/// Marks tests that use something that others use as well: readers run together, a writer alone among those that name the resource.
/// </summary>
/// <param name="resource">A name that the tests agree on.</param>
/// <param name="access">Beside other readers, or alone.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method, AllowMultiple = true)]
public sealed class SharedResourceAttribute(string resource, Access access = Access.Write) : Attribute
{
    /// <summary>A name that the tests agree on.</summary>
    public string Resource => resource;

    /// <summary>Beside other readers, or alone.</summary>
    public Access Access => access;

    /// <summary>Against all test processes of this user on the machine, not just this one. Default false.</summary>
    public bool AcrossProcesses { get; init; }
}
