using System.Collections.Concurrent;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;

namespace KafkaChaos.Loads;

/// <summary>The spilling producer of a run, with the notices that it gave.</summary>
internal sealed class SpillSubject : IAsyncDisposable
{
    private readonly ConcurrentDictionary<ProducerNoticeKind, int> _notices = [];
    private readonly ConcurrentQueue<string> _defects = [];

    public SpillSubject(ProducerOptions options, string folder, SpillAcknowledgement acknowledgement)
    {
        Producer = new SpillingProducer(options, new SpillOptions { Directory = folder, Acknowledgement = acknowledgement });
        Producer.Noticed += Note;
    }

    public SpillingProducer Producer { get; }

    /// <summary>Whether everything goes straight and nothing is in the spill.</summary>
    public bool IsAtRest => Producer.State == SpillState.Direct && Producer.Counters.SpillRecords == 0;

    /// <summary>How often a notice came.</summary>
    public int Count(ProducerNoticeKind kind) => _notices.GetValueOrDefault(kind);

    /// <summary>The counters of a producer at rest that began with an empty spill, against the book and against each other.</summary>
    public void Check(RecordBook book, Verdict verdict)
    {
        var counters = Producer.Counters;
        verdict.Say($"{counters}");
        verdict.Say($"notices: {string.Join(", ", _notices.Where(notice => notice.Key != ProducerNoticeKind.Log).Select(notice => $"{notice.Value} {notice.Key}"))}");
        var told = counters.Direct + counters.Spilled + counters.Refused + counters.Unknown;
        verdict.Check(told == book.Total, $"the counters do not add up: {book.Total} sent, {told} in all");
        verdict.Check(counters.Replayed == counters.Spilled, $"{counters.Spilled} were spilled, {counters.Replayed} replayed");
        verdict.Check(
            counters.Refused == book.Count(Fate.Refused) && counters.Unknown == book.Count(Fate.Unknown),
            $"the counters differ from what senders were told: {counters.Refused} refused, {counters.Unknown} unknown");
        CheckQuiet(verdict);
    }

    /// <summary>Nothing left, and none of what must never happen.</summary>
    public void CheckQuiet(Verdict verdict)
    {
        var counters = Producer.Counters;
        verdict.Check(
            counters is { SpillRecords: 0, Waiting: 0, PendingCallers: 0, HeldTopics: 0 }, $"something is left in the spill at rest: {counters}");
        verdict.Check(
            counters is { Quarantined: 0, DeadLettered: 0, DeadLetters: 0 }, $"records were damaged or given up: {counters}");
        foreach (var defect in _defects)
            verdict.Violated($"a defect was told: {defect}");
    }

    public ValueTask DisposeAsync() => Producer.DisposeAsync();

    private void Note(object? sender, ProducerNotice notice)
    {
        _notices.AddOrUpdate(notice.Kind, 1, (_, count) => count + 1);
        if (notice.Kind is ProducerNoticeKind.Defect or ProducerNoticeKind.UserCodeThrew or ProducerNoticeKind.SpillFailed)
            _defects.Enqueue(notice.Text);
    }
}
