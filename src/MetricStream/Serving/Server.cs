using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography;
using EvenKeel.Queue;
using MetricStream.Admission;
using MetricStream.Intake;
using MetricStream.Kafka;
using MetricStream.Page;
using MetricStream.Queueing;
using MetricStream.Storing;
using MetricStream.Streaming;
using MetricStream.Telemetry;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Console;

namespace MetricStream.Serving;

/// <summary>
/// One server from start to exit. What it opens, in this order, it closes in the reverse: the order is the order of lines here,
/// never that of registrations.
/// </summary>
internal static partial class Server
{
    // A batch is copied into the queue with its header and frame.
    private const int RecordOverhead = BatchRecord.MaxHeaderBytes;
    private const long LargestSegment = 64L << 20;

    // The stop, from SIGTERM on: what a balancer needs to see that the server is not ready, then the end of intake, then the drain, 20 s
    // in all.
    private static readonly TimeSpan NotReadyGrace = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan IntakeEnds = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan DrainEnds = TimeSpan.FromSeconds(17);

    public static async Task<int> RunAsync(ServeSettings settings, CancellationToken cancellation)
    {
        // 1. The data directory is ours alone.
        using var data = DataDirectory.Open(settings.Data);
        await using var app = Build(settings);
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("MetricStream");
        LeftBehind.RefuseSpill(settings);
        // A shared store keeps the counters of each server under its name.
        settings = settings with
        {
            ServerId = settings.Store == StoreKind.Postgres ? AcceptanceIds.Of(settings.Data).Server : AcceptanceIds.NameIn(settings.Data),
        };
        // 2. The queue, repaired; then the store, which knows up to where the queue is stored.
        using var queue = OpenQueue(settings, log);
        using var file = (IMetricStore?)Stores.OpenShared(settings, log) ?? Stores.OpenFile(settings);
        // 3. The parts that share them. Without a store the file keeps the counters alone, which live as long as the directory.
        var store = settings.Store == StoreKind.None ? null : file;
        var time = TimeProvider.System;
        var ledger = new IntakeLedger();
        var batches = new FileBatchQueue(queue);
        using var loop = store is null ? null : OrRefuse(() => new StoreLoop(queue, store, time, log));
        var rounds = StoreUpkeep.Rounds(file, settings, time, app.Services.GetRequiredService<ILoggerFactory>());
        using var upkeep = new StoreUpkeep(file, ledger, rounds, time, log);
        var state = OrRefuse(() => new ServerState(settings, queue, batches, file, ledger) { Loop = loop });
        var options = new IntakeOptions
        {
            MaxBodyBytes = settings.MaxBodyBytes,
            IdWindow = settings.IdWindow,
            StopGrace = IntakeEnds,
            Ack = settings.Ack,
        };
        var acceptance = new BatchAcceptance(batches, store, options, time);
        await using var admission = new AdmissionReload(settings, app.Services.GetRequiredService<ConnectionCount>(), time, log);
        using var intake = new MetricsEndpoint(
            acceptance, options, ledger, time,
            app.Services.GetRequiredService<ILogger<MetricsEndpoint>>())
        {
            Gate = admission.Gate,
        };
        acceptance.Lost += reason => TellLost(intake.Times, log, reason);
        var streaming = new StreamOptions { Readers = settings.SseConsumerPoolSize, MaxSubscribers = settings.SseMaxSubscribers };
        using var stream = new StreamHub(new QueueSource(queue, store), streaming, time, log);
        using var pulse = new ServerPulse(new FilePulse(queue, batches) { Loop = loop }, intake.Times, time);
        Map(app, admission.Gate, intake, store);
        var stats = new StatsJson(state, intake.Times, pulse, stream, time) { Gate = admission.Gate };
        using var told = Tell(app, state, intake.Times, stats, settings.ServerId);
        new StreamEndpoint(stream, streaming, log).Map(app);
        // 4. A port that is in use ends the start here, before anything moves.
        await ListenAsync(app, settings, cancellation);
        loop?.Start();
        upkeep.Start();
        stream.Start();
        pulse.Start();
        admission.Start();
        TellListening(app, settings, address => LogListening(log, address, settings.Data));
        // 5. Until somebody stops it.
        var stopRequested = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var onStop = app.Lifetime.ApplicationStopping.Register(() => stopRequested.TrySetResult());
        using var onCancel = cancellation.Register(() => stopRequested.TrySetResult());
        await stopRequested.Task;
        await StopAsync(app, intake, state, stream, upkeep);
        await pulse.StopAsync();
        return 0;
    }

    private static async Task StopAsync(
        WebApplication app, MetricsEndpoint intake, ServerState state, StreamHub stream, StoreUpkeep upkeep)
    {
        var time = TimeProvider.System;
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("MetricStream");
        var began = Stopwatch.GetTimestamp();
        LogStopping(log);
        // 1. Not ready, and no new batch; those in hand have until the end of intake.
        state.Draining = true;
        intake.BeginStop();
        await Task.Delay(NotReadyGrace, time);
        // 2. The streams end, which would last for ever; the listener closes; connections still busy then are cut.
        stream.Stop();
        using (var cut = new CancellationTokenSource(Remaining(began, IntakeEnds + NotReadyGrace)))
            await app.StopAsync(cut.Token);
        // 3. The store takes what it can until the deadline; the rest is on disk.
        await upkeep.StopAsync();
        if (state.Loop is { } loop)
        {
            while (state.Queue.Durable > loop.Position && loop.Trouble is null && Remaining(began, DrainEnds) > TimeSpan.Zero)
                await Task.Delay(TimeSpan.FromMilliseconds(20), time);
            if (!loop.Stop(TimeSpan.FromSeconds(2)))
                LogLoopBusy(log);
        }
        // 4. What is left is said.
        var left = state.Queue.Durable - (state.Loop?.Position ?? state.Queue.Acked);
        if (left > 0)
            LogLeft(log, left);
        LogStopped(log, Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private static TimeSpan Remaining(long began, TimeSpan deadline)
    {
        var remaining = deadline - Stopwatch.GetElapsedTime(began);
        return remaining > TimeSpan.Zero ? remaining : TimeSpan.Zero;
    }

    internal static WebApplication Build(ServeSettings settings)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "MetricStream" });
        // What the host says when it cannot listen, StartRefusedException says in one line.
        // The hosting diagnostics make an activity and a scope for every request once anybody listens to them (450 B each).
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning)
            .AddFilter("Microsoft.Extensions.Hosting", LogLevel.None)
            .AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        AddLog(builder.Logging, settings.LogFormat);
        builder.Services.AddRoutingCore();
        // "Unsafe" is for handlers that block for long: a batch is parsed and answered where it was received, two thread hops less
        // (measured: 15-20 % more requests at 64 connections).
        builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
        var connections = Listening.Count(settings);
        builder.Services.AddSingleton(connections);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration()
            .ConfigureKestrel(kestrel => Listening.Configure(kestrel, settings, connections));
        return builder.Build();
    }

    private static void AddLog(ILoggingBuilder logging, LogFormat format)
    {
        if (format == LogFormat.Json)
            logging.AddJsonConsole(Stamp);
        else
            logging.AddSimpleConsole(console =>
            {
                Stamp(console);
                console.SingleLine = true;
            });

        static void Stamp(ConsoleFormatterOptions console)
        {
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            console.UseUtcTimestamp = true;
        }
    }

    internal static void Map(WebApplication app, Gate gate, MetricsEndpoint? intake, IMetricStore? store)
    {
        app.UseRouting();
        app.UseProblemPages();
        if (gate.AsksForKeys)
        {
            app.UseKeys(gate);
            new LoginEndpoints(gate).Map(app);
        }
        intake?.Map(app);
        PageEndpoints.Map(app);
        if (store is not null)
            QueryEndpoints.Map(app, store);
    }

    /// <summary>Tells of the server: by its routes, and to a collector where one is named.</summary>
    internal static OtlpExport Tell(WebApplication app, IServerState state, IntakeTimes times, StatsJson stats, string instance)
    {
        new StateEndpoints(state, times, stats).Map(app);
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("MetricStream");
        return OtlpExport.Start(new ServerMeter(state, times, stats.Gate, TimeProvider.System), instance, log);
    }

    private static DurableQueue OpenQueue(ServeSettings settings, ILogger log)
    {
        try
        {
            var queue = DurableQueue.Open(new DurableQueueOptions
            {
                Directory = settings.QueueFolder,
                MaxBytes = settings.MaxQueueBytes,
                SegmentBytes = Math.Clamp(settings.MaxQueueBytes / 8, 4096, LargestSegment),
                MaxRecordBytes = (int)Math.Min(settings.MaxBodyBytes + (long)RecordOverhead, settings.MaxQueueBytes / 2),
            });
            if (queue.Recovery is { TornBytes: 0, SkippedSequences: 0, RemovedUnfinishedSegment: null, DamagedCheckpoints: [] })
                LogOpened(log, queue.Durable - queue.Acked, queue.Bytes);
            else
                LogRepaired(log, queue.Recovery, queue.Durable - queue.Acked);
            return queue;
        }
        catch (QueueOpenException refused)
        {
            throw new StartRefusedException(refused.Message, refused);
        }
    }

    /// <summary>What is first read after both are open may show damage that opening did not.</summary>
    internal static T OrRefuse<T>(Func<T> make)
    {
        try
        {
            return make();
        }
        catch (Exception refused) when (refused is DurableQueueException or StoreUnavailableException)
        {
            throw new StartRefusedException(refused.Message, refused);
        }
    }

    internal static async Task ListenAsync(WebApplication app, ServeSettings settings, CancellationToken cancellation)
    {
        try
        {
            await app.StartAsync(cancellation);
        }
        catch (Exception error) when (settings.Kestrel is not null
            && error is not AddressInUseException && error is CryptographicException or InvalidOperationException or FormatException
                or FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            throw new StartRefusedException($"The section {Listening.Section} of the configuration cannot be used: {error.Message} "
                + "Correct its endpoints and certificates.", error);
        }
        catch (Exception error) when (error is IOException or SocketException)
        {
            throw new StartRefusedException(
                $"Nothing can listen on {settings.Host}:{settings.Port}: {error.Message} "
                + "Stop what uses the port, or choose another with --port.", error);
        }
    }

    /// <summary>A line for each address, on standard output for people and scripts that wait for it, and in the log.</summary>
    internal static void TellListening(WebApplication app, ServeSettings settings, Action<string> log)
    {
        foreach (var address in Listening.Addresses(app, settings))
        {
            log(address);
            Console.WriteLine($"MetricStream is listening on {address}");
        }
    }

    internal static void TellLost(IntakeTimes times, ILogger log, string reason)
    {
        times.AddEnqueuedLost();
        LogLost(log, reason);
    }

    [LoggerMessage(101, LogLevel.Information, "Listening on {Address}, data in {Data}.")]
    private static partial void LogListening(ILogger log, string address, string data);

    [LoggerMessage(102, LogLevel.Information, "The queue is open: {Waiting} batches wait for the store, {Bytes} bytes on disk.")]
    private static partial void LogOpened(ILogger log, long waiting, long bytes);

    [LoggerMessage(103, LogLevel.Warning, "The queue was repaired after a crash: {Recovery}. {Waiting} batches wait for the store.")]
    private static partial void LogRepaired(ILogger log, QueueRecovery recovery, long waiting);

    [LoggerMessage(104, LogLevel.Information, "Stopping: no new batches are taken.")]
    private static partial void LogStopping(ILogger log);

    [LoggerMessage(105, LogLevel.Warning,
        "{Left} acknowledged batches are not in the store yet; they are on disk and will be stored at the next start.")]
    private static partial void LogLeft(ILogger log, long left);

    [LoggerMessage(106, LogLevel.Warning,
        "The store was busy at the deadline; its open transaction is rolled back and done again at the next start.")]
    private static partial void LogLoopBusy(ILogger log);

    [LoggerMessage(108, LogLevel.Error, "A batch that was answered 202 (--ack enqueued) is lost: {Reason}")]
    private static partial void LogLost(ILogger log, string reason);

    [LoggerMessage(107, LogLevel.Information, "Stopped after {Seconds:0.0} s.")]
    private static partial void LogStopped(ILogger log, double seconds);
}
