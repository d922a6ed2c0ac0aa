using System.Diagnostics.CodeAnalysis;
using EvenKeel.Kafka.Native;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// The consume loop: the one thread that owns a consumer's state. It never runs user code and never waits for a broker, so it serves the
/// group whatever the handlers do: a handler of any length costs neither the membership nor the bound on the close.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "An event whose WaitHandle nobody asks for holds nothing to dispose of.")]
internal sealed class ConsumeLoop
{
    // Records wake the loop at once; events of the group wait for at most this.
    private static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(10);

    // Without room or partitions the loop waits for events, and is woken when a record leaves a lane.
    private static readonly TimeSpan Paused = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Ending = TimeSpan.FromMilliseconds(2);

    private readonly ConsumerContext _context;
    private readonly OffsetCommits _commits;
    private readonly Membership _membership;
    private readonly Dispatch _dispatch;
    private readonly TaskCompletionSource<CloseReport> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Any thread.
    private readonly Lock _stopGate = new();
    private volatile StopRequest? _stop;
    private volatile bool _isPaused;

    // Consume loop only.
    private KafkaException? _fatal;

    public ConsumeLoop(ConsumerContext context)
    {
        _context = context;
        _commits = new OffsetCommits(context);
        _membership = new Membership(context, _commits);
        _dispatch = new Dispatch(context, _membership);
        Thread = new Thread(Run) { IsBackground = true, Name = $"consume {context.Client.Handle.Name}" };
        Thread.Start();
    }

    public Thread Thread { get; }

    public Dispatch Dispatch => _dispatch;

    public Membership Membership => _membership;

    public OffsetCommits Commits => _commits;

    /// <summary>The end, after which no handler is begun; fails with what ended the consumer if that was not the stop.</summary>
    public Task<CloseReport> Ended => _ended.Task;

    /// <summary>There is no room: nothing is taken until handlers are done with some.</summary>
    public bool IsPaused => _isPaused;

    public bool IsStopping => _stop is not null;

    /// <summary>Begins the end, or brings its deadline forward.</summary>
    public void Stop(TimeSpan limit)
    {
        lock (_stopGate)
        {
            var now = _context.Time.GetTimestamp();
            if (_stop is { } earlier && _context.Time.GetElapsedTime(now, earlier.Deadline(_context.Time)) <= limit)
                return;
            _stop = new StopRequest(now, limit);
        }
        _context.Client.Wake();
    }

    private void Run()
    {
        CloseReport? report = null;
        Exception? failure = null;
        try
        {
            _context.Client.Handle.Subscribe([.. _context.Options.Topics]);
            while (_stop is null && _fatal is null && _context.Defect is null)
                Step();
            failure = (Exception?)_fatal ?? _context.Defect;
            report = End();
        }
#pragma warning disable CA1031 // A defect must reach whoever awaits the end, not end the process from a thread of ours.
        catch (Exception defect)
        {
            failure = defect;
        }
#pragma warning restore CA1031
        finally
        {
            // Whatever happened: no handler is begun any more, and the native client goes, as soon as no lane holds it.
            _membership.AbandonAll();
            _dispatch.Stop();
            _ = _context.Client.Handle.CloseAsync(DestroyOptions.NoConsumerClose);
        }
        Tell(report, failure);
    }

    /// <summary>One round of the loop.</summary>
    private void Step()
    {
        // 1. What the group, the coordinator and the brokers say. Polled in every round, taken records or not: that is what the group
        //    takes for a living member.
        ServeEvents(TimeSpan.Zero);

        // 2. A rebalance under way goes on when work in hand has ended, or its time is over.
        _membership.Step();

        // 3. What is contiguously done is committed, by the interval.
        foreach (var ledger in _membership.Ledgers)
            ledger.Settle();
        _commits.SendIfDue(_membership.Ledgers);

        // 4. Records are taken while there is room, and go to their lanes. librdkafka stops fetching when its own limit is full.
        if (_membership.Ledgers.Length > 0 && !_membership.IsChanging && _dispatch.HasRoom)
        {
            _isPaused = false;
            _dispatch.TakeSome(Idle);
            return;
        }

        // 5. Otherwise events are waited for, and room.
        WaitForRoom();
    }

    private void WaitForRoom()
    {
        _context.IsWaitingForRoom = true;
        _isPaused = _membership.Ledgers.Length > 0 && !_dispatch.HasRoom;
        ServeEvents(_membership.IsChanging ? Ending : Paused);
        _context.IsWaitingForRoom = false;
    }

    private void ServeEvents(TimeSpan wait)
    {
        while (true)
        {
            using var next = _context.Client.Events.Poll(wait);
            if (next.IsNone)
                return;
            Serve(next);
            wait = TimeSpan.Zero;
        }
    }

    private void Serve(in ClientEvent next)
    {
        switch (next.Kind)
        {
            case EventKinds.Rebalance:
                _membership.Take(next);
                break;
            case EventKinds.OffsetCommit:
                _commits.Take(next);
                break;
            case EventKinds.Error:
                TakeError(next);
                break;
            case EventKinds.Log:
                var (level, facility, text) = next.Log;
                _context.Notices.Tell(new ConsumerNotice(ConsumerNoticeKind.Log, $"{facility}: {text}") { LogLevel = level });
                break;
            case EventKinds.Statistics:
                _context.Notices.Tell(new ConsumerNotice(ConsumerNoticeKind.Statistics, next.Statistics));
                break;
        }
    }

    private void TakeError(in ClientEvent error)
    {
        if (error.IsFatal)
        {
            _fatal = _context.Client.Handle.FatalError() ?? new KafkaException(error.Error, error.ErrorText, isFatal: true);
            _context.Notices.Tell(new ConsumerNotice(ConsumerNoticeKind.Fatal, _fatal.Message, error.Error));
            return;
        }
        _context.Notices.Tell(new ConsumerNotice(
            ConsumerNoticeKind.BrokerError, $"{error.ErrorText} ({error.Error.Describe()})", error.Error));
    }

    /// <summary>The end, within the deadline whatever brokers and handlers do.</summary>
    private CloseReport End()
    {
        var start = _context.Time.GetTimestamp();
        if (_stop is null)
            Stop(_context.Options.Deadlines.Close);

        // 1. Nothing more is taken or begun, but for what lies before a record that is begun.
        _membership.BeginEnd();

        // 2. Handlers end, or are given up while there is still time to commit and to leave.
        while (Unfinished() > 0 && !IsOver(_stop!.LimitOfWork))
            ServeEvents(Ending);
        var abandoned = _membership.AbandonAll();

        // 3. What is done is committed and the group left; neither is waited for by itself. The close brings a last revocation.
        _commits.Send(_membership.Ledgers);
        _context.Client.Handle.BeginConsumerClose(_context.Client.Events);
        var hasLeft = false;
        while (!(hasLeft = _context.Client.Handle.IsConsumerClosed()) && !IsOver(_stop!.Limit))
        {
            ServeEvents(Ending);
            _membership.Step();
        }

        // 4. Out of time: whatever the group still asks is answered, or the destruction would never end. Then what came with the close.
        if (!hasLeft)
            _context.Client.Handle.AnswerLastRevocation();
        ServeEvents(TimeSpan.Zero);
        return new CloseReport(
            hasLeft, !_commits.IsUnderway, abandoned, _context.Time.GetElapsedTime(start));
    }

    private int Unfinished()
    {
        var unfinished = 0;
        foreach (var ledger in _membership.Ledgers)
            unfinished += ledger.Unfinished();
        return unfinished;
    }

    private bool IsOver(TimeSpan limit) => _context.Time.GetElapsedTime(_stop!.Since) >= limit;

    private void Tell(CloseReport? report, Exception? failure)
    {
        if (failure is null)
        {
            _ended.SetResult(report!);
            return;
        }
        if (failure is not KafkaException { IsFatal: true })
        {
            _context.Notices.Tell(new ConsumerNotice(
                ConsumerNoticeKind.Defect, $"The consumer ended: {failure.Message}", exception: failure));
        }
        _ended.SetException(failure);
    }

    /// <summary>The wish to end: since when, and within what.</summary>
    private sealed record StopRequest(long Since, TimeSpan Limit)
    {
        /// <summary>Handlers have three quarters of the time, and leave at most a second to the last commit and the group.</summary>
        public TimeSpan LimitOfWork { get; } =
            TimeSpan.FromTicks(Math.Max(Limit.Ticks * 3 / 4, Limit.Ticks - TimeSpan.TicksPerSecond));

        public long Deadline(TimeProvider time) => Since + (long)(Limit.TotalSeconds * time.TimestampFrequency);
    }
}
