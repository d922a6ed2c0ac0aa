using System.IO.Pipelines;
using System.Text;

namespace MetricStream.Streaming;

/// <summary>
/// Feeds the subscribers of <c>/stream</c>. One thread, the live lane, reads what has become durable ten times a second and hands each
/// subscriber one frame; those who come back with an id catch up in a replay lane first. Lanes together are at most the pool's readers.
/// Without subscribers nothing is read.
/// </summary>
internal sealed partial class StreamHub : IDisposable
{
    // A frame goes to so many subscribers at a stretch; then intake has the processor for a moment.
    private const int WritesAtAStretch = 50;

    private readonly IStreamSource _source;
    private readonly StreamOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ManualResetEventSlim _stopping = new();
    private readonly ManualResetEventSlim _wanted = new();
    private readonly Thread _thread;

    // Guarded by _gate.
    private readonly Lock _gate = new();
    private readonly HashSet<Subscriber> _subscribers = [];
    private readonly List<Subscriber> _joining = [];
    private readonly List<Subscriber> _behind = [];
    private readonly List<Thread> _replays = [];
    private StreamPlace? _livePlace;
    private bool _stopped;

    // Live thread only.
    private StreamLane? _live;
    private StreamReplay? _ownReplay;
    private int _writes;

    private long _dropped;

    public StreamHub(IStreamSource source, StreamOptions options, TimeProvider time, ILogger log)
    {
        _source = source;
        _options = options;
        _time = time;
        _log = log;
        _thread = new Thread(Run) { IsBackground = true, Name = "MetricStream stream" };
    }

    public int Subscribers
    {
        get { lock (_gate) return _subscribers.Count; }
    }

    /// <summary>Points that slow subscribers did not get, since the start.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    public void Start() => _thread.Start();

    /// <summary>Takes a subscriber in; from then on it gets everything that becomes durable. Null: there are as many as there may be, or
    /// the server stops.</summary>
    /// <param name="output">Its connection.</param>
    /// <param name="name">The metric it wants; null for all.</param>
    /// <param name="from">The place from which it wants what is kept; null for what comes now.</param>
    public Subscriber? TryJoin(PipeWriter output, string? name, StreamPlace? from)
    {
        var subscriber = new Subscriber(output, name is null ? null : Encoding.UTF8.GetBytes(name), _time);
        lock (_gate)
        {
            if (_stopped || _subscribers.Count >= _options.MaxSubscribers)
                return null;
            // Everything posted from now on lies behind the end of the log as it is now.
            if ((_livePlace ??= _source.End()) is not { } live)
                return null;
            _subscribers.Add(subscriber);
            if (from is not null && from.IsBefore(live))
            {
                subscriber.From = from;
                _behind.Add(subscriber);
            }
            else
            {
                _joining.Add(subscriber);
            }
        }

        _wanted.Set();
        return subscriber;
    }

    /// <summary>Returns when nobody touches the subscriber's connection any more.</summary>
    public async Task LeaveAsync(Subscriber subscriber)
    {
        lock (_gate)
            _subscribers.Remove(subscriber);
        await subscriber.CloseAsync();
    }

    /// <summary>Up to where the live lane has read, or is reading now; null when nobody listens.</summary>
    public StreamPlace? LivePlace
    {
        get { lock (_gate) return _livePlace; }
    }

    /// <summary>Gives the subscribers of a replay that has read as far as the live lane, or beyond, to that lane. False: it has moved on
    /// meanwhile.</summary>
    public bool TryHandOver(StreamLane replay)
    {
        lock (_gate)
        {
            if (_livePlace is null || replay.Place.IsBefore(_livePlace))
                return false;
            foreach (var subscriber in replay.Subscribers)
            {
                subscriber.From = replay.Place;
                // The live lane does not wait: whose last frame is still on its way catches up once more.
                (subscriber.IsBusy ? _behind : _joining).Add(subscriber);
            }

            return true;
        }
    }

    /// <summary>Takes back subscribers of a replay that had no room for its frame: a later one serves them.</summary>
    public void PutOff(IEnumerable<Subscriber> subscribers)
    {
        lock (_gate)
            _behind.AddRange(subscribers);
    }

    /// <summary>A replay has failed.</summary>
    public void Failed(Exception failure) => LogBroken(failure);

    /// <summary>Ends every stream and takes no more.</summary>
    public void Stop()
    {
        Subscriber[] all;
        lock (_gate)
        {
            _stopped = true;
            all = [.. _subscribers];
        }

        _stopping.Set();
        _wanted.Set();
        foreach (var subscriber in all)
            subscriber.End();
    }

    public void Dispose()
    {
        Stop();
        if (_thread.IsAlive)
            _thread.Join();
        Thread[] replays;
        lock (_gate)
            replays = [.. _replays];
        foreach (var replay in replays)
            replay.Join();
        _stopping.Dispose();
        _wanted.Dispose();
    }

    private void Run()
    {
        while (!_stopping.IsSet)
        {
            _wanted.Wait();
            var began = _time.GetTimestamp();
            try
            {
                Tick();
            }
            catch (Exception failure)
            {
                Break(failure);
            }

            var left = _options.FrameEvery - _time.GetElapsedTime(began);
            if (left > TimeSpan.Zero)
                _stopping.Wait(left);
        }

        EndLive();
    }

    /// <summary>The path of what became durable since the last frame to those who listen.</summary>
    private void Tick()
    {
        // 1. Who has come, and how far to read: everything that is durable now.
        if (Welcome() is not { } until)
            return;
        // 2. Each batch is decoded once, its points gathered by channel.
        _live!.Advance(until);
        // 3. One frame a channel, offered to each of its subscribers; who has no room for it misses it, and is told with the next.
        _writes = 0;
        var leftOut = _live.Deliver((channel, subscriber) => Interlocked.Add(ref _dropped, channel.Miss(subscriber)), Pace);
        Interlocked.Add(ref _dropped, leftOut);
        // 4. The quiet are kept alive, the stuck are cut.
        Tend();
        // 5. Those who are behind catch up apart, on threads of their own while the pool has readers.
        Replay();
    }

    /// <summary>Null when nobody is there.</summary>
    private StreamPlace? Welcome()
    {
        lock (_gate)
        {
            _subscribers.RemoveWhere(subscriber => subscriber.IsOver);
            if (_stopped)
                return null;
            if (_subscribers.Count == 0)
            {
                EndLive();
                _livePlace = null;
                _joining.Clear();
                _behind.Clear();
                _wanted.Reset();
                return null;
            }

            _live ??= new StreamLane(_source, _livePlace!, _options, isLive: true);
            _live.Remove(subscriber => subscriber.IsOver);
            foreach (var subscriber in _joining)
            {
                if (!_live.Place.IsBefore(subscriber.From))
                    subscriber.From = _live.Place;
                subscriber.IsLive = true;
                _live.Add(subscriber);
            }

            _joining.Clear();
            _livePlace = _source.End() is { } end ? StreamPlace.Later(_live.Place, end) : _live.Place;
            return _livePlace;
        }
    }

    // Fifty writes take about a millisecond; a thousand in one go would hold up every request on a small machine.
    private void Pace()
    {
        if (++_writes % WritesAtAStretch == 0)
            _stopping.Wait(TimeSpan.FromMilliseconds(1));
    }

    private void Tend()
    {
        // With the id, so that who comes back after a long silence does not ask for all of it.
        var live = Encoding.ASCII.GetBytes($": heartbeat\nid: {_source.IdOf(_live!.Place)}\n\n");
        Subscriber[] all;
        lock (_gate)
            all = [.. _subscribers];
        foreach (var subscriber in all)
            subscriber.Tend(subscriber.IsLive ? live : ": heartbeat\n\n"u8, _options);
    }

    private void Replay()
    {
        if (_options.Readers == 1)
        {
            _ownReplay ??= TakeBehind();
            if (_ownReplay?.TryStep() == false)
                _ownReplay = null;
            return;
        }

        lock (_gate)
            _replays.RemoveAll(ended => !ended.IsAlive);
        if (_replays.Count >= _options.Readers - 1 || TakeBehind() is not { } replay)
            return;
        var thread = new Thread(() => replay.Run(_stopping)) { IsBackground = true, Name = "MetricStream replay" };
        lock (_gate)
            _replays.Add(thread);
        thread.Start();
    }

    /// <summary>A replay for those who are behind and can take a frame now; null when there are none.</summary>
    private StreamReplay? TakeBehind()
    {
        Subscriber[] taken;
        lock (_gate)
        {
            _behind.RemoveAll(subscriber => subscriber.IsOver);
            taken = [.. _behind.Where(subscriber => !subscriber.IsBusy)];
            if (taken.Length == 0)
                return null;
            _behind.RemoveAll(taken.Contains);
        }

        var lane = new StreamLane(
            _source, taken.Select(subscriber => subscriber.From).Aggregate(StreamPlace.Earlier), _options, isLive: false);
        foreach (var subscriber in taken)
            lane.Add(subscriber);
        return new StreamReplay(this, lane, _options);
    }

    /// <summary>Where to go on after the event with that id; null when no event of this source has such an id.</summary>
    public StreamPlace? Read(string id) => _source.Read(id);

    private void EndLive()
    {
        _live?.Dispose();
        _live = null;
        _ownReplay?.Dispose();
        _ownReplay = null;
    }

    /// <summary>Those who were fed by the live lane, or wait for it, are let go: they come back with the id of what they had.</summary>
    private void Break(Exception failure)
    {
        LogBroken(failure);
        List<Subscriber> ended = [.. _live?.Subscribers ?? []];
        lock (_gate)
        {
            ended.AddRange(_joining);
            _joining.Clear();
            _livePlace = _source.End();
        }

        foreach (var subscriber in ended)
            subscriber.End();
        EndLive();
    }

    [LoggerMessage(121, LogLevel.Warning,
        "A stream could not be read; its subscribers are let go and come back by themselves. Check the queue's and the store's disk.")]
    private partial void LogBroken(Exception failure);
}
