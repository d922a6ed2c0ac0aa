using System.Buffers;
using System.IO.Pipelines;

namespace MetricStream.Streaming;

/// <summary>
/// One connection that takes events: what it asked for, and the way to write to it, which never waits. A frame for which it has no room is
/// refused here; its lane counts what was in it.
/// </summary>
internal sealed class Subscriber(PipeWriter output, byte[]? name, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Guarded by _gate.
    private Task _writing = Task.CompletedTask;
    private long _wroteAt = time.GetTimestamp();
    private bool _over;

    /// <summary>The metric it wants; null for all.</summary>
    public byte[]? Name { get; } = name;

    // Its lane's alone.

    /// <summary>Where it has not seen anything yet.</summary>
    public StreamPlace From { get; set; } = new();

    /// <summary>Points that it missed and has not been told of.</summary>
    public Dictionary<StreamSeries, long> Missed { get; } = [];

    /// <summary>A frame is still on its way.</summary>
    public bool IsBusy
    {
        get { lock (_gate) return !_writing.IsCompleted; }
    }

    /// <summary>Nobody writes to it any more.</summary>
    public bool IsOver
    {
        get { lock (_gate) return _over; }
    }

    /// <summary>It gets what is new, and not what it had missed while it was away.</summary>
    public bool IsLive { get; set; }

    /// <summary>It was too slow for too long: its connection is cut instead of ended in order.</summary>
    public bool IsCut { get; private set; }

    /// <summary>Completes when it is over.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Hands a frame to the connection. False when the one before is still on its way, or it is over.</summary>
    public bool TryWrite(ReadOnlySpan<byte> frame)
    {
        lock (_gate)
        {
            if (_over || !_writing.IsCompleted)
                return false;
            _wroteAt = time.GetTimestamp();
            output.Write(frame);
            _writing = FinishAsync(output.FlushAsync()); // Done on the spot while the system has room for it.
            return true;
        }
    }

    /// <summary>Ends a connection that takes nothing, and keeps a quiet one alive.</summary>
    /// <param name="heartbeat">What to send.</param>
    /// <param name="options">After how long.</param>
    public void Tend(ReadOnlySpan<byte> heartbeat, StreamOptions options)
    {
        TimeSpan silent;
        bool busy;
        lock (_gate)
            (silent, busy) = (time.GetElapsedTime(_wroteAt), !_writing.IsCompleted);
        if (busy && silent >= options.StuckAfter)
            Cut();
        else if (!busy && silent >= options.HeartbeatEvery)
            TryWrite(heartbeat);
    }

    public void Cut()
    {
        IsCut = true;
        End();
    }

    public void End()
    {
        lock (_gate)
            _over = true;
        _ended.TrySetResult();
    }

    /// <summary>Returns when nobody touches the connection any more.</summary>
    public Task CloseAsync()
    {
        End();
        lock (_gate)
            return _writing;
    }

    private async Task FinishAsync(ValueTask<FlushResult> flush)
    {
        try
        {
            await flush.ConfigureAwait(false);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or ObjectDisposedException)
        {
            End();
        }
    }
}
