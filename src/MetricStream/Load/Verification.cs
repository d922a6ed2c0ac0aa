using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace MetricStream.Load;

/// <summary>What verification found wrong with a batch.</summary>
internal enum Anomaly
{
    /// <summary>Acknowledged and not stored.</summary>
    Missing,

    /// <summary>Listed more than once.</summary>
    Doubled,

    /// <summary>Stored with other metrics than were posted.</summary>
    Altered,

    /// <summary>Stored although it was refused or never sent.</summary>
    Uninvited,

    /// <summary>A counter of the server contradicts what was seen; no batch is named.</summary>
    Miscounted,
}

/// <summary>What verification saw: how many batches it found right, the anomalies by kind, and the first few by name.</summary>
internal sealed class VerificationReport
{
    public const int MostNamed = 10;

    private readonly long[] _anomalies = new long[Enum.GetValues<Anomaly>().Length];
    private readonly List<string> _named = [];

    public required string RunId { get; init; }

    public ServerCounters? Counters { get; set; }

    /// <summary>Acknowledged batches of the run.</summary>
    public long Acknowledged { get; set; }

    /// <summary>Acknowledged batches found stored with the metrics that were posted.</summary>
    public long Found { get; set; }

    /// <summary>Batches without an answer, and how many of them are stored.</summary>
    public long Unknown { get; set; }

    public long UnknownStored { get; set; }

    public long Refused { get; set; }

    public IReadOnlyList<string> Named => _named;

    public bool IsClean => _anomalies.All(count => count == 0);

    public long this[Anomaly anomaly] => _anomalies[(int)anomaly];

    public void Add(Anomaly anomaly, string what)
    {
        _anomalies[(int)anomaly]++;
        if (_named.Count < MostNamed) _named.Add($"{anomaly.ToString().ToLowerInvariant()}: {what}");
    }
}

/// <summary>
/// Verification asks the server for every batch of a run and compares: what was acknowledged is stored exactly once as it was posted,
/// what was refused or never sent is not there, what is unknown is there at most once. Memory: one bit a batch of the client being
/// looked at.
/// </summary>
internal sealed class Verification
{
    // A page stays at a few MiB whatever a batch holds.
    private const int MostMetricsAPage = 50_000;
    private const int MostBatchesAPage = 1000;

    private static readonly TimeSpan PollPeriod = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ProgressPeriod = TimeSpan.FromSeconds(1);

    private readonly LoadTarget _target;
    private readonly OutcomeBook _book;
    private readonly int _metrics;
    private readonly ServerApi _api;
    private readonly Action<string> _progress;

    public Verification(LoadTarget target, OutcomeBook book, int metrics, ServerApi api, Action<string> progress) =>
        (_target, _book, _metrics, _api, _progress) = (target, book, metrics, api, progress);

    /// <summary>Asks for what verification will ask for later, so that a server without a store is found out before the load.</summary>
    /// <returns>The counters before the load; null when the key may not read them.</returns>
    public async Task<ServerCounters?> CheckServerAsync(CancellationToken cancellation)
    {
        var counters = await _api.CountersIfAllowedAsync(cancellation);
        using var page = await _api.BatchesAsync(_target.ClientId ?? BatchTemplate.ClientIdOf(_book.RunId, 0), null, 1, cancellation);
        return counters;
    }

    /// <summary>Waits for the queue to empty, then compares. Throws <see cref="UnverifiableException"/> when it does not empty
    /// <paramref name="within"/> the time, with what was seen last.</summary>
    public async Task<VerificationReport> RunAsync(ServerCounters? before, TimeSpan within, CancellationToken cancellation)
    {
        if (before is null)
            return await CompareUntilFoundAsync(within, cancellation);
        // 1. Nothing may be on its way any more.
        var counters = await WaitForRestAsync(within, cancellation);
        // 2. Every client's batches, against its page of the book.
        var report = await CompareAsync(cancellation);
        // 3. The server's own books.
        report.Counters = counters;
        if (counters.Missing != 0) report.Add(Anomaly.Miscounted, $"the conservation law does not hold: {counters}.");
        var acknowledged = counters.Acknowledged - before.Acknowledged;
        if (acknowledged < report.Acknowledged)
        {
            report.Add(
                Anomaly.Miscounted,
                $"the server counts {acknowledged} acknowledged since the run began, {report.Acknowledged} were answered.");
        }
        return report;
    }

    // Without counters nobody says when nothing is on its way any more: it is looked at until nothing is missing, or time is up.
    private async Task<VerificationReport> CompareUntilFoundAsync(TimeSpan within, CancellationToken cancellation)
    {
        _progress("the key may not read /api/stats: each batch is looked up, the conservation law is not checked");
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            var report = await CompareAsync(cancellation);
            if (report[Anomaly.Missing] == 0 || Stopwatch.GetElapsedTime(started) > within) return report;
            await Task.Delay(ProgressPeriod, cancellation);
        }
    }

    private async Task<VerificationReport> CompareAsync(CancellationToken cancellation)
    {
        var report = new VerificationReport
        {
            RunId = _book.RunId,
            Acknowledged = _book.Count(Outcome.Acknowledged),
            Unknown = _book.Count(Outcome.Unknown),
            Refused = _book.Count(Outcome.Refused),
        };
        // With one client id for all connections there is one list.
        if (_target.ClientId is { } shared) await CompareAsync(shared, 0, _book.Clients, report, cancellation);
        else
        {
            for (var n = 0; n < _book.Clients; n++)
                await CompareAsync(BatchTemplate.ClientIdOf(_book.RunId, n), n, 1, report, cancellation);
        }
        return report;
    }

    private async Task<ServerCounters> WaitForRestAsync(TimeSpan within, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        var said = TimeSpan.Zero;
        while (true)
        {
            var counters = await _api.CountersAsync(cancellation);
            var waited = Stopwatch.GetElapsedTime(started);
            // A law that does not hold yet may be two counters read apart: it gets the same time as the queue.
            if (counters is { IsAtRest: true, Missing: 0 }) return counters;
            if (waited > within)
            {
                if (counters.IsAtRest) return counters;
                throw new UnverifiableException(
                    $"The queue did not empty within {Units.FormatTime(within)}: {Waiting(counters)}. "
                    + "Give it longer with --verify-timeout, or see in the server's log why its store does not keep up.");
            }
            if (waited - said > ProgressPeriod)
            {
                said = waited;
                _progress($"waiting for the queue to empty: {Waiting(counters)}");
            }
            await Task.Delay(PollPeriod, cancellation);
        }
    }

    private static string Waiting(ServerCounters counters) => string.Create(
        CultureInfo.InvariantCulture, $"queued {counters.Queued}, spilled {counters.Spilled}, stored {counters.Stored}");

    private async Task CompareAsync(string clientId, int first, int count, VerificationReport report, CancellationToken cancellation)
    {
        var comparison = new ClientComparison(_target, _book, _metrics, (first, count), report);
        var limit = Math.Clamp(MostMetricsAPage / _metrics, 1, MostBatchesAPage);
        string? after = null;
        while (true)
        {
            using var page = await _api.BatchesAsync(clientId, after, limit, cancellation);
            foreach (var batch in page.Batches) comparison.Saw(batch, clientId);
            if (page.Batches.Count == 0) break;
            if (page.Batches[^1].BatchId == after)
                throw new UnverifiableException($"The batches of {clientId} after '{after}' end with '{after}' again: it never ends.");
            after = page.Batches[^1].BatchId;
        }
        comparison.Close(clientId);
    }
}

/// <summary>The comparison of one client's list with its pages of the book: a bit for every batch that was seen.</summary>
internal sealed class ClientComparison
{
    private readonly OutcomeBook _book;
    private readonly int _first;
    private readonly byte[][] _seen;
    private readonly BatchTemplate[] _templates;
    private readonly bool _isSharedId;
    private readonly VerificationReport _report;

    public ClientComparison(LoadTarget target, OutcomeBook book, int metrics, (int First, int Count) clients, VerificationReport report)
    {
        (_book, _first, _report, _isSharedId) = (book, clients.First, report, target.ClientId is not null);
        _seen = [.. Enumerable.Range(_first, clients.Count).Select(n => new byte[(book.Page(n).Next / 8) + 1])];
        _templates = [.. Enumerable.Range(_first, clients.Count).Select(n => new BatchTemplate(target, book.RunId, n, metrics))];
    }

    public void Saw(ListedBatch batch, string clientId)
    {
        if (!BatchTemplate.TryReadBatchId(_book.RunId, batch.BatchId, out var client, out var number)
            || client < _first || client >= _first + _seen.Length)
        {
            // A shared id has a life outside this run.
            if (!_isSharedId) _report.Add(Anomaly.Uninvited, $"batch '{batch.BatchId}' of client {clientId} was not sent by this run.");
            return;
        }
        var outcome = _book.Page(client)[number];
        if (outcome is Outcome.NotSent or Outcome.Refused)
        {
            var was = outcome == Outcome.Refused ? "refused" : "never sent";
            _report.Add(Anomaly.Uninvited, $"batch {batch.BatchId} of client {clientId} is stored, but was {was}.");
            return;
        }
        ref var cell = ref _seen[client - _first][number / 8];
        if ((cell & (1 << (number % 8))) != 0)
        {
            _report.Add(Anomaly.Doubled, $"batch {batch.BatchId} of client {clientId} is listed again.");
            return;
        }
        cell |= (byte)(1 << (number % 8));
        var posted = _templates[client - _first].Metrics(number);
        if (!IsSame(batch.Metrics, posted))
        {
            var stored = HttpResponseHead.Excerpt(JsonMarshal.GetRawUtf8Value(batch.Metrics));
            _report.Add(Anomaly.Altered, $"batch {batch.BatchId} of client {clientId} is stored as {stored}");
            return;
        }
        if (outcome == Outcome.Acknowledged) _report.Found++;
        else _report.UnknownStored++;
    }

    /// <summary>After the last batch: what was acknowledged and not seen is missing.</summary>
    public void Close(string clientId)
    {
        for (var i = 0; i < _seen.Length; i++)
        {
            var page = _book.Page(_first + i);
            for (var number = 0; number < page.Next; number++)
            {
                if (page[number] != Outcome.Acknowledged || (_seen[i][number / 8] & (1 << (number % 8))) != 0) continue;
                var id = BatchTemplate.BatchId(_book.RunId, _first + i, number);
                _report.Add(Anomaly.Missing, $"batch {id} of client {clientId} was acknowledged and is not stored.");
            }
        }
    }

    // The store keeps the posted bytes; JSON that says the same in other bytes is as good.
    private static bool IsSame(JsonElement listed, ReadOnlySpan<byte> posted)
    {
        if (JsonMarshal.GetRawUtf8Value(listed).SequenceEqual(posted)) return true;
        var reader = new Utf8JsonReader(posted);
        return JsonElement.DeepEquals(listed, JsonElement.ParseValue(ref reader));
    }
}
