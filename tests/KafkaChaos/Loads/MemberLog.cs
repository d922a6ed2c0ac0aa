using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Tests.Consuming.History;

namespace KafkaChaos.Loads;

/// <summary>
/// What one member handled and committed, a line each, in a file that survives its process: a line is with the kernel before the handler
/// returns. Times are the machine's, so that the lines of all members can be put in one order.
/// </summary>
internal sealed class MemberLog : IDisposable
{
    private readonly string _name = $"{Environment.ProcessId}";
    private readonly Lock _gate = new();
    private readonly ConditionalWeakTable<PartitionLedger, string> _assignments = [];

    // Guarded by _gate.
    private readonly FileStream _file;
    private int _lastAssignment;

    public MemberLog(string folder) =>
        _file = new FileStream(Path.Combine(folder, $"{Guid.NewGuid():N}.member"), FileMode.CreateNew, FileAccess.Write, FileShare.Read, 0);

    public void Handled(ReceivedRecord record) =>
        Write($"H {Stopwatch.GetTimestamp()} {Name(record.View.Place.Page.Ledger)} {record.Partition} {record.Offset}\n");

    /// <summary>The right rule, with each commit that it makes written down.</summary>
    public CommitRule Watch() => CommitRule.Right with
    {
        Committable = ledger =>
        {
            var offset = ledger.Committable;
            if (offset != PartitionLedger.None)
            {
                Write($"C {Stopwatch.GetTimestamp()} {Name(ledger)} {ledger.Partition.Partition} {offset} {(ledger.IsLost ? 1 : 0)}\n");
            }
            return offset;
        },
    };

    public void Dispose() => _file.Dispose();

    /// <summary>All that the members of a run wrote.</summary>
    public static (List<Handled> Handled, List<Committed> Committed) Read(string folder, string topic)
    {
        var (handled, committed) = (new List<Handled>(), new List<Committed>());
        foreach (var path in Directory.EnumerateFiles(folder, "*.member"))
        {
            using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            var text = reader.ReadToEnd();

            // The last line of a killed process may be torn.
            foreach (var line in text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                var parts = line.Split(' ');
                var (time, partition, offset) = (Number(parts[1]), (int)Number(parts[3]), Number(parts[4]));
                if (parts[0] == "H")
                    handled.Add(new Handled(time, parts[2], topic, partition, offset));
                else
                    committed.Add(new Committed(time, parts[2], topic, partition, offset, parts[5] == "1"));
            }
        }
        return (handled, committed);
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private string Name(PartitionLedger ledger) =>
        _assignments.GetValue(ledger, _ => $"{_name}/{Interlocked.Increment(ref _lastAssignment)}");

    private void Write(FormattableString line)
    {
        var bytes = Encoding.ASCII.GetBytes(line.ToString(CultureInfo.InvariantCulture));
        lock (_gate)
            _file.Write(bytes);
    }
}
