using System.Diagnostics;
using EvenKeel.Kafka;
using MetricStream.Admission;
using MetricStream.Intake;
using MetricStream.Serving;
using MetricStream.Storing;
using MetricStream.Streaming;

namespace MetricStream.Kafka;

/// <summary>
/// One server with its queue in Kafka, from start to exit. What it opens, in this order, it closes in the reverse.
/// </summary>
internal static partial class KafkaServer
{
    // The stop, from SIGTERM on, 20 s in all: what a balancer needs to see that the server is not ready, the end of intake, the drain.
    private static readonly TimeSpan NotReadyGrace = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan IntakeEnds = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan SpillEnds = TimeSpan.FromSeconds(14);
    private static readonly TimeSpan MemberEnds = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan StartWait = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan SaveEvery = TimeSpan.FromSeconds(1);

    public static async Task<int> RunAsync(ServeSettings settings, KafkaOptions kafka, CancellationToken cancellation)
    {
        // 1. The data directory is ours alone, and has a name.
        using var data = DataDirectory.Open(settings.Data);
        var ids = AcceptanceIds.Of(settings.Data);
        settings = settings with { ServerId = ids.Server };
        await using var app = Server.Build(settings);
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("MetricStream");
        var time = TimeProvider.System;
        // 2. The file that keeps the counters, then the spill; what an earlier process left there goes to Kafka from now on.
        using var file = Stores.OpenFile(settings);
        using var shared = Stores.OpenShared(settings, log);
        LeftBehind.Refuse(settings, file, kafka.Topic);
        var started = Stopwatch.GetTimestamp();
        await using var survey = OrRefuse(() => new TopicSurvey(kafka, time, log));
        survey.Start();
        await using var source = Server.OrRefuse(() => KafkaIntake.Open(settings, kafka, ids, file, log));
        survey.MadeAnew += source.Batches.ForgetEnds;
        await source.ConnectAsync(cancellation);
        await WaitAsync(survey.Known, StartWait - Stopwatch.GetElapsedTime(started), time);

        // 3. The store, and the member that brings batches there; with --role intake it is others'.
        var store = kafka.Role == ServerRole.Intake || settings.Store == StoreKind.None ? null : (IMetricStore?)shared ?? file;
        await using var member = store is null ? null : new StoreMember(
            kafka.Member(ids.Server), store, survey, new DeadLetterTopic(kafka, survey, log),
            new StoreMemberNaming(ids.Server, time, log) { CountsHistory = kafka.Role == ServerRole.All });
        var parts = new KafkaParts
        {
            Options = kafka,
            File = file,
            Store = store,
            StoreName = Stores.NameOf(settings.Store),
            Intake = source,
            Survey = survey,
            Member = member,
        };

        // 4. The parts that share them.
        var ledger = new IntakeLedger();
        using var upkeep = Upkeep(app, settings, parts, ledger);
        var state = Server.OrRefuse(() => new KafkaState(settings, parts, ledger));
        await using var admission = new AdmissionReload(settings, app.Services.GetRequiredService<ConnectionCount>(), time, log);
        using var intake = Intake(app, settings, parts, (ledger, admission.Gate));
        using var pulse = new ServerPulse(state, intake.Times, time);
        var streaming = new StreamOptions { Readers = settings.SseConsumerPoolSize, MaxSubscribers = settings.SseMaxSubscribers };
        using var stream = store is null ? null : new StreamHub(new TopicStream(kafka.Member(ids.Server), parts), streaming, time, log);
        Server.Map(app, admission.Gate, kafka.Role == ServerRole.Store ? null : intake, store);
        var stats = new StatsJson(state, intake.Times, pulse, stream, time) { Gate = admission.Gate };
        using var told = Server.Tell(app, state, intake.Times, stats, ids.Server);
        if (stream is not null)
            new StreamEndpoint(stream, streaming, log).Map(app);

        // 5. A port that is in use ends the start here.
        await Server.ListenAsync(app, settings, cancellation);
        upkeep.Start();
        pulse.Start();
        Start(stream, member, admission);
        using var saving = new CancellationTokenSource();
        var saves = SaveAsync(source.Account, log, time, saving.Token);
        Server.TellListening(app, settings, address => LogListening(log, address, kafka.Topic, settings.Data));

        // 6. Until somebody stops it.
        await StopRequestedAsync(app, cancellation);
        await StopAsync(app, intake, state, new Stopping(parts, upkeep, stream));
        await pulse.StopAsync();
        await saving.CancelAsync();
        await saves;
        Save(source.Account, log);
        return intake.Times.EnqueuedLost == 0 ? 0 : 1;
    }

    private static async Task StopRequestedAsync(WebApplication app, CancellationToken cancellation)
    {
        var requested = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var onStop = app.Lifetime.ApplicationStopping.Register(() => requested.TrySetResult());
        using var onCancel = cancellation.Register(() => requested.TrySetResult());
        await requested.Task;
    }

    private static StoreUpkeep Upkeep(WebApplication app, ServeSettings settings, KafkaParts parts, IntakeLedger ledger)
    {
        var logs = app.Services.GetRequiredService<ILoggerFactory>();
        var rounds = StoreUpkeep.Rounds(parts.Store ?? parts.File, settings, TimeProvider.System, logs);
        return new StoreUpkeep(parts.File, ledger, rounds, TimeProvider.System, logs.CreateLogger("MetricStream"));
    }

    private static MetricsEndpoint Intake(
        WebApplication app, ServeSettings settings, KafkaParts parts, (IntakeLedger Ledger, Gate Gate) shared)
    {
        var log = app.Services.GetRequiredService<ILogger<MetricsEndpoint>>();
        var options = new IntakeOptions
        {
            MaxBodyBytes = settings.MaxBodyBytes,
            IdWindow = settings.IdWindow,
            StopGrace = IntakeEnds,
            Ack = settings.Ack,
        };
        var acceptance = new BatchAcceptance(parts.Intake.Batches, parts.Store, options, TimeProvider.System);
        var intake = new MetricsEndpoint(acceptance, options, shared.Ledger, TimeProvider.System, log) { Gate = shared.Gate };
        acceptance.Lost += reason => Server.TellLost(intake.Times, log, reason);
        return intake;
    }

    private static async Task StopAsync(
        WebApplication app, MetricsEndpoint intake, KafkaState state, Stopping stopping)
    {
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("MetricStream");
        var time = TimeProvider.System;
        var began = Stopwatch.GetTimestamp();
        LogStopping(log);
        // 1. Not ready, and no new batch; those in hand have until the end of intake.
        state.Draining = true;
        intake.BeginStop();
        await Task.Delay(NotReadyGrace, time);
        // 2. The streams end, which would last for ever; the listener closes; connections still busy then are cut.
        stopping.Stream?.Stop();
        using (var cut = new CancellationTokenSource(Remaining(began, IntakeEnds + NotReadyGrace)))
            await app.StopAsync(cut.Token);
        // 3. What is on its way, and in the spill, goes to Kafka until the deadline; the rest is on disk.
        await stopping.Upkeep.StopAsync();
        using var hurry = new CancellationTokenSource(Remaining(began, SpillEnds));
        var report = await stopping.Parts.Intake.Producer.DrainAsync(hurry.Token);
        // 4. The member ends behind the transaction in hand; what is not stored is in Kafka.
        if (stopping.Parts.Member is { } member)
            await member.StopAsync(MemberEnds);
        // 5. What is left is said.
        if (report.LeftInSpill > 0)
            LogLeft(log, report.LeftInSpill);
        if (report.Refused > 0 || report.Unknown > 0)
            LogRefused(log, report.Refused, report.Unknown);
        LogStopped(log, Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private static async Task SaveAsync(KafkaAccount account, ILogger log, TimeProvider time, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(SaveEvery, time);
        using var ended = stop.Register(timer.Dispose); // A disposed timer answers false instead of throwing.
        while (await timer.WaitForNextTickAsync(CancellationToken.None))
            Save(account, log);
    }

    private static void Save(KafkaAccount account, ILogger log)
    {
        try
        {
            account.Save();
        }
        catch (StoreUnavailableException unavailable)
        {
            LogNotSaved(log, unavailable.Message);
        }
    }

    private static async Task WaitAsync(Task known, TimeSpan limit, TimeProvider time)
    {
        if (limit <= TimeSpan.Zero)
            return;
        using var stop = new CancellationTokenSource(limit, time);
        var over = new TaskCompletionSource();
        using var registration = stop.Token.Register(() => over.TrySetResult());
        await Task.WhenAny(known, over.Task);
    }

    private static void Start(StreamHub? stream, StoreMember? member, AdmissionReload admission) => OrRefuse(() =>
    {
        admission.Start();
        stream?.Start();
        member?.Start();
        return true;
    });

    private static T OrRefuse<T>(Func<T> make)
    {
        try
        {
            return make();
        }
        catch (KafkaException refused)
        {
            throw new StartRefusedException(refused.Message, refused);
        }
    }

    private static TimeSpan Remaining(long began, TimeSpan deadline)
    {
        var remaining = deadline - Stopwatch.GetElapsedTime(began);
        return remaining > TimeSpan.Zero ? remaining : TimeSpan.Zero;
    }

    [LoggerMessage(221, LogLevel.Information, "Listening on {Address}, batches to topic '{Topic}', data in {Data}.")]
    private static partial void LogListening(ILogger log, string address, string topic, string data);

    [LoggerMessage(222, LogLevel.Information, "Stopping: no new batches are taken.")]
    private static partial void LogStopping(ILogger log);

    [LoggerMessage(223, LogLevel.Warning,
        "{Left} acknowledged batches are not in Kafka yet; they are in the spill and go there at the next start.")]
    private static partial void LogLeft(ILogger log, long left);

    [LoggerMessage(224, LogLevel.Warning, "{Refused} batches were refused and {Unknown} have no known outcome; their clients were told.")]
    private static partial void LogRefused(ILogger log, long refused, long unknown);

    [LoggerMessage(225, LogLevel.Warning, "The count of delivered batches is kept in memory, its file does not take it now: {Reason}")]
    private static partial void LogNotSaved(ILogger log, string reason);

    [LoggerMessage(226, LogLevel.Information, "Stopped after {Seconds:0.0} s.")]
    private static partial void LogStopped(ILogger log, double seconds);

    /// <summary>What a stop ends beside intake.</summary>
    private sealed record Stopping(KafkaParts Parts, StoreUpkeep Upkeep, StreamHub? Stream);
}
