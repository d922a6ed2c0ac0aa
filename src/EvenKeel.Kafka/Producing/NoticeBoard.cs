namespace EvenKeel.Kafka.Producing;

/// <summary>The notices of a producer, and what continuations of its sends throw.</summary>
internal sealed class NoticeBoard(object sender) : NoticeBoard<ProducerNotice>(sender)
{
    public void TellThrown(Exception exception)
    {
        CountThrown();
        Tell(new ProducerNotice(
            ProducerNoticeKind.UserCodeThrew, $"A continuation of a send threw: {exception.Message}", exception: exception));
    }
}
