using System.Reflection;
using EvenKeel.Hook;

// The runtime looks for a type of exactly this name, without a namespace, in each assembly that DOTNET_STARTUP_HOOKS names.
#pragma warning disable CA1050 // Declared outside a namespace: the runtime's contract for start-up hooks.

/// <summary>
/// The start-up hook is what <c>evenkeel stability</c> has in a test process: it imposes an order and sees what is left at the end.
/// </summary>
internal static class StartupHook
{
    public static void Initialize()
    {
        var order = Environment.GetEnvironmentVariable("EVENKEEL_ORDER");
        if (!string.IsNullOrEmpty(order))
            AppDomain.CurrentDomain.AssemblyLoad += (_, loaded) => Impose(loaded.LoadedAssembly, order);
        var remains = Environment.GetEnvironmentVariable("EVENKEEL_REMAINS");
        if (!string.IsNullOrEmpty(remains) && IsTestProcess())
            Remains.Watch(remains);
    }

    private static void Impose(Assembly loaded, string orderFile)
    {
        if (loaded.GetName().Name == "xunit.v3.core")
            ImposedOrder.Install(loaded, orderFile);
        else if (loaded.GetName().Name == "nunit.framework")
            ImposedNUnitOrder.Install(loaded, orderFile);
    }

    // The processes that tests start inherit the variables, and are none of our business.
    private static bool IsTestProcess()
    {
        var wanted = Environment.GetEnvironmentVariable("EVENKEEL_TEST_HOST");
        return string.IsNullOrEmpty(wanted)
            || string.Equals(Path.GetFileNameWithoutExtension(Environment.GetCommandLineArgs()[0]), wanted, StringComparison.Ordinal);
    }
}
