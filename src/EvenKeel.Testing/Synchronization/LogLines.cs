using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace EvenKeel.Testing.Synchronization;

/// <summary>
/// The log lines of the code under test, for a test to wait for: add it to the logging of the service
/// (<c>logging.AddProvider(lines)</c>). Keeps the last 10,000.
/// </summary>
public sealed class LogLines : ILoggerProvider
{
    private const int MaxLines = 10_000;
    private readonly ConcurrentQueue<string> _lines = new();

    /// <summary>Those there are, oldest first: level, category, message, and the exception if there is one.</summary>
    public IReadOnlyList<string> All => [.. _lines];

    /// <summary>Waits for a line, also one that is there already.</summary>
    /// <param name="wanted">Looks at a line.</param>
    /// <param name="what">What is waited for, in words.</param>
    /// <param name="within">The deadline; absent: 10 s.</param>
    /// <returns>The line.</returns>
    /// <exception cref="TimeoutException">None came; the message tells the last lines that did.</exception>
    public async Task<string> WaitAsync(Func<string, bool> wanted, string what, TimeSpan? within = null)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        string? found = null;
        await WaitFor.ConditionAsync(
            () => (found = All.FirstOrDefault(wanted)) is not null, what,
            () => $"{_lines.Count} line(s), the last of them:\n    {string.Join("\n    ", All.TakeLast(10))}", within)
            .ConfigureAwait(false);
        return found!;
    }

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => new Line(this, categoryName);

    /// <summary>Keeps what it has: a test looks at the lines after the service has ended.</summary>
    public void Dispose()
    {
        // Nothing is held.
    }

    private sealed class Line(LogLines lines, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var end = exception is null ? "" : $" | {exception.GetType().Name}: {exception.Message}";
            lines._lines.Enqueue($"{logLevel} {category}: {formatter(state, exception)}{end}");
            while (lines._lines.Count > MaxLines)
                lines._lines.TryDequeue(out _);
        }
    }
}
