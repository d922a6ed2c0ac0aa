using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Settings;
using Microsoft.Extensions.Logging;

namespace EvenKeel.Kafka.Hosting;

/// <summary>
/// Whether a client reaches its cluster: it delivered something since the last question, or a broker answers one now. A refusal of
/// credentials before the first answer is remembered: nothing will ever come of that client as it is.
/// </summary>
internal sealed class BrokerReach(Func<TimeSpan, CancellationToken, Task> ask, Func<long> delivered)
{
    private static readonly TimeSpan FirstLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan QuestionLimit = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource _refused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();

    // Guarded by _gate. One question at a time: on a broker that hangs each one occupies a request.
    private Task<(bool IsReached, string Why)>? _asking;
    private long _seenDelivered;
    private string? _lastError;
    private ProducerNotice? _refusal;

    /// <summary>The first refusal of the credentials, if there was one.</summary>
    public ProducerNotice? Refusal
    {
        get
        {
            lock (_gate)
                return _refusal;
        }
    }

    public void Take(ProducerNotice notice)
    {
        if (notice.Kind != ProducerNoticeKind.BrokerError)
            return;
        var isRefusal = notice.Error is KafkaErrorCode.AuthenticationFailed or KafkaErrorCode.SaslAuthenticationFailed
            or KafkaErrorCode.UnsupportedSaslMechanism or KafkaErrorCode.IllegalSaslState;
        lock (_gate)
        {
            _lastError = notice.Text;
            if (isRefusal)
                _refusal ??= notice;
        }
        if (isRefusal)
            _refused.TrySetResult();
    }

    /// <summary>The start of a hosted producer: waits for the first answer, and logs what came. Refused credentials fail it.</summary>
    public async Task StartAsync(string name, ProducerSettings settings, ILogger logger, CancellationToken cancellationToken)
    {
        foreach (var note in settings.Notes)
            HostingLog.Note(logger, name, note);
        var (isReached, why) = await AwaitFirstAsync(cancellationToken).ConfigureAwait(false);
        if (isReached)
            HostingLog.Connected(logger, name, settings.Options.BootstrapServers);
        else if (Refusal is { } refusal)
            throw CredentialRefusal.Of(name, settings.Options, refusal);
        else
            HostingLog.NotConnected(logger, name, settings.Options.BootstrapServers, why);
    }

    /// <summary>Waits for the first answer: at most 5 s, and not after a refusal.</summary>
    public async Task<(bool IsReached, string Why)> AwaitFirstAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var answer = AskOnceAsync(FirstLimit, stop.Token);
        await Task.WhenAny(answer, _refused.Task).ConfigureAwait(false);
        if (!answer.IsCompleted)
            await stop.CancelAsync().ConfigureAwait(false);
        var found = await answer.ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return found;
    }

    /// <summary>What was delivered so far proves nothing any more: the next question asks a broker.</summary>
    public void ForgetDelivered()
    {
        var now = delivered();
        lock (_gate)
            _seenDelivered = now;
    }

    /// <summary>Whether it is reached now; takes at most a second, and who asks meanwhile gets the same answer.</summary>
    public Task<(bool IsReached, string Why)> AskAsync(CancellationToken cancellationToken)
    {
        var now = delivered();
        lock (_gate)
        {
            if (now != _seenDelivered)
            {
                _seenDelivered = now;
                return Task.FromResult((true, ""));
            }
            if (_asking is not { IsCompleted: false })
                _asking = AskOnceAsync(QuestionLimit, CancellationToken.None);
            return _asking.WaitAsync(cancellationToken);
        }
    }

    private async Task<(bool IsReached, string Why)> AskOnceAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            await ask(limit, cancellationToken).ConfigureAwait(false);
            return (true, "");
        }
        catch (KafkaException noAnswer)
        {
            lock (_gate)
                return (false, _lastError is { } error ? $"{noAnswer.Message} The last error: {error}" : noAnswer.Message);
        }
        catch (ObjectDisposedException)
        {
            return (false, "it is stopped.");
        }
        catch (OperationCanceledException)
        {
            return (false, "the question was given up.");
        }
    }
}
