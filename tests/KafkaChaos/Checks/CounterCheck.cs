using EvenKeel.Kafka.Producing;
using KafkaChaos.Loads;

namespace KafkaChaos.Checks;

/// <summary>A counter check holds a producer's counters against the book and against each other.</summary>
internal static class CounterCheck
{
    /// <summary>For a producer at rest that took all of the book's records.</summary>
    public static void Run(ProducerCounters counters, RecordBook book, Verdict verdict)
    {
        verdict.Say($"{counters}");
        var told = counters.Delivered + counters.Refused + counters.Unknown + counters.Backlog;
        verdict.Check(counters.Accepted == told, $"the counters do not add up: {counters.Accepted} accepted, {told} in all");
        verdict.Check(
            counters.Delivered == book.Count(Fate.Delivered) && counters.Unknown == book.Count(Fate.Unknown),
            $"the counters differ from what senders were told: {counters}; delivered {book.Count(Fate.Delivered)}, unknown {book.Count(Fate.Unknown)}");
        CheckQuiet(counters, verdict);
    }

    /// <summary>For any producer at rest: nothing left, and none of what must never happen.</summary>
    public static void CheckQuiet(ProducerCounters counters, Verdict verdict)
    {
        verdict.Check(
            counters is { Backlog: 0, BacklogBytes: 0, Waiting: 0 }, $"something is left in the producer at rest: {counters}");
        verdict.Check(
            counters is { QueueFullMet: 0, ThrownByUsers: 0, Replacements: 0 }, $"what must not happen did: {counters}");
    }
}
