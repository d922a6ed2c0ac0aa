using System.Globalization;
using EvenKeel.Kafka.Consuming;
using MetricStream.Intake;
using MetricStream.Streaming;

namespace MetricStream.Kafka;

/// <summary>The partitions of the topic as a source of the stream. What was sent again is met again: the store tells it apart, a tail does
/// not.</summary>
internal sealed class TopicStream(ConsumerOptions options, KafkaParts parts) : IStreamSource
{
    // Never joined: the readers are in no group.
    private const string Group = "metricstream-stream";
    private const int MostPartitions = 10_000;

    // Guarded by _gate.
    private readonly Lock _gate = new();
    private readonly List<Tail> _open = [];

    public StreamPlace? End()
    {
        if (parts.Survey.Bounds is not { } bounds)
            return null;
        var end = new StreamPlace([.. bounds.Select((bound, partition) => Math.Max(bound.End, parts.Intake.Batches.EndOf(partition)))]);
        Tail[] open;
        lock (_gate)
            open = [.. _open];
        // What an open reader was told with its last fetch is newer than what was asked for once a second.
        return open.Aggregate(end, (later, tail) => StreamPlace.Later(later, tail.Known()));
    }

    public IStreamTail Open(StreamPlace from)
    {
        var partitions = Math.Max(from.Partitions, parts.Survey.Bounds?.Count ?? 0);
        var next = Enumerable.Range(0, partitions).Select(partition => from[partition]).ToList();
        var tail = new Tail(this, new TopicTail(options with { GroupId = Group }, parts.Options.Topic, next));
        lock (_gate)
            _open.Add(tail);
        return tail;
    }

    public string IdOf(StreamPlace place) => string.Join(',', Enumerable.Range(0, place.Partitions)
        .Select(partition => string.Create(CultureInfo.InvariantCulture, $"{partition}:{place[partition] - 1}")));

    public StreamPlace? Read(string id)
    {
        var next = new Dictionary<int, long>();
        foreach (var part in id.Split(','))
        {
            var at = part.IndexOf(':', StringComparison.Ordinal);
            if (at < 0 || !int.TryParse(part.AsSpan(0, at), NumberStyles.None, CultureInfo.InvariantCulture, out var partition)
                || !long.TryParse(part.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var last)
                || partition >= MostPartitions || last is < -1 or long.MaxValue || !next.TryAdd(partition, last + 1))
                return null;
        }
        return new StreamPlace([.. Enumerable.Range(0, next.Keys.Max() + 1).Select(partition => next.GetValueOrDefault(partition))]);
    }

    private string TopicId => parts.Survey.TopicId;

    private sealed class Tail(TopicStream stream, TopicTail tail) : IStreamTail
    {
        private static readonly TimeSpan Wait = TimeSpan.FromMilliseconds(50);
        private static readonly int MaxMetrics = new IntakeOptions().MaxMetrics;

        private readonly List<TailRecord> _records = [];
        private readonly string _topicId = stream.TopicId;

        public StreamPlace Place => new([.. tail.Next]);

        public bool MayStall => true;

        public StreamPlace Known()
        {
            try
            {
                return new StreamPlace(tail.KnownEnds());
            }
            catch (ObjectDisposedException)
            {
                return new StreamPlace(); // Closed in between.
            }
        }

        public IReadOnlyList<TailRecord> Read(StreamPlace until)
        {
            _records.Clear();
            if (stream.TopicId != _topicId)
                throw new IOException("The topic was made anew; its events begin again.");
            if (!Place.IsBefore(until))
                return _records;
            foreach (var message in tail.Read(Wait))
            {
                // Anybody can write into a topic: what the store refuses is not shown either.
                if (BatchValidator.Validate(message.Value, MaxMetrics) is { Malformed: null, Errors: null or [] })
                    _records.Add(new TailRecord(message.Partition, message.Offset, message.TimestampMs, message.Value));
            }
            return _records;
        }

        public void Dispose()
        {
            lock (stream._gate)
                stream._open.Remove(this);
            tail.Dispose();
        }
    }
}
