namespace EvenKeel.Kafka.Producing;

/// <summary>What became of a record that was offered.</summary>
internal enum Admission
{
    Queued,

    /// <summary>Taken as the lone record: its sender hands it over at once (<see cref="SendLoop.FeedLone"/>).</summary>
    Lone,
    Waiting,
    Full,
    Closed,
}
