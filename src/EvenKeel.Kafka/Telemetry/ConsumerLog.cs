using EvenKeel.Kafka.Consuming;
using Microsoft.Extensions.Logging;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>A consumer's notices as log lines, under event ids that stay.</summary>
internal static partial class ConsumerLog
{
    public static void Write(ILogger logger, string consumer, ConsumerNotice notice)
    {
        switch (notice.Kind)
        {
            case ConsumerNoticeKind.Log:
                Librdkafka(logger, ProducerLog.LevelOf(notice.LogLevel), consumer, notice.Text);
                break;
            case ConsumerNoticeKind.Statistics:
                break;
            default:
                Notice(logger, LevelOf(notice.Kind), consumer, notice.Kind, notice.Text, notice.Exception);
                break;
        }
    }

    private static LogLevel LevelOf(ConsumerNoticeKind kind) => kind switch
    {
        ConsumerNoticeKind.Assigned or ConsumerNoticeKind.Revoked or ConsumerNoticeKind.Resumed => LogLevel.Information,
        ConsumerNoticeKind.Fatal or ConsumerNoticeKind.Defect or ConsumerNoticeKind.Paused => LogLevel.Error,
        _ => LogLevel.Warning,
    };

    [LoggerMessage(EventId = 1301, EventName = "ConsumerNotice", Message = "Consumer {Consumer}: {Kind}: {Text}")]
    private static partial void Notice(
        ILogger logger, LogLevel level, string consumer, ConsumerNoticeKind kind, string text, Exception? exception);

    [LoggerMessage(EventId = 1302, EventName = "ConsumerLibrdkafka", Message = "Consumer {Consumer}: {Text}")]
    private static partial void Librdkafka(ILogger logger, LogLevel level, string consumer, string text);
}
