using EvenKeel.Kafka.Publishing;
using Microsoft.Extensions.Logging;

namespace EvenKeel.Kafka.Hosting;

/// <summary>What a host's clients log at start and stop, each under an event id that stays.</summary>
internal static partial class HostingLog
{
    [LoggerMessage(1101, LogLevel.Information, "Kafka client {Client} is connected to {BootstrapServers}.")]
    public static partial void Connected(ILogger logger, string client, string bootstrapServers);

    [LoggerMessage(1102, LogLevel.Warning,
        "Kafka client {Client} got no answer from {BootstrapServers} at the start, and goes on trying: {Why}")]
    public static partial void NotConnected(ILogger logger, string client, string bootstrapServers, string why);

    [LoggerMessage(1103, LogLevel.Information, "Kafka client {Client}: {Note}")]
    public static partial void Note(ILogger logger, string client, string note);

    [LoggerMessage(1104, LogLevel.Warning,
        "Kafka client {Client}: the drain's limits {Flush} and {Stragglers} do not fit into what is left of the host's shutdown timeout "
        + "and are shortened to {FittingFlush} and {FittingStragglers}.")]
    public static partial void DrainShortened(
        ILogger logger, string client, TimeSpan flush, TimeSpan stragglers, TimeSpan fittingFlush, TimeSpan fittingStragglers);

    [LoggerMessage(1105, LogLevel.Information, "Kafka client {Client} is drained: {Delivered} delivered, nothing left, in {Elapsed}.")]
    public static partial void Drained(ILogger logger, string client, long delivered, TimeSpan elapsed);

    [LoggerMessage(1106, LogLevel.Warning,
        "Kafka client {Client} stopped with records that were not delivered: {Delivered} delivered, {Refused} refused, {Unknown} unknown, "
        + "in {Elapsed}. Each caller has its record's outcome.")]
    public static partial void DrainLeft(ILogger logger, string client, long delivered, long refused, long unknown, TimeSpan elapsed);

    [LoggerMessage(EventId = 1201, EventName = "Event", Message = "Event publisher: {Kind}: {Text}")]
    public static partial void Event(ILogger logger, LogLevel level, EventNoticeKind kind, string text, Exception? exception);

    [LoggerMessage(1108, LogLevel.Warning,
        "Kafka client {Client} stopped: {Delivered} delivered, {Spilled} left on disk for the next start, {Refused} refused, {Unknown} "
        + "unknown. Each caller has its record's outcome.")]
    public static partial void SpillLeft(ILogger logger, string client, long delivered, long spilled, long refused, long unknown);

    [LoggerMessage(1107, LogLevel.Error, "Kafka client {Client} did not stop as it should.")]
    public static partial void StopFailed(ILogger logger, string client, Exception exception);

    [LoggerMessage(1108, LogLevel.Information,
        "Kafka consumer {Client} stopped: work in hand done and committed, the group left, in {Elapsed}.")]
    public static partial void ConsumerStopped(ILogger logger, string client, TimeSpan elapsed);

    [LoggerMessage(1109, LogLevel.Warning,
        "Kafka consumer {Client} stopped with {Abandoned} records in hand, which come again; commits answered: {IsCommitted}, group left: "
        + "{LeftGroup}, in {Elapsed}.")]
    public static partial void ConsumerGaveUp(
        ILogger logger, string client, long abandoned, bool isCommitted, bool leftGroup, TimeSpan elapsed);
}
