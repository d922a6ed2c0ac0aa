using Xunit.v3;

namespace EvenKeel.Testing.XunitV3;

/// <summary>
/// The one line in a test project: <c>[assembly: UseKafkaKit]</c>. Tests then use <see cref="KafkaKit"/>, and the markers
/// <see cref="SerialAttribute"/>, <see cref="NoParallelAttribute"/> and <see cref="SharedResourceAttribute"/> hold.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class UseKafkaKitAttribute : Attribute, IAssemblyFixtureAttribute, ITestFrameworkAttribute
{
    /// <summary>With the default options.</summary>
    public UseKafkaKitAttribute()
    {
    }

    /// <summary>With options of your own.</summary>
    /// <param name="setup">A class with a constructor without parameters that implements <see cref="IKitSetup"/>.</param>
    public UseKafkaKitAttribute(Type setup) => Setup = setup;

    /// <summary>Where the options come from; null: the defaults.</summary>
    public Type? Setup { get; }

    /// <inheritdoc/>
    public Type AssemblyFixtureType => typeof(KitLifetime);

    /// <inheritdoc/>
    public Type FrameworkType => typeof(KitFramework);
}

/// <summary>Says how the kit of a test assembly is set up; named in <see cref="UseKafkaKitAttribute"/>.</summary>
public interface IKitSetup
{
    /// <summary>Called once, before the first test.</summary>
    KitOptions Configure();
}
