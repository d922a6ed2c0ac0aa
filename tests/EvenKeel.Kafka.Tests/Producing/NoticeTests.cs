using EvenKeel.Kafka.Producing;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Producing;

public sealed class NoticeTests
{
    [Fact]
    public async Task Notices_that_nobody_takes_are_bounded_and_the_rest_is_counted()
    {
        const int Limit = 1024;
        var board = new NoticeBoard(this);
        using var slow = new ManualResetEventSlim();
        var told = 0;
        board.Noticed += (_, _) =>
        {
            slow.Wait(Deadline);
            Interlocked.Increment(ref told);
        };

        for (var i = 0; i < Limit + 7; i++)
            board.Tell(new ProducerNotice(ProducerNoticeKind.Log, $"{i}"));

        Assert.Equal(7, board.Dropped);
        slow.Set();
        await Until(() => Volatile.Read(ref told) == Limit, () => $"{told} told");
        board.Tell(new ProducerNotice(ProducerNoticeKind.Log, "later"));
        await Until(() => Volatile.Read(ref told) == Limit + 1, () => $"{told} told");
        Assert.Equal(7, board.Dropped);
    }
}
