using EvenKeel.Cli.Stability.Hosts;

namespace EvenKeel.Cli.Stability.Reports;

/// <summary>The own command is how a person calls this program again: by its name where the shell finds it, else by its path.</summary>
internal static class OwnCommand
{
    public static string Text { get; } = Find();

    private static string Find()
    {
        var own = Environment.ProcessPath ?? "";
        var ending = OperatingSystem.IsWindows() ? ".exe" : "";
        if (Path.GetFileNameWithoutExtension(own) != "evenkeel")
        {
            // Started through 'dotnet evenkeel.dll', or by a test host.
            own = Path.Combine(AppContext.BaseDirectory, "evenkeel" + ending);
            if (!File.Exists(own))
                return $"dotnet {Shell.Quote(Path.Combine(AppContext.BaseDirectory, "evenkeel.dll"))}";
        }
        var onPath = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, "evenkeel" + ending)).FirstOrDefault(File.Exists);
        return onPath is not null ? "evenkeel" : Shell.Quote(own);
    }
}
