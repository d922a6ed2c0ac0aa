namespace EvenKeel.Kafka.Spilling;

/// <summary>Where in the folder of a spill a topic's queue lies: under the topic's name.</summary>
internal static class TopicFolder
{
    private const int MaxNameLength = 249;

    public static string DeadLetters(string directory) => Path.Combine(directory, "dead-letters");

    public static string Of(string directory, string topic) => Path.Combine(Root(directory), topic);

    /// <summary>The topics that have a queue there.</summary>
    public static IReadOnlyList<string> Topics(string directory) =>
        Directory.Exists(Root(directory))
            ? [.. Directory.EnumerateDirectories(Root(directory)).Select(path => Path.GetFileName(path)).Where(IsName)]
            : [];

    /// <summary>Kafka's rule for topics, which makes them safe as folders.</summary>
    public static bool IsName(string topic) =>
        topic.Length is > 0 and <= MaxNameLength && topic is not ("." or "..")
        && topic.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    private static string Root(string directory) => Path.Combine(directory, "topics");
}
