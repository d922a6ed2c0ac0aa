using System.Diagnostics;

namespace KafkaChaos.Loads;

/// <summary>A member of a group as a process of its own: one that can be killed, and paused beyond its session.</summary>
internal static class MemberProcess
{
    /// <summary>Starts this program again as a member. It leaves when its standard input is closed.</summary>
    /// <param name="arguments">Its command line.</param>
    public static Process Start(params IEnumerable<string> arguments) =>
        Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "KafkaChaos"), arguments)
        {
            RedirectStandardInput = true,
        })!;

    /// <summary>Sends a signal by its name: <c>STOP</c>, <c>CONT</c>.</summary>
    public static async Task SignalAsync(Process member, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{member.Id}"]);
        await kill.WaitForExitAsync();
    }
}
