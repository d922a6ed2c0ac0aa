using System.Globalization;

namespace EvenKeel.Kafka.Settings;

/// <summary>
/// How settings become the properties of a client, and which of them contradict each other. librdkafka accepts most of what is refused
/// here, and fails later: heartbeats that miss their session, requests that outlast it.
/// </summary>
internal static class ClientRules
{
    public const string SessionName = "session.timeout.ms";
    public const string HeartbeatName = "heartbeat.interval.ms";
    public const string RequestName = "request.timeout.ms";
    public const string SocketName = "socket.timeout.ms";
    private const string BootstrapName = "bootstrap.servers";
    private const string RequestSetting = "RequestTimeout (KAFKA_REQUEST_TIMEOUT_MS)";

    public static readonly TimeSpan DefaultSession = TimeSpan.FromSeconds(45);
    public static readonly TimeSpan DefaultHeartbeat = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan DefaultRequest = TimeSpan.FromSeconds(40);

    private const int HeartbeatsPerSession = 3;
    private const double DefaultMaxPollMs = 300_000;
    private const double DefaultReconnectMaxMs = 10_000;

    // Report of the field: 5 s requests in 6 s sessions.
    private const double RequestShareOfSession = 5.0 / 6;

    public static ClientSettings ResolveConsumer(KafkaSettings settings)
    {
        // 1. What the user set, with what librdkafka knows against it.
        var set = Collect(settings, PropertyScope.Consumer);
        var notes = new List<string>();

        // 2. The session's rules; what was not set gives way.
        var session = set.Number(SessionName) ?? DefaultSession.TotalMilliseconds;
        var sessionSaid = Or(set, SessionName, "SessionTimeout", session);
        CheckHeartbeat(set, session, sessionSaid);
        CheckRequest(settings, set, session, sessionSaid);
        if (session > (set.Number("max.poll.interval.ms") ?? DefaultMaxPollMs) && set.Find(SessionName) is { } long_)
        {
            set.Violations.Add($"{long_.Said}: a session is at most max.poll.interval.ms, "
                + $"{Text(set.Number("max.poll.interval.ms") ?? DefaultMaxPollMs)}: lower it, or raise that.");
        }

        // 3. The values that are passed.
        if (set.Find("group.protocol") is { Value: "consumer" })
        {
            DropWhatIsTheBrokers(set, notes);
        }
        else
        {
            Default(set, SessionName, session);
            Lowered(set, notes, HeartbeatName, DefaultHeartbeat.TotalMilliseconds, session / HeartbeatsPerSession, sessionSaid);
        }
        PassRequestTimeout(settings, set, notes, session, sessionSaid);
        return Result(set, notes);
    }

    public static ClientSettings ResolveAdmin(KafkaSettings settings)
    {
        var set = Collect(settings, PropertyScope.Any);
        var notes = new List<string>();
        PassRequestTimeout(settings, set, notes, double.MaxValue, "");
        return Result(set, notes);
    }

    /// <summary>What the user set for a kind of client: the general part of it, then the client's own.</summary>
    public static SetValues Collect(KafkaSettings settings, PropertyScope kind)
    {
        var set = new SetValues();
        set.Violations.AddRange(settings.Unreadable);
        var general = Named(nameof(KafkaSettings.Properties), settings.Properties)
            .Where(property => Concerns(PropertyCatalogue.ScopeOf(property.Name), kind));
        set.Add([.. Typed(settings, kind), .. general]);
        if (kind == PropertyScope.Producer)
            set.Add(Own(set, nameof(KafkaSettings.ProducerProperties), settings.ProducerProperties, PropertyScope.Consumer));
        if (kind == PropertyScope.Consumer)
            set.Add(Own(set, nameof(KafkaSettings.ConsumerProperties), settings.ConsumerProperties, PropertyScope.Producer));
        CheckBootstrapServers(set);
        if (set.Find("reconnect.backoff.ms") is { } backoff
            && set.Number("reconnect.backoff.ms") > (set.Number("reconnect.backoff.max.ms") ?? DefaultReconnectMaxMs))
        {
            set.Violations.Add($"{backoff.Said}: it is at most reconnect.backoff.max.ms, "
                + $"{Text(set.Number("reconnect.backoff.max.ms") ?? DefaultReconnectMaxMs)}: lower it, or raise that.");
        }
        return set;
    }

    public static string BootstrapServers(SetValues set) => set.Find(BootstrapName)?.Value ?? "";

    public static bool IsBootstrap(SetValue value) => PropertyCatalogue.Canonical(value.Name) == BootstrapName;

    /// <summary>The properties as they are passed: all but the cluster's place.</summary>
    public static Dictionary<string, string> Passed(SetValues set) =>
        set.All.Where(value => !IsBootstrap(value)).ToDictionary(value => value.Name, value => value.Value);

    /// <summary>Sets a default; one that was lowered to a limit is noted.</summary>
    public static void Lowered(SetValues set, List<string> notes, string name, double value, double limit, string because)
    {
        if (set.Has(name))
            return;
        var fitting = Math.Max(1, Math.Floor(Math.Min(value, limit)));
        if (fitting < value)
            notes.Add($"The default of {name}, {Text(value)}, is lowered to {Text(fitting)}: {because}.");
        Default(set, name, fitting);
    }

    public static string Text(double number) => number.ToString("0.###", CultureInfo.InvariantCulture);

    private static bool Concerns(PropertyScope scope, PropertyScope kind) =>
        scope is PropertyScope.Any or PropertyScope.Unknown || scope == kind;

    private static IEnumerable<SetValue> Named(string group, IReadOnlyDictionary<string, string> properties) =>
        properties.Select(property => new SetValue($"{group}:{property.Key}", property.Key, property.Value));

    private static IEnumerable<SetValue> Typed(KafkaSettings settings, PropertyScope kind)
    {
        if (settings.BootstrapServers is { } servers)
            yield return new SetValue("BootstrapServers (KAFKA_BOOTSTRAP_SERVERS)", BootstrapName, servers);
        if (kind == PropertyScope.Consumer && settings.SessionTimeout is { } session)
            yield return new SetValue("SessionTimeout (KAFKA_SESSION_TIMEOUT_MS)", SessionName, Text(session.TotalMilliseconds));
        if (kind == PropertyScope.Consumer && settings.HeartbeatInterval is { } heartbeat)
            yield return new SetValue("HeartbeatInterval (KAFKA_HEARTBEAT_INTERVAL_MS)", HeartbeatName, Text(heartbeat.TotalMilliseconds));
        if (kind == PropertyScope.Producer && settings.RequestTimeout is { } request)
            yield return new SetValue(RequestSetting, RequestName, Text(request.TotalMilliseconds));
    }

    private static IEnumerable<SetValue> Own(
        SetValues set, string group, IReadOnlyDictionary<string, string> properties, PropertyScope foreign)
    {
        var (whose, place) = foreign == PropertyScope.Consumer
            ? ("consumers", nameof(KafkaSettings.ConsumerProperties))
            : ("producers", nameof(KafkaSettings.ProducerProperties));
        foreach (var property in Named(group, properties))
        {
            if (PropertyCatalogue.ScopeOf(property.Name) != foreign)
                yield return property;
            else
                set.Violations.Add($"{property.Said}: it is a property of {whose} alone; put it into {place}.");
        }
    }

    private static void CheckBootstrapServers(SetValues set)
    {
        if (set.Find(BootstrapName) is not { } servers)
        {
            set.Violations.Add("BootstrapServers (KAFKA_BOOTSTRAP_SERVERS) is not set: give host:port of one broker or more.");
            return;
        }
        if (servers.Value.Split(',').Any(string.IsNullOrWhiteSpace))
        {
            set.Violations.Add($"{servers.Said}: give host:port of one broker or more, joined by commas, none of them empty.");
            return;
        }
        foreach (var server in servers.Value.Split(',', StringSplitOptions.TrimEntries))
        {
            // An IPv6 address is in brackets; without a port 9092 is meant.
            var colon = server.LastIndexOf(':');
            var hasPort = colon > server.LastIndexOf(']') && colon > server.LastIndexOf('/');
            if (hasPort && (!ushort.TryParse(server[(colon + 1)..], CultureInfo.InvariantCulture, out var port) || port == 0))
                set.Violations.Add($"{servers.Said}: '{server}' has no port from 1 to 65535 after the colon.");
        }
    }

    private static void CheckHeartbeat(SetValues set, double session, string sessionSaid)
    {
        if (set.Find(HeartbeatName) is not { } heartbeat || set.Number(HeartbeatName) is not { } interval)
            return;
        if (interval > session / HeartbeatsPerSession)
        {
            set.Violations.Add($"{heartbeat.Said}: a heartbeat comes at least three times a session, {sessionSaid}: lower it to at most "
                + $"{Text(Math.Floor(session / HeartbeatsPerSession))}, or raise the session to "
                + $"{Text(interval * HeartbeatsPerSession)} or more.");
        }
    }

    private static void CheckRequest(KafkaSettings settings, SetValues set, double session, string sessionSaid)
    {
        if (settings.RequestTimeout is { } request && request.TotalMilliseconds >= session)
        {
            set.Violations.Add($"{RequestSetting} is '{Text(request.TotalMilliseconds)}': a request ends before the session does, "
                + $"{sessionSaid}: lower it below {Text(session)}, or raise the session.");
        }
    }

    private static void DropWhatIsTheBrokers(SetValues set, List<string> notes)
    {
        foreach (var name in new[] { SessionName, HeartbeatName })
        {
            if (set.Find(name) is { } dropped)
                notes.Add($"{dropped.Said} and is not passed to consumers: with group.protocol=consumer it is the broker's.");
            set.Remove(name);
        }
    }

    private static void PassRequestTimeout(
        KafkaSettings settings, SetValues set, List<string> notes, double session, string sessionSaid)
    {
        if (settings.RequestTimeout is not { } request)
        {
            var limit = DefaultRequest.TotalMilliseconds < session ? double.MaxValue : session * RequestShareOfSession;
            Lowered(
                set, notes, SocketName, DefaultRequest.TotalMilliseconds, limit, $"a request ends before the session does, {sessionSaid}");
        }
        else if (set.Find(SocketName) is { } socket)
        {
            notes.Add($"{RequestSetting} is not passed here: {socket.Said}.");
        }
        else
        {
            set.Add([new SetValue(RequestSetting, SocketName, Text(request.TotalMilliseconds))]);
        }
    }

    private static string Or(SetValues set, string name, string setting, double value) =>
        set.Find(name) is { } found ? found.Said : $"{setting} is {Text(value)} by default";

    private static void Default(SetValues set, string name, double value)
    {
        if (!set.Has(name))
            set.Add([new SetValue(name, name, Text(value))]);
    }

    private static ClientSettings Result(SetValues set, List<string> notes) =>
        new(BootstrapServers(set), Passed(set), notes, set.Violations);
}
