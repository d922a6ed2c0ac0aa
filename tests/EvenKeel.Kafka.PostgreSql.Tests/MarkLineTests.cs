using EvenKeel.Kafka.Publishing;
using Xunit;

namespace EvenKeel.Kafka.PostgreSql.Tests;

/// <summary>What needs no database: the line of marks, lanes, options.</summary>
public sealed class MarkLineTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Marks_that_come_while_a_command_is_under_way_share_the_next_one()
    {
        var groups = new List<int>();
        var release = new TaskCompletionSource();
        var line = new MarkLine(async marks =>
        {
            groups.Add(marks.Count);
            await release.Task;
        });

        var ends = Enumerable.Range(0, 50).Select(i => line.AddAsync([Mark(i)])).ToList();
        Assert.All(ends, end => Assert.False(end.IsCompleted));
        release.SetResult();
        await Task.WhenAll(ends).WaitAsync(TimeSpan.FromSeconds(30), Cancellation);

        Assert.Equal([1, 49], groups);
    }

    [Fact]
    public async Task A_command_that_fails_fails_its_own_marks_alone()
    {
        var fail = true;
        var line = new MarkLine(_ => fail ? throw new EventRepositoryException("down") : Task.CompletedTask);

        await Assert.ThrowsAsync<EventRepositoryException>(() => line.AddAsync([Mark(1)]));
        fail = false;
        await line.AddAsync([Mark(2)]).WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
    }

    [Fact]
    public void A_lane_is_the_same_for_one_topic_and_key_and_another_for_others()
    {
        var events = new[] { ("a", "key"), ("a", "ke"), ("ak", "ey"), ("b", "key") }.Select(of => OutgoingEvent.Of(of.Item1, of.Item2, "")).ToList();

        Assert.Equal(4, events.Select(outgoing => EventLane.Of("schema", outgoing)).Distinct().Count());
        Assert.Equal(EventLane.Of("schema", events[0]), EventLane.Of("schema", OutgoingEvent.Of("a", "key", "another")));
        Assert.Null(EventLane.Of("schema", OutgoingEvent.Of("a", null, "")));
    }

    [Theory]
    [InlineData("evenkeel", true)]
    [InlineData("e_1", true)]
    [InlineData("Events", false)]
    [InlineData("1e", false)]
    [InlineData("a\"; DROP TABLE x", false)]
    [InlineData("a\n", false)]
    [InlineData("", false)]
    public void A_schema_is_a_plain_name(string schema, bool valid) =>
        Assert.Equal(valid, new PostgreSqlEventOptions { Schema = schema }.Validate().Count == 0);

    [Fact]
    public void Options_name_every_violation_at_once() => Assert.Equal(6, new PostgreSqlEventOptions
    {
        Schema = " ",
        ClaimFor = TimeSpan.Zero,
        FreshFor = TimeSpan.FromSeconds(-1),
        CommandLimit = TimeSpan.Zero,
        KeepSettledFor = TimeSpan.FromSeconds(-1),
        KeepRefusedFor = TimeSpan.FromSeconds(-1),
    }.Validate().Count);

    private static EventMark Mark(long position) =>
        new(new RecordedEvent(position, OutgoingEvent.Of("topic", null, ""), default), EventFate.Delivered);
}
