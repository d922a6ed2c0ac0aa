using EvenKeel.Kafka.Producing;
using Microsoft.Extensions.Logging;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>A producer's notices as log lines, each kind under an event id that stays.</summary>
internal static partial class ProducerLog
{
    /// <summary>The category of everything that this library logs.</summary>
    public const string Category = "EvenKeel.Kafka";

    public static void Write(ILogger logger, string producer, ProducerNotice notice)
    {
        switch (notice.Kind)
        {
            case ProducerNoticeKind.BacklogHigh:
                BacklogHigh(logger, producer, notice.Text);
                break;
            case ProducerNoticeKind.BrokerError:
                BrokerError(logger, producer, notice.Error, notice.Text);
                break;
            case ProducerNoticeKind.ClientReplaced:
                ClientReplaced(logger, producer, notice.Text);
                break;
            case ProducerNoticeKind.UserCodeThrew:
                UserCodeThrew(logger, producer, notice.Text, notice.Exception);
                break;
            case ProducerNoticeKind.Log:
                Librdkafka(logger, LevelOf(notice.LogLevel), producer, notice.Text);
                break;
            case ProducerNoticeKind.SpillState:
                SpillState(logger, producer, notice.Text);
                break;
            case ProducerNoticeKind.SpillFull or ProducerNoticeKind.SpillFailed or ProducerNoticeKind.SpillDamaged:
                SpillTrouble(logger, producer, notice.Kind, notice.Text, notice.Exception);
                break;
            case ProducerNoticeKind.Statistics:
                break;
            case ProducerNoticeKind.Defect:
                Defect(logger, producer, notice.Error, notice.Text, notice.Exception);
                break;
            default:
                Other(logger, producer, notice.Kind, notice.Text, notice.Exception);
                break;
        }
    }

    /// <summary>Syslog's levels: 0 to 3 errors, 4 warning, 5 and 6 information, 7 debug.</summary>
    public static LogLevel LevelOf(int syslog) => syslog switch
    {
        <= 2 => LogLevel.Critical,
        3 => LogLevel.Error,
        4 => LogLevel.Warning,
        <= 6 => LogLevel.Information,
        _ => LogLevel.Debug,
    };

    [LoggerMessage(1001, LogLevel.Warning, "Producer {Producer}: the backlog is high. {Text}")]
    private static partial void BacklogHigh(ILogger logger, string producer, string text);

    [LoggerMessage(1002, LogLevel.Warning, "Producer {Producer}: {Error}: {Text}")]
    private static partial void BrokerError(ILogger logger, string producer, KafkaErrorCode error, string text);

    [LoggerMessage(1003, LogLevel.Warning, "Producer {Producer}: {Text}")]
    private static partial void ClientReplaced(ILogger logger, string producer, string text);

    [LoggerMessage(1004, LogLevel.Error, "Producer {Producer}: {Text}")]
    private static partial void UserCodeThrew(ILogger logger, string producer, string text, Exception? exception);

    [LoggerMessage(EventId = 1005, EventName = "Librdkafka", Message = "Producer {Producer}: {Text}")]
    private static partial void Librdkafka(ILogger logger, LogLevel level, string producer, string text);

    [LoggerMessage(1007, LogLevel.Warning, "Producer {Producer}: {Text}")]
    private static partial void SpillState(ILogger logger, string producer, string text);

    [LoggerMessage(EventId = 1008, Level = LogLevel.Error, Message = "Producer {Producer}: {Kind}: {Text}")]
    private static partial void SpillTrouble(
        ILogger logger, string producer, ProducerNoticeKind kind, string text, Exception? exception);

    [LoggerMessage(1009, LogLevel.Warning, "Producer {Producer}: {Kind}: {Text}")]
    private static partial void Other(ILogger logger, string producer, ProducerNoticeKind kind, string text, Exception? exception);

    [LoggerMessage(1006, LogLevel.Critical, "Producer {Producer}: what must not happen did, and was survived ({Error}): {Text}")]
    private static partial void Defect(ILogger logger, string producer, KafkaErrorCode error, string text, Exception? exception);
}
