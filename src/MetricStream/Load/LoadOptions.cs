using System.Net.Security;

namespace MetricStream.Load;

/// <summary>What one <c>load</c> command was asked to do.</summary>
/// <param name="Target">The server and how to reach it.</param>
/// <param name="Shape">How much load, and how it is paced.</param>
/// <param name="Search">Find the highest rate instead of running one load; null: one load.</param>
/// <param name="VerifyWithin">Check every batch afterwards, waiting at most this long for the queue to empty; null: no check.</param>
/// <param name="JsonFile">Where the numbers go as JSON; null: nowhere.</param>
internal sealed record LoadOptions(LoadTarget Target, LoadShape Shape, SearchBounds? Search, TimeSpan? VerifyWithin, string? JsonFile)
{
    /// <summary>Every violation, with the option, the value and the fix; empty when the options can be run.</summary>
    public IEnumerable<string> Validate()
    {
        foreach (var violation in Target.Validate().Concat(Shape.Validate(Search is not null))) yield return violation;
        if (Search is { } search)
        {
            if (search.P99 <= TimeSpan.Zero)
                yield return $"--p99 {Units.FormatTime(search.P99)} cannot be held: name a time above 0, such as 50ms.";
            if (search.Step < SearchBounds.ShortestStep)
            {
                yield return $"--step {Units.FormatTime(search.Step)} is too short to measure: "
                    + $"at least {Units.FormatTime(SearchBounds.ShortestStep)}.";
            }
        }
        if (VerifyWithin is { } within && within <= TimeSpan.Zero)
            yield return $"--verify-timeout {Units.FormatTime(within)} leaves no time to look: name a time above 0, such as 60s.";
    }
}

/// <summary>The server under load: its address, and what every request to it carries.</summary>
/// <param name="Url">The server's root; <c>/metrics</c> and <c>/api</c> are found below it.</param>
/// <param name="ApiKey">Sent as a bearer token; the server then knows the client by it.</param>
/// <param name="ClientId">One client id for all connections; null: <c>load-{run}-{n}</c> each, or with a key the key's own.</param>
/// <param name="RequestTimeout">A request without an answer after this is counted as timed out and its connection given up.</param>
internal sealed record LoadTarget(Uri Url, string? ApiKey, string? ClientId, TimeSpan RequestTimeout)
{
    /// <summary>Decides about the server's certificate; null: the system's trust decides.</summary>
    public RemoteCertificateValidationCallback? CertificateValidation { get; init; }

    /// <summary>Spread the metrics of all clients over so many names; null: each client sends the same few.</summary>
    public int? Names { get; init; }

    public bool IsTls => Url.Scheme == Uri.UriSchemeHttps;

    public string PathOf(string route) => Url.AbsolutePath.TrimEnd('/') + route;

    public IEnumerable<string> Validate()
    {
        if (!Url.IsAbsoluteUri || (Url.Scheme != Uri.UriSchemeHttp && Url.Scheme != Uri.UriSchemeHttps))
            yield return $"'{Url}' is no server address: write it as http://127.0.0.1:8090 or https://host:port.";
        else if (Url.Query.Length > 0 || Url.Fragment.Length > 0 || Url.UserInfo.Length > 0)
            yield return $"'{Url}' has more than an address: leave out user, '?' and '#' (a key goes into --api-key).";
        if (ApiKey is not null && (ApiKey.Length == 0 || ApiKey.Any(c => c is <= ' ' or > '~')))
            yield return "--api-key is empty or has characters that no header can carry: use visible ASCII.";
        if (ClientId is not null && (ClientId is "" or "." or ".." || ClientId.Length > 128 || !ClientId.All(IsClientIdCharacter)))
            yield return $"--client-id '{ClientId}' is no client id: 1 to 128 of A-Z a-z 0-9 . _ : @ -, not '.' or '..'.";
        if (RequestTimeout <= TimeSpan.Zero)
            yield return $"--timeout {Units.FormatTime(RequestTimeout)} lets no request finish: name a time above 0, such as 30s.";
    }

    private static bool IsClientIdCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or ':' or '@' or '-';
}

/// <summary>How much load: connections, batches and their size, and the pace. A closed loop sends the next request when the last was
/// answered; an open loop sends at a fixed rate whatever the answers do.</summary>
/// <param name="Clients">Connections; in an open loop the most requests in flight.</param>
/// <param name="Requests">Batches a client in a closed loop without <paramref name="Duration"/>.</param>
/// <param name="Metrics">Metrics a batch.</param>
/// <param name="Rate">Requests a second over all clients: an open loop; null: a closed one.</param>
/// <param name="Duration">How long to send; null: until every client has sent its requests.</param>
internal sealed record LoadShape(int Clients, int Requests, int Metrics, double? Rate, TimeSpan? Duration)
{
    /// <summary>Linux hands out some 28,000 local ports to one destination.</summary>
    public const int MostClients = 20_000;

    /// <summary>The server takes at most this many metrics a batch.</summary>
    public const int MostMetrics = 10_000;

    public IEnumerable<string> Validate(bool isSearch)
    {
        if (Clients is < 1 or > MostClients) yield return $"--clients {Clients} is out of range: 1 to {MostClients}.";
        if (Requests < 1) yield return $"--requests {Requests} is out of range: at least 1.";
        if (Metrics is < 1 or > MostMetrics) yield return $"--metrics {Metrics} is out of range: 1 to {MostMetrics}.";
        if (Rate is { } rate && rate is not (> 0 and <= 10_000_000))
            yield return $"--rate {rate} is out of range: above 0, at most 10000000 a second.";
        if (Duration is { } duration && duration <= TimeSpan.Zero)
            yield return $"--duration {Units.FormatTime(duration)} is no time to send in: name one above 0 (30s).";
        if (isSearch && Duration is not null) yield return "--find-max sets its own times: leave out --duration, or set --step.";
        if (!isSearch && Rate is not null && Duration is null)
            yield return "--rate needs --duration: say how long, such as --duration 30s.";
    }
}

/// <summary>What a rate must keep to count as held, and how long each rate is tried.</summary>
internal sealed record SearchBounds(TimeSpan P99, TimeSpan Step)
{
    public static readonly TimeSpan ShortestStep = TimeSpan.FromMilliseconds(100);
}
