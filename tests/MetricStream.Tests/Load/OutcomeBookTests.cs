using System.Text;
using MetricStream.Load;
using Xunit;

namespace MetricStream.Tests.Load;

public sealed class OutcomeBookTests
{
    [Fact]
    public void Every_outcome_of_thousands_of_batches_is_read_back_and_counted()
    {
        var random = new Random(7);
        var page = new OutcomePage();
        var expected = new Outcome[5_000];
        for (var i = 0; i < expected.Length; i++) Assert.Equal(i, page.Take());
        // Twice: an unknown batch that is sent again changes its outcome.
        for (var pass = 0; pass < 2; pass++)
        {
            for (var i = 0; i < expected.Length; i++) page.Set(i, expected[i] = (Outcome)random.Next(4));
        }
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], page[i]);
        foreach (var outcome in Enum.GetValues<Outcome>()) Assert.Equal(expected.Count(o => o == outcome), page.CountOf(outcome));
        Assert.Equal(Outcome.NotSent, page[5_000]);
    }

    [Fact]
    public void A_batch_id_is_read_back_and_a_text_that_only_looks_like_one_is_not()
    {
        Assert.True(BatchTemplate.TryReadBatchId("abc", BatchTemplate.BatchId("abc", 17, 123), out var client, out var number));
        Assert.Equal((17, 123), (client, number));
        string[] others = ["abd-17-0000000123", "abc-17-123", "abc-017-0000000123", "abc-17-0000000123x", "abc-17", "abc--1", ""];
        foreach (var other in others)
            Assert.False(BatchTemplate.TryReadBatchId("abc", other, out _, out _), other);
    }

    [Fact]
    public void No_two_batches_have_the_same_content_and_the_same_batch_always_has()
    {
        var target = new LoadTarget(new("http://127.0.0.1:1"), null, null, TimeSpan.FromSeconds(1));
        var seen = new HashSet<string>();
        for (var client = 0; client < 3; client++)
        {
            var template = new BatchTemplate(target, "abc", client, 2);
            for (var number = 0; number < 100; number++)
                Assert.True(seen.Add(Encoding.UTF8.GetString(template.Metrics(number))));
            Assert.Contains(Encoding.UTF8.GetString(new BatchTemplate(target, "abc", client, 2).Metrics(5)), seen);
        }
    }
}
