using System.Globalization;

namespace EvenKeel.Cli.Broker;

/// <summary>A topic that the broker is asked to have at its start, as <c>--topic name:partitions</c> says it.</summary>
internal sealed record TopicRequest(string Name, int Partitions)
{
    // Far more than trying things needs, and little memory.
    private const int MaxPartitions = 10_000;

    /// <summary>Reads all requests and says of each one that is none, or comes twice, what to write instead.</summary>
    public static IReadOnlyList<TopicRequest> Read(IEnumerable<string> texts, ICollection<string> violations)
    {
        var requests = new List<TopicRequest>();
        foreach (var text in texts)
        {
            var colon = text.LastIndexOf(':');
            if (colon < 1)
            {
                violations.Add($"--topic is '{text}': write name:partitions, such as orders:4.");
                continue;
            }
            var (name, count) = (text[..colon], text[(colon + 1)..]);
            if (!int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var partitions)
                || partitions is < 1 or > MaxPartitions)
                violations.Add($"--topic is '{text}': '{count}' is no count of partitions; use 1 to {MaxPartitions}.");
            else if (requests.Any(request => request.Name == name))
                violations.Add($"--topic names '{name}' twice: name each topic once.");
            else
                requests.Add(new TopicRequest(name, partitions));
        }
        return requests;
    }
}
