using EvenKeel.Cli.Stability.Suites;

namespace EvenKeel.Cli.Stability.Hosts;

/// <summary>Which host runs which assembly.</summary>
internal static class TestHosts
{
    public static ITestHost For(TestAssembly assembly, string? filter) => assembly.Framework == TestFramework.XunitV3
        && File.Exists(assembly.Executable)
        ? new XunitV3Host(assembly)
        : new VsTestHost(assembly, filter is not null && filter.IndexOfAny(['=', '~']) >= 0 ? filter : null);
}
