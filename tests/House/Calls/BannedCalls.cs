using Microsoft.CodeAnalysis;
using static House.Calls.CallShapes;

namespace House.Calls;

/// <summary>Calls that hide time, chance, waiting, output or the disk from whoever has to test or bound them.</summary>
internal static class BannedCalls
{
    private static readonly string[] DiskTypes = ["File", "Directory", "RandomAccess"];
    private static readonly string[] DiskObjects = ["FileStream", "FileInfo", "DirectoryInfo", "DriveInfo", "StreamReader", "StreamWriter"];

    public static IReadOnlyList<Rule> All { get; } =
    [
        Ban("thread-sleep", "wait on a signal, or on a condition with a deadline that throws with the state it saw.",
            Everywhere, node => IsMember(node, "Thread", "Sleep")),
        Ban("task-delay", "in tests wait on a signal or a condition with a deadline; in src pass the TimeProvider: Task.Delay(pause, "
            + "time, stop).",
            path => !IsBench(path), node => IsMember(node, "Task", "Delay") && !IsForever(node) && (IsInTest(node) || !TakesTheTime(node))),
        Ban("wall-clock", "take a TimeProvider through the constructor and ask it: GetUtcNow, GetTimestamp.",
            Everywhere, node => IsMember(node, "DateTime", "Now", "UtcNow", "Today") || IsMember(node, "DateTimeOffset", "Now", "UtcNow")),
        Ban("unseeded-random", "take the seed, or the Random, through the constructor; a random test prints its SEED.",
            Everywhere, node => IsMember(node, "Random", "Shared") || CreatesWithoutArguments(node, "Random")),
        Ban("unbounded-channel", "Channel.CreateBounded, with a tested answer to 'full'.",
            Everywhere, node => IsMember(node, "Channel", "CreateUnbounded", "CreateUnboundedPrioritized")),
        Ban("sync-over-async", "await it; a thread that must block gets a named place and a departure.",
            Everywhere, BlocksOnATask),
        Ban("queue-disk", "go through IQueueStorage: only its adapter in Storage/ touches the disk, so that the simulated disk sees "
            + "everything.",
            path => path.StartsWith("src/EvenKeel.Queue/", StringComparison.Ordinal)
                && !path.StartsWith("src/EvenKeel.Queue/Storage/", StringComparison.Ordinal),
            node => DiskTypes.Any(type => IsMember(node, type)) || DiskObjects.Any(type => Creates(node, type))),
        Ban("console", "log through ILogger, in a test through ITestOutputHelper; only commands (Program.cs, *Command*.cs) speak to the "
            + "console.",
            path => !IsBench(path) && !IsCommand(path), node => IsMember(node, "Console")),
        Ban("gc-collect", "leave collecting to the runtime; measure memory in tests or bench.",
            path => path.StartsWith("src/", StringComparison.Ordinal), node => IsMember(node, "GC", "Collect")),
    ];

    private static Rule Ban(string id, string advice, Func<string, bool> appliesTo, Func<SyntaxNode, bool> matches) =>
        Rule.ForSources(id, advice, source => appliesTo(source.Path)
            ? source.Nodes<SyntaxNode>().Where(matches).Select(node => source.At(node, FirstLine(node)))
            : []);

    private static bool Everywhere(string path) => true;

    private static bool IsBench(string path) =>
        path.StartsWith("bench/", StringComparison.Ordinal) || path.StartsWith("samples/", StringComparison.Ordinal);

    private static bool IsCommand(string path) =>
        path.EndsWith("/Program.cs", StringComparison.Ordinal) || Path.GetFileName(path).Contains("Command", StringComparison.Ordinal);

    private static bool IsInTest(SyntaxNode node) => node.SyntaxTree.FilePath.StartsWith("tests/", StringComparison.Ordinal);

    private static string FirstLine(SyntaxNode node) => node.ToString().Split('\n')[0].Trim();
}
