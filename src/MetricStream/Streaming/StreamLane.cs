using System.Text.Json;
using MetricStream.Queueing;
using MetricStream.Storing;

namespace MetricStream.Streaming;

/// <summary>
/// A lane is one reader of the source with the channels that it feeds: each batch is decoded once for all of them. The live lane drops what
/// does not fit into a frame; a replay stops there and goes on with the next. One thread uses it.
/// </summary>
internal sealed class StreamLane(IStreamSource source, StreamPlace from, StreamOptions options, bool isLive) : IDisposable
{
    // The tail may make room for another way to read between two steps, never three times in a row.
    private const int MostIdleReads = 3;

    private readonly IStreamTail _tail = source.Open(from);
    private readonly Dictionary<byte[], List<StreamChannel>> _named = new(KeyBytes.Comparer);
    private readonly List<StreamChannel> _ofAll = [];
    private readonly List<StreamChannel> _channels = [];
    private StreamPlace _before = from;

    public StreamPlace Place => _tail.Place;

    /// <summary>Batches that could not be read although intake had validated them.</summary>
    public long Unreadable { get; private set; }

    public IEnumerable<Subscriber> Subscribers => _channels.SelectMany(channel => channel.Subscribers);

    public bool IsEmpty => _channels.Count == 0;

    /// <summary>Takes a subscriber in. Its place is here or ahead.</summary>
    public void Add(Subscriber subscriber)
    {
        var channels = ChannelsOf(subscriber.Name);
        var channel = channels.Find(c => c.From.Equals(subscriber.From) || (!Place.IsBefore(c.From) && !Place.IsBefore(subscriber.From)));
        if (channel is null)
        {
            channel = new StreamChannel(subscriber.Name, subscriber.From, isLive ? options.FramePoints : int.MaxValue);
            channels.Add(channel);
            _channels.Add(channel);
        }

        channel.Subscribers.Add(subscriber);
    }

    /// <summary>Reads up to <paramref name="until"/>; a replay less, when a frame is full.</summary>
    public void Advance(StreamPlace until)
    {
        _before = Place;
        for (var idle = 0; Place.IsBefore(until) && (isLive || !_channels.Exists(c => c.Points >= options.FramePoints));)
        {
            var from = Place;
            foreach (var record in _tail.Read(until))
                Take(record);
            idle = from.IsBefore(Place) ? 0 : idle + 1;
            if (idle > 0 && _tail.MayStall)
                return;
            if (idle == MostIdleReads)
            {
                throw new IOException(
                    $"The queue's records from {source.IdOf(Place)} to {source.IdOf(until)} are durable but cannot be read.");
            }
        }
    }

    /// <summary>Offers each subscriber its frame; see <see cref="StreamChannel.Deliver"/>.</summary>
    public long Deliver(Action<StreamChannel, Subscriber> refused, Action pace)
    {
        var (idBefore, id) = (source.IdOf(_before), source.IdOf(Place));
        return _channels.Sum(channel => channel.Deliver(idBefore, id, refused, pace));
    }

    /// <summary>Lets those go that <paramref name="gone"/> names, and the channels that nobody listens to.</summary>
    public void Remove(Predicate<Subscriber> gone)
    {
        foreach (var channel in _channels)
            channel.Subscribers.RemoveAll(gone);
        foreach (var channel in _channels.Where(c => c.Subscribers.Count == 0))
        {
            var channels = ChannelsOf(channel.Name);
            channels.Remove(channel);
            if (channels.Count == 0 && channel.Name is not null)
                _named.Remove(channel.Name);
        }

        _channels.RemoveAll(channel => channel.Subscribers.Count == 0);
    }

    public void Dispose() => _tail.Dispose();

    private List<StreamChannel> ChannelsOf(byte[]? name)
    {
        if (name is null)
            return _ofAll;
        if (!_named.TryGetValue(name, out var channels))
            _named.Add(name, channels = []);
        return channels;
    }

    private void Take(in TailRecord record)
    {
        var named = _named.GetAlternateLookup<ReadOnlySpan<byte>>();
        using var metrics = new BatchReader(record.Body.Span, record.ArrivedUnixMs);
        try
        {
            while (metrics.Read())
            {
                Take(_ofAll, record, metrics);
                if (named.TryGetValue(SeriesKey.Name(metrics.SeriesKey), out var channels))
                    Take(channels, record, metrics);
            }
        }
        catch (JsonException)
        {
            Unreadable++; // The store makes a dead letter of it.
        }
    }

    private static void Take(List<StreamChannel> channels, in TailRecord record, in BatchReader metric)
    {
        foreach (var channel in channels)
        {
            if (channel.From.Covers(record))
                channel.Take(metric.SeriesKey, metric.TimestampUnixMs, metric.Value);
        }
    }
}
