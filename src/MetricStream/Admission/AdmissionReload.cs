using System.Runtime.InteropServices;
using MetricStream.Serving;

namespace MetricStream.Admission;

/// <summary>
/// Puts keys and rate limit in force when their files change: looked at every second, and at once on SIGHUP. Files that do not hold change
/// nothing: what was in force stays, and the log, <c>/api/stats</c> and <c>/metrics</c> say so until they are mended.
/// </summary>
internal sealed partial class AdmissionReload : IAsyncDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly ServeSettings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();

    // Guarded by _reading.
    private readonly Lock _reading = new();
    private FileStamps _read;

    private PosixSignalRegistration? _signal;
    private Task _running = Task.CompletedTask;

    public AdmissionReload(ServeSettings settings, ConnectionCount connections, TimeProvider time, ILogger log)
    {
        (_settings, _time, _log) = (settings, time, log);
        Gate = new Gate(settings.Keys, settings.RateLimit, time) { Connections = connections };
        _read = Stamps();
    }

    /// <summary>In force from the start on.</summary>
    public Gate Gate { get; }

    public void Start()
    {
        if (_settings.Source is null)
            return;
        _signal = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true; // Else it would end the process.
            Reload();
        });
        _running = WatchAsync();
    }

    /// <summary>Reads everything again and puts in force what holds.</summary>
    public void Reload()
    {
        lock (_reading)
        {
            _read = Stamps();
            var (settings, violations) = _settings.Source!.Read();
            if (settings is not null && (settings.Keys is null) != (_settings.Keys is null))
                (settings, violations) = (null, ["--api-keys came or went: whether keys are asked for is settled at the start."]);
            if (settings is null)
            {
                var why = string.Join(' ', violations);
                if (Gate.Trouble != why)
                    LogKept(why);
                Gate.Trouble = why;
                return;
            }
            var (added, revoked) = Gate.Change(settings.Keys, settings.RateLimit);
            Gate.Trouble = null;
            LogChanged(Gate.Keys, added, revoked, Gate.PerSecond);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _signal?.Dispose();
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private FileStamps Stamps() => _settings.Source?.Stamps(_settings.ApiKeys) ?? default;

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(LookEvery, _time);
        using var ended = _stop.Token.Register(timer.Dispose); // A disposed timer answers false instead of throwing.
        var before = _read;
        while (await timer.WaitForNextTickAsync())
        {
            var now = Stamps();
            // The same at two looks: a file that somebody is still writing is not read by half.
            if (now == before && IsNew(now))
                Reload();
            before = now;
        }
    }

    private bool IsNew(FileStamps now)
    {
        lock (_reading)
            return now != _read;
    }

    [LoggerMessage(141, LogLevel.Information,
        "Keys and limit were read again: {Keys} keys, {Added} new, {Revoked} revoked; "
        + "{PerSecond} batches a second and client (0: no limit).")]
    private partial void LogChanged(int keys, int added, int revoked, int perSecond);

    [LoggerMessage(142, LogLevel.Error, "KEYS AND LIMIT IN FORCE ARE OLD: what the files say now does not hold. {Why}")]
    private partial void LogKept(string why);
}
