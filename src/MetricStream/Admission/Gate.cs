using System.Globalization;
using MetricStream.Intake;

namespace MetricStream.Admission;

/// <summary>The gate decides whether a request is let in: by its key, where keys are asked for, and by its client's rate. Keys and limit
/// can change while it stands.</summary>
internal sealed class Gate
{
    public const string KeyHeader = "X-Api-Key";

    private const string Scheme = "Bearer ";
    private const string Challenge = "Bearer realm=\"metricstream\"";

    private readonly TimeProvider _clock;

    // Replaced as a whole.
    private volatile KeyRing? _keys;
    private volatile RateLimit? _limit;
    private volatile string? _trouble;

    // Interlocked.
    private long _unauthorized;
    private long _forbidden;
    private long _limited;

    /// <param name="keys">The keys asked for; null: none are.</param>
    /// <param name="perSecond">The most batches a second of each client; 0: no limit.</param>
    /// <param name="clock">Fills the buckets.</param>
    public Gate(KeyRing? keys, int perSecond, TimeProvider clock)
    {
        (_keys, _clock) = (keys, clock);
        _limit = perSecond > 0 ? new RateLimit(perSecond, clock) : null;
    }

    /// <summary>Asks for no key and limits nobody.</summary>
    public static Gate Open { get; } = new(null, 0, TimeProvider.System);

    /// <summary>Those that ask, counted before their first byte.</summary>
    public ConnectionCount Connections { get; init; } = new(int.MaxValue);

    public bool AsksForKeys => _keys is not null;

    public int Keys => _keys?.Count ?? 0;

    /// <summary>Batches a second and client; 0: no limit.</summary>
    public int PerSecond => _limit?.PerSecond ?? 0;

    public long Unauthorized => Interlocked.Read(ref _unauthorized);

    public long Forbidden => Interlocked.Read(ref _forbidden);

    public long Limited => Interlocked.Read(ref _limited);

    /// <summary>Why the keys and the limit in force are not those of the files; null when they are.</summary>
    public string? Trouble
    {
        get => _trouble;
        set => _trouble = value;
    }

    /// <summary>Puts new keys and a new limit in force. A gate that asks for keys goes on to ask.</summary>
    /// <returns>How many keys came and how many went.</returns>
    public (int Added, int Revoked) Change(KeyRing? keys, int perSecond)
    {
        if (perSecond != PerSecond)
            _limit = perSecond > 0 ? new RateLimit(perSecond, _clock) : null;
        if (keys is null || _keys is not { } old)
            return default;
        var change = keys.Replace(old);
        _keys = keys;
        return change;
    }

    /// <summary>Who asks, by the key in the headers. No caller and no problem: keys are not asked for.</summary>
    public Problem? Admit(HttpRequest request, out ApiKey? caller)
    {
        caller = null;
        if (_keys is not { } keys)
            return null;
        if (KeyOf(request.Headers) is not { } text)
            return NoKey();
        caller = keys.Find(text);
        return caller is null ? WrongKey() : null;
    }

    /// <summary>The same for a request that only reads, which the page's cookie may vouch for. A request that changes something is never
    /// let in by a cookie: a browser sends it along whoever made the request.</summary>
    public Problem? AdmitReader(HttpRequest request, out ApiKey? caller)
    {
        var isReading = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method);
        if (!isReading || KeyOf(request.Headers) is not null || KeyCookie.Read(request) is not { } text)
            return Admit(request, out caller);
        caller = _keys?.Find(text);
        return caller is null ? WrongKey() : null;
    }

    /// <summary>The key with that text; null when there is none.</summary>
    public ApiKey? Find(string text) => _keys?.Find(text);

    /// <summary>Null when the client may post now.</summary>
    public Problem? Limit(ClientTally client)
    {
        if (_limit is not { } limit)
            return null;
        var wait = client.HasOwnBucket ? limit.Take(ref client.BucketFullAt) : limit.Take(ref limit.Shared(client.Name));
        if (wait == TimeSpan.Zero)
            return null;
        Interlocked.Increment(ref _limited);
        var detail = string.Create(CultureInfo.InvariantCulture,
            $"Client '{client.Name}' posts more than {limit.PerSecond} batches a second (--rate-limit). Nothing was taken; send it later.");
        return new Problem(StatusCodes.Status429TooManyRequests, detail)
        {
            RetryAfterSeconds = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)),
        };
    }

    /// <summary>A batch that names another client than its key's.</summary>
    public Problem Foreign(ApiKey caller, string where) => Refuse(
        $"The key belongs to client '{caller.Client}', {where} names another. Leave the client id out, or send with that client's key.");

    /// <summary>A key that may not do what was asked.</summary>
    public Problem Refuse(string detail)
    {
        Interlocked.Increment(ref _forbidden);
        return new Problem(StatusCodes.Status403Forbidden, detail) { Challenge = $"{Challenge}, error=\"insufficient_scope\"" };
    }

    public Problem WrongKey()
    {
        Interlocked.Increment(ref _unauthorized);
        const string Detail = "The API key is not known here: it is mistyped, or was taken out of --api-keys.";
        return new Problem(StatusCodes.Status401Unauthorized, Detail)
        {
            Challenge = $"{Challenge}, error=\"invalid_token\"",
        };
    }

    private Problem NoKey()
    {
        Interlocked.Increment(ref _unauthorized);
        return new Problem(StatusCodes.Status401Unauthorized,
            $"This server asks for an API key: send 'Authorization: Bearer KEY' or '{KeyHeader}: KEY'.")
        {
            Challenge = Challenge,
        };
    }

    /// <summary>The key in the headers; null without one. A header given twice is none: which of the two would count is not for chance to
    /// say.</summary>
    public static string? KeyOf(IHeaderDictionary headers)
    {
        var key = "";
        if (headers.Authorization is [{ } authorization] && authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            key = authorization[Scheme.Length..].Trim();
        else if (headers.TryGetValue(KeyHeader, out var values) && values is [{ } value])
            key = value.Trim();
        return key.Length > 0 ? key : null;
    }
}
