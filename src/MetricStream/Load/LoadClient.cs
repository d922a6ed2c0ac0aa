using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Authentication;

namespace MetricStream.Load;

/// <summary>
/// A load client is one loop on one connection: it takes a batch number, sends the batch when it is due, and books what became of it. A
/// broken connection costs the request that was on it; the client connects again, waiting longer each time it cannot. Numbers come from
/// the page and outcomes go there; without a page nothing is kept and numbers count from 0.
/// </summary>
internal sealed class LoadClient : IDisposable
{
    private static readonly TimeSpan ShortestBackoff = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(1);

    // A restart takes seconds; a server that is away for longer than this has ended, and waiting on for every request would take hours.
    private static readonly TimeSpan GiveUpAfter = TimeSpan.FromSeconds(15);

    private readonly LoadTarget _target;
    private readonly BatchTemplate _template;
    private readonly OutcomePage? _page;

    // Loop only.
    private TimeSpan _backoff = ShortestBackoff;
    private int _taken;
    private long _unreachableSince;

    // Written by the loop, read by the watch.
    private HttpConnection? _connection;
    private long _waitingSince;
    private volatile bool _hasTimedOut;

    public LoadClient(LoadTarget target, BatchTemplate template, OutcomePage? page)
    {
        _target = target;
        _template = template;
        _page = page;
    }

    /// <summary>Sends until the pace ends or the run is cancelled. <paramref name="tallyOf"/> says where a request that is due at a
    /// timestamp is counted: warm-up and measurement have their own tallies.</summary>
    public async Task RunAsync(Pace pace, Func<long, LoadTally> tallyOf, CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested && pace.TryTake(_taken, out var due))
        {
            if (pace.IsCounted && HasGivenUp)
            {
                tallyOf(due).HasFailed(FailureKind.NoConnection, $"not sent: no connection for {Units.FormatTime(GiveUpAfter)}");
                _taken++;
                continue;
            }
            if (pace.IsOpenLoop && !await WaitUntilAsync(due, cancellation)) return;
            await SendAsync(_page?.Take() ?? _taken, due, tallyOf(due), cancellation);
            _taken++;
        }
    }

    /// <summary>Sends one batch and books its outcome; never throws for what the network or the server does. Latency counts from
    /// <paramref name="due"/>.</summary>
    public async Task SendAsync(int number, long due, LoadTally tally, CancellationToken cancellation)
    {
        // A timer wakes on whole milliseconds: a request may go out a fraction of one early, and its time then counts from there.
        var sent = Stopwatch.GetTimestamp();
        if (sent < due) due = sent;
        tally.SendLag.Record(Stopwatch.GetElapsedTime(due, sent));
        var hasLeft = false;
        try
        {
            Volatile.Write(ref _waitingSince, sent);
            var connection = _connection ?? await ConnectAsync(cancellation);
            hasLeft = true;
            var exchange = await connection.ExchangeAsync(_template.Request(number));
            _page?.Set(number, OutcomeOf(exchange.Status));
            tally.Answered(exchange.Status, Stopwatch.GetElapsedTime(due), exchange.Excerpt);
            if (!exchange.KeepsAlive) Drop();
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or AuthenticationException
            or BadResponseException or OperationCanceledException)
        {
            Drop();
            if (hasLeft) _page?.Set(number, Outcome.Unknown);
            if (cancellation.IsCancellationRequested) tally.WasAbandoned();
            else await FailAsync(e, hasLeft, tally, cancellation);
        }
        finally
        {
            Volatile.Write(ref _waitingSince, 0);
            _hasTimedOut = false;
        }
    }

    /// <summary>Gives up an exchange that waits for longer than the target allows. Called by the watch, on any thread.</summary>
    public void GiveUpIfLate(long now)
    {
        var since = Volatile.Read(ref _waitingSince);
        if (since == 0 || Stopwatch.GetElapsedTime(since, now) < _target.RequestTimeout) return;
        _hasTimedOut = true;
        Abort();
    }

    /// <summary>Closes the connection under an exchange in progress, which then fails. Any thread.</summary>
    public void Abort() => Volatile.Read(ref _connection)?.Dispose();

    public void Dispose() => _connection?.Dispose();

    private bool HasGivenUp => _unreachableSince != 0 && Stopwatch.GetElapsedTime(_unreachableSince) > GiveUpAfter;

    private static Outcome OutcomeOf(int status) => status switch
    {
        < 300 => Outcome.Acknowledged,
        >= 400 and < 500 => Outcome.Refused,
        // 5xx: not promised, but perhaps kept. A redirect is not followed; what the server did before it is not known either.
        _ => Outcome.Unknown,
    };

    private static FailureKind KindOf(Exception e, bool hasLeft, bool hasTimedOut) => e switch
    {
        _ when hasTimedOut => FailureKind.Timeout,
        OperationCanceledException => FailureKind.Timeout,
        BadResponseException => FailureKind.BadResponse,
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } when !hasLeft => FailureKind.Refused,
        _ when !hasLeft => FailureKind.NoConnection,
        _ => FailureKind.Reset,
    };

    private static async Task<bool> WaitUntilAsync(long due, CancellationToken cancellation)
    {
        var wait = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due);
        if (wait < TimeSpan.FromMilliseconds(1)) return true;
        await Task.Delay(wait, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !cancellation.IsCancellationRequested;
    }

    private async Task<HttpConnection> ConnectAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(_target.RequestTimeout);
        var connection = await HttpConnection.OpenAsync(_target, limit.Token);
        Volatile.Write(ref _connection, connection);
        // 1. The run is cancelled and aborts every connection. 2. This one is published only now: nobody would abort it any more.
        cancellation.ThrowIfCancellationRequested();
        _backoff = ShortestBackoff;
        _unreachableSince = 0;
        return connection;
    }

    private async Task FailAsync(Exception e, bool hasLeft, LoadTally tally, CancellationToken cancellation)
    {
        var kind = KindOf(e, hasLeft, _hasTimedOut);
        tally.HasFailed(kind, kind == FailureKind.Timeout ? $"no answer within {Units.FormatTime(_target.RequestTimeout)}" : e.Message);
        if (hasLeft) return;
        if (_unreachableSince == 0) _unreachableSince = Stopwatch.GetTimestamp();
        await Task.Delay(_backoff, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _backoff = TimeSpan.FromTicks(Math.Min(_backoff.Ticks * 2, LongestBackoff.Ticks));
    }

    private void Drop()
    {
        _connection?.Dispose();
        Volatile.Write(ref _connection, null);
    }
}
