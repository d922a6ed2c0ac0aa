using System.Diagnostics;
using System.Text;
using KafkaChaos.Clusters;
using KafkaChaos.Loads;

namespace KafkaChaos.Checks;

/// <summary>The independent clients, Python's kafka client and kcat, read a topic and compare it with the book.</summary>
internal sealed class IndependentClients(string bootstrapServers, string topic, string folder)
{
    // Debian's interpreter: another one on the path does not see Debian's python3-kafka.
    private const string Python = "/usr/bin/python3";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private string BookFile => Path.Combine(folder, $"{topic}.book");

    /// <summary>What of them is not on this machine; null if both are there.</summary>
    public static async Task<string?> WhatIsMissingAsync(CancellationToken cancellation)
    {
        try
        {
            var (exit, _, _) = await Script.TryRunAsync(new ProcessStartInfo(Python, ["-c", "import kafka"]), Limit, cancellation);
            if (exit != 0)
                return $"{Python} has no module kafka (Debian: apt-get install python3-kafka)";
            await Script.TryRunAsync(new ProcessStartInfo("kcat", ["-V"]), Limit, cancellation);
            return null;
        }
        catch (UsageException missing)
        {
            return missing.Message;
        }
    }

    /// <summary>Starts Python's client; it ends after <see cref="WriteBookAsync"/>, when all is read.</summary>
    public async Task RunPythonAsync(bool allowsDoubles, Verdict verdict, CancellationToken cancellation)
    {
        var script = Path.Combine(AppContext.BaseDirectory, "Checks", "verify_log.py");
        string[] options = allowsDoubles ? ["--live", "--doubles"] : ["--live"];
        var (exit, output, errors) = await Script.TryRunAsync(
            new ProcessStartInfo(Python, [script, bootstrapServers, topic, BookFile, .. options]), Limit, cancellation);
        verdict.Say($"python3-kafka: {output}");
        verdict.Check(exit == 0, $"python3-kafka ended with {exit}: {output} {errors}");
    }

    /// <summary>Writes the book for Python's client, which waits for it.</summary>
    public async Task WriteBookAsync(RecordBook book, CancellationToken cancellation)
    {
        var text = new StringBuilder();
        for (var key = 0; key < book.Keys; key++)
        {
            text.Append(RecordBook.KeyName(key)).Append('\t');
            for (var number = 0; number < book[key].Count; number++)
                text.Append(book[key][number].Fate.ToString()[0]);
            text.Append('\n');
        }

        // Whole when it appears.
        await File.WriteAllTextAsync($"{BookFile}.new", text.ToString(), cancellation);
        File.Move($"{BookFile}.new", BookFile, overwrite: true);
    }

    /// <summary>Counts the topic's records with kcat.</summary>
    public async Task<long> CountWithKcatAsync(CancellationToken cancellation)
    {
        var output = await Script.RunAsync(
            new ProcessStartInfo(
                "kcat", ["-C", "-b", bootstrapServers, "-t", topic, "-o", "beginning", "-e", "-q", "-X", "fetch.wait.max.ms=10", "-f", "%p\n"]),
            Limit, cancellation);
        return output.Length == 0 ? 0 : output.AsSpan().Count('\n') + 1;
    }
}
