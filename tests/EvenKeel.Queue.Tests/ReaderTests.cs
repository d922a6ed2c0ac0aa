using System.Text;
using Xunit;

namespace EvenKeel.Queue.Tests;

public sealed class ReaderTests : IDisposable
{
    private readonly TestQueue _test = new TestQueue().WithSmallSegments();

    [Theory]
    [InlineData("")]
    [InlineData(".hidden")]
    [InlineData("a/b")]
    [InlineData("ä")]
    [InlineData("two words")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345")]
    public void A_name_that_could_not_be_a_file_is_refused(string name)
    {
        using var queue = _test.Open();
        Assert.Contains($"'{name}'", Assert.Throws<ArgumentException>(() => queue.OpenReader(name)).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_test.Folder, "*.reader"));
    }

    [Fact]
    public void A_reader_is_open_once_and_can_be_opened_again_when_disposed()
    {
        using var queue = _test.Open();
        var reader = queue.OpenReader("a.b_C-1");
        Assert.Throws<InvalidOperationException>(() => queue.OpenReader("a.b_C-1"));
        reader.Dispose();
        queue.OpenReader("a.b_C-1").Dispose();
    }

    [Fact]
    public async Task A_tail_reads_from_anywhere_holds_nothing_back_and_passes_over_what_was_removed()
    {
        await _test.Fill(200);
        using var queue = _test.Open();
        using var store = queue.OpenReader("store");
        using var tail = queue.OpenTail(150);
        using var behind = queue.OpenTail(0);
        Assert.Equal(TestQueue.Payload(150), tail.TryRead(1, 1 << 20)!.Records[0].Payload.ToArray());
        Assert.Equal(0, behind.TryRead(1, 1 << 20)!.Records[0].Sequence);
        while (store.TryRead(100, 1 << 20) is not null)
            store.Acknowledge(store.Position);

        Assert.InRange(queue.Head, 1, 200); // Neither tail held it.
        var seen = new List<long>();
        var missed = 0L;
        while (behind.TryRead(100, 1 << 20) is { } batch)
        {
            seen.AddRange(batch.Records.Select(r => r.Sequence));
            missed += batch.Quarantined;
        }

        Assert.Equal(199, seen.Count + missed);
        Assert.Equal(199, seen[^1]);
        Assert.Throws<InvalidOperationException>(() => tail.Acknowledge(tail.Position));
        Assert.Equal(["store.reader"], Directory.GetFiles(_test.Folder, "*.reader").Select(Path.GetFileName));
        Assert.Null(behind.TryRead(1, 1));
        await queue.AppendAsync(TestQueue.Payload(200));
        Assert.Equal(200, behind.TryRead(1, 1)!.Records[0].Sequence);
    }

    [Fact]
    public async Task Acknowledging_beyond_what_was_read_is_refused()
    {
        await _test.Fill(10);
        using var queue = _test.Open();
        using var reader = queue.OpenReader("store");
        Assert.NotNull(reader.TryRead(4, 1 << 20));
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => reader.Acknowledge(5));
        Assert.Contains("'store' has read up to 4", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, queue.Acked);
        reader.Acknowledge(4);
        reader.Acknowledge(2); // Positions never go back.
        Assert.Equal(4, queue.Acked);
    }

    [Fact]
    public async Task A_position_survives_reopening_and_what_follows_comes_again()
    {
        await _test.Fill(10, queue =>
        {
            using var reader = queue.OpenReader("store");
            Assert.NotNull(reader.TryRead(6, 1 << 20));
            reader.Acknowledge(3);
        });
        using var again = _test.Open();
        using var reopened = again.OpenReader("store");
        Assert.Equal(3, reopened.Position);
        var batch = reopened.TryRead(100, 1 << 20)!;
        Assert.Equal(Enumerable.Range(3, 7).Select(i => (long)i), batch.Records.Select(r => r.Sequence));
        Assert.Equal(10, batch.NextPosition);
        Assert.Null(reopened.TryRead(100, 1 << 20));
    }

    [Fact]
    public async Task Limits_of_records_and_bytes_hold_but_one_record_is_always_given()
    {
        await _test.Fill(10);
        using var queue = _test.Open();
        using var reader = queue.OpenReader("store");
        Assert.Equal(3, reader.TryRead(3, 1 << 20)!.Records.Count);
        Assert.Single(reader.TryRead(100, 1)!.Records);
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.TryRead(0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.TryRead(1, 0));
    }

    [Fact]
    public async Task Seeking_goes_back_and_forth_within_what_is_kept()
    {
        await _test.Fill(200);
        using var queue = _test.Open();
        using var reader = queue.OpenReader("store");
        foreach (var sequence in new[] { 150L, 3, 199, 0 })
        {
            reader.Seek(sequence);
            var record = reader.TryRead(1, 1 << 20)!.Records[0];
            Assert.Equal(sequence, record.Sequence);
            Assert.Equal(TestQueue.Payload(sequence), record.Payload.ToArray());
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Seek(-1));
    }

    [Fact]
    public async Task Segments_go_when_every_reader_has_passed_and_seeking_before_them_counts_what_is_gone()
    {
        await _test.Fill(200);
        using var queue = _test.Open();
        using var slow = queue.OpenReader("slow");
        using var fast = queue.OpenReader("fast");
        fast.Seek(200);
        fast.Acknowledge(200);
        Assert.Equal((0, 0), (queue.Head, queue.Acked));
        slow.Seek(200);
        slow.Acknowledge(150);
        Assert.Equal(150, queue.Acked);
        Assert.InRange(queue.Head, 1, 150);
        Assert.Equal($"{queue.Head:D20}.segment", Path.GetFileName(_test.Segments[0]));

        fast.Seek(0);
        var batch = fast.TryRead(1, 1 << 20)!;
        Assert.Equal(queue.Head, batch.Quarantined);
        Assert.Equal(queue.Head, batch.Records[0].Sequence);
    }

    [Fact]
    public async Task A_removed_reader_holds_nothing_back_any_more()
    {
        await _test.Fill(200);
        using var queue = _test.Open();
        using var reader = queue.OpenReader("store");
        queue.OpenReader("forgotten").Dispose();
        reader.Seek(200);
        reader.Acknowledge(200);
        Assert.Equal(0, queue.Head);
        Assert.Throws<InvalidOperationException>(() => queue.RemoveReader("store"));
        Assert.True(queue.RemoveReader("forgotten"));
        Assert.False(queue.RemoveReader("forgotten"));
        Assert.True(queue.Head > 0);
        Assert.False(File.Exists(Path.Combine(_test.Folder, "forgotten.reader")));
    }

    [Fact]
    public async Task A_waiting_read_ends_with_the_append_or_with_its_token()
    {
        using var queue = _test.Open();
        using var reader = queue.OpenReader("store");
        var waiting = reader.ReadAsync(10, 1000, TestContext.Current.CancellationToken);
        Assert.False(waiting.IsCompleted);
        await queue.AppendAsync("first"u8);
        Assert.Equal("first", Encoding.ASCII.GetString((await waiting).Records[0].Payload.Span));

        using var cancelled = new CancellationTokenSource();
        var second = reader.ReadAsync(10, 1000, cancelled.Token).AsTask();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Assert.Equal(1, reader.Position);
    }

    [Fact]
    public async Task Watermarks_keep_their_order()
    {
        using var queue = _test.Open();
        Assert.Equal((0, 0, 0, 0), (queue.Head, queue.Acked, queue.Durable, queue.Tail));
        using var reader = queue.OpenReader("store");
        for (var i = 0; i < 300; i++)
        {
            var append = queue.AppendAsync(TestQueue.Payload(i));
            var (durable, tail) = (queue.Durable, queue.Tail);
            Assert.True(durable <= tail, $"durable {durable} is over tail {tail}");
            Assert.Equal(i, await append);
            if (i % 7 == 0 && reader.TryRead(5, 1 << 20) is { } batch)
                reader.Acknowledge(batch.NextPosition);
            Assert.True(queue.Head <= queue.Acked && queue.Acked <= queue.Durable, $"{queue.Head} {queue.Acked} {queue.Durable}");
        }
        Assert.Equal((300, 300), (queue.Durable, queue.Tail));
    }

    public void Dispose() => _test.Dispose();
}
