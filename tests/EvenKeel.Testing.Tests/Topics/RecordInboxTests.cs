using EvenKeel.Testing.Topics;
using Xunit;

namespace EvenKeel.Testing.Tests.Topics;

public sealed class RecordInboxTests
{
    [Fact]
    public void Records_from_before_the_question_of_other_partitions_and_seen_twice_are_not_let_in()
    {
        var inbox = new RecordInbox();
        inbox.Add(Record(0, 5));
        inbox.Open(new Dictionary<int, long> { [0] = 5 });

        inbox.Add(Record(0, 4));
        inbox.Add(Record(1, 7));
        inbox.Add(Record(0, 5));
        inbox.Add(Record(0, 5));

        Assert.True(inbox.TryTake(out var record));
        Assert.Equal(5, record!.Offset);
        Assert.False(inbox.TryTake(out _));
        inbox.Add(Record(0, 6));
        inbox.Close();
        inbox.Add(Record(0, 7));
        Assert.False(inbox.TryTake(out _));
    }

    [Fact]
    public async Task An_end_is_reached_over_what_is_no_record_and_each_change_wakes_whoever_waits()
    {
        var inbox = new RecordInbox();
        inbox.Open(new Dictionary<int, long> { [0] = 5, [1] = 0 });
        var ends = new Dictionary<int, long> { [0] = 7, [1] = 0 };
        var changed = inbox.Changed;
        inbox.Add(Record(0, 5));
        await changed;
        Assert.False(inbox.HasReached(ends));
        changed = inbox.Changed;

        inbox.Reach(0, 7);

        await changed;
        Assert.True(inbox.HasReached(ends));
        Assert.False(inbox.HasReached(new Dictionary<int, long> { [2] = 0 }));
        inbox.Note("broker away");
        inbox.Note("broker away");
        Assert.Single(inbox.Describe().Split("broker away")[1..]);
    }

    private static TestRecord Record(int partition, long offset) => new()
    {
        Topic = "topic",
        Partition = partition,
        Offset = offset,
        TimestampMs = -1,
        KeyBytes = null,
        ValueBytes = null,
    };
}
