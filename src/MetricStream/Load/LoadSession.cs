using System.Globalization;
using System.Net.Sockets;
using System.Text;
using MetricStream.Intake;

namespace MetricStream.Load;

/// <summary>
/// A load session carries out one <c>load</c> command: finds out whether the server can be loaded and verified, runs the load or the
/// search, verifies, and prints. <paramref name="output"/> takes the report, <paramref name="errors"/> what stopped it; with
/// <paramref name="isTerminal"/> a line of progress is rewritten in place.
/// </summary>
internal sealed class LoadSession(LoadOptions options, TextWriter output, TextWriter errors, bool isTerminal)
{
    private const int UsageExitCode = 2;

    private readonly string _runId = OutcomeBook.NewRunId();
    private long _progressTenths;

    /// <summary>The exit code: 0, 1 a request failed or verification found something, 2 the server cannot be loaded or verified, 130
    /// interrupted.</summary>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        try
        {
            return await RunStepsAsync(cancellation);
        }
        catch (UnverifiableException e)
        {
            errors.WriteLine(e.Message);
            return UsageExitCode;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            errors.WriteLine($"--json {options.JsonFile} cannot be written: {e.Message} Name a file in a folder that exists and is yours.");
            return UsageExitCode;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            errors.WriteLine("interrupted before anything was measured");
            return 130;
        }
    }

    private async Task<int> RunStepsAsync(CancellationToken cancellation)
    {
        // 1. What makes the whole run worthless is found out before it: no server, no store, no place for the numbers.
        await using var json = options.JsonFile is null ? null : new FileStream(options.JsonFile, FileMode.Create, FileAccess.Write);
        await ConnectOnceAsync(cancellation);
        using var api = new ServerApi(options.Target);
        if (options is { VerifyWithin: not null, Target: { ApiKey: not null, ClientId: null } target })
        {
            // A key's batches are listed under its own client; where keys are not asked for, under nobody's.
            var client = await api.ClientOfKeyAsync(cancellation) ?? Encoding.ASCII.GetString(ClientId.Anonymous);
            options = options with { Target = target with { ClientId = client } };
        }
        var book = options.VerifyWithin is null ? null : new OutcomeBook(_runId, options.Shape.Clients);
        var verification = book is null ? null : new Verification(options.Target, book, options.Shape.Metrics, api, output.WriteLine);
        var before = verification is null ? null : await verification.CheckServerAsync(cancellation);

        // 2. The load.
        var outcome = options.Search is { } bounds
            ? await SearchAsync(bounds, book, cancellation)
            : await LoadOnceAsync(book, cancellation);

        // 3. The check, unless interrupted: who presses Ctrl-C wants the numbers now.
        UnverifiableException? unverifiable = null;
        if (verification is not null && !outcome.WasInterrupted)
        {
            try
            {
                outcome = outcome with { Verification = await verification.RunAsync(before, options.VerifyWithin!.Value, cancellation) };
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                outcome = outcome with { WasInterrupted = true };
            }
            catch (UnverifiableException e)
            {
                unverifiable = e;
            }
        }

        // 4. The report, also of a run that could not be verified.
        output.Write(LoadReport.Text(outcome));
        if (json is not null) LoadReportJson.Write(json, outcome);
        return unverifiable is null ? outcome.ExitCode : throw unverifiable;
    }

    private async Task ConnectOnceAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(options.Target.RequestTimeout);
        try
        {
            using var connection = await HttpConnection.OpenAsync(options.Target, limit.Token);
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested
            && e is SocketException or IOException or OperationCanceledException or System.Security.Authentication.AuthenticationException)
        {
            throw new UnverifiableException(
                $"No connection to {options.Target.Url}: {e.Message}. Start the server (metricstream serve), or name where it listens.", e);
        }
    }

    private async Task<LoadOutcome> LoadOnceAsync(OutcomeBook? book, CancellationToken cancellation)
    {
        var run = new LoadRun(options.Target, options.Shape, _runId, book);
        var (result, _) = await run.RunAsync(TimeSpan.Zero, ShowProgress, cancellation);
        EndProgress();
        return new(options, _runId) { Result = result, WasInterrupted = result.WasInterrupted };
    }

    private async Task<LoadOutcome> SearchAsync(SearchBounds bounds, OutcomeBook? book, CancellationToken cancellation)
    {
        var search = new RateSearch();
        // The first fifth of a step (a second at most) warms connections and code up; it is added, not taken off.
        var warmUp = TimeSpan.FromTicks(Math.Min(bounds.Step.Ticks / 5, TimeSpan.TicksPerSecond));
        await search.RunAsync(
            options.Shape.Rate ?? RateSearch.FirstRate,
            async rate =>
            {
                // Without a book numbers start again in each step: a run id of its own keeps the batch ids apart.
                var shape = options.Shape with { Rate = rate, Duration = bounds.Step + warmUp };
                var run = new LoadRun(options.Target, shape, book?.RunId ?? OutcomeBook.NewRunId(), book);
                var (result, warm) = await run.RunAsync(warmUp, ShowProgress, cancellation);
                EndProgress();
                var step = RateStep.Judge(rate, result, warm, bounds.P99);
                output.WriteLine(LoadReport.StepLine(step));
                return step;
            },
            cancellation);
        var wasInterrupted = cancellation.IsCancellationRequested;
        return new(options, _runId) { Result = search.Best?.Result, Search = search, WasInterrupted = wasInterrupted };
    }

    private void ShowProgress(LoadTally tally, TimeSpan elapsed)
    {
        if (!isTerminal || ++_progressTenths % 5 != 0) return;
        var seconds = elapsed.TotalSeconds;
        output.Write(string.Create(CultureInfo.InvariantCulture, $"\r{seconds,6:0.0} s  {tally.Succeeded} ok, {tally.Failed} failed "));
    }

    private void EndProgress()
    {
        // Blanks the progress line; the next line is written over it.
        if (isTerminal && _progressTenths >= 5) output.Write("\r" + new string(' ', 60) + "\r");
    }
}
