using Microsoft.Extensions.Logging;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>A logger that does not throw: what its providers throw is counted, and whoever logs goes on.</summary>
internal sealed class GuardedLogger(ILogger inner) : ILogger
{
    private long _thrown;

    public long Thrown => Interlocked.Read(ref _thrown);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => inner.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return inner.IsEnabled(logLevel);
        }
#pragma warning disable CA1031 // A provider of the user: counted, and a stop or a send does not end because of it.
        catch (Exception)
        {
            Interlocked.Increment(ref _thrown);
            return false;
        }
#pragma warning restore CA1031
    }

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            inner.Log(logLevel, eventId, state, exception, formatter);
        }
#pragma warning disable CA1031 // As above.
        catch (Exception)
        {
            Interlocked.Increment(ref _thrown);
        }
#pragma warning restore CA1031
    }
}
