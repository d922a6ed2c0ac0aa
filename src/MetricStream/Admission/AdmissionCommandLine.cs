using System.CommandLine;

namespace MetricStream.Admission;

/// <summary>The options of <c>metricstream serve</c> that say who is let in.</summary>
internal static class AdmissionCommandLine
{
    public static IEnumerable<Option> Options() =>
    [
        new Option<string>("--api-keys")
        {
            Description = "Ask for keys: one client-id:sha256-hex or client-id:sha256-hex:read a line. Read again when it changes.",
            HelpName = "FILE",
        },
        new Option<string>("--rate-limit")
        {
            Description = "Batches a second for each client; over it 429 (off).",
            HelpName = "N",
        },
        new Option<string>("--max-connections")
        {
            Description = "Connections at once (10000, fewer where the process may not open as many files).",
            HelpName = "N",
        },
    ];
}
