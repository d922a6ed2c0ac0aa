using Xunit;

namespace EvenKeel.Queue.Tests;

public sealed class RecoveryTests : IDisposable
{
    private readonly TestQueue _test = new();

    [Fact]
    public async Task A_clean_close_leaves_nothing_to_repair()
    {
        await _test.Fill(5);
        using var queue = _test.Open();
        Assert.Equal((0, 0), (queue.Recovery.TornBytes, queue.Recovery.SkippedSequences));
        Assert.Null(queue.Recovery.RemovedUnfinishedSegment);
        Assert.Empty(queue.Recovery.DamagedCheckpoints);
        Assert.Equal(5, queue.Durable);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(23)]
    [InlineData(24)]
    [InlineData(500)]
    [InlineData(4096)]
    public async Task A_torn_tail_costs_no_acknowledged_record_and_is_reported_to_the_byte(int bytes)
    {
        await _test.Fill(5);
        var torn = new byte[bytes];
        new Random(bytes).NextBytes(torn);
        TestQueue.Append(_test.Segments[0], torn);
        using (var queue = _test.Open())
        {
            Assert.Equal(bytes, queue.Recovery.TornBytes);
            Assert.Equal(5, await queue.AppendAsync(TestQueue.Payload(5)));
        }
        using var again = _test.Open();
        Assert.Equal(0, again.Recovery.TornBytes);
        var (texts, damage) = TestQueue.ReadAll(again);
        Assert.Equal(6, texts.Count);
        Assert.Empty(damage);
    }

    [Fact]
    public async Task A_segment_without_its_header_is_removed_and_named()
    {
        await _test.Fill(5);
        File.WriteAllBytes(Path.Combine(_test.Folder, SegmentFormat.FileName(5)), new byte[100]);
        using var queue = _test.Open();
        Assert.Equal(SegmentFormat.FileName(5), queue.Recovery.RemovedUnfinishedSegment);
        Assert.Single(_test.Segments);
        Assert.Equal(5, await queue.AppendAsync("next"u8));
    }

    [Fact]
    public async Task A_log_shorter_than_what_was_acknowledged_leaves_the_sequences_out()
    {
        await _test.Fill(5, queue =>
        {
            using var reader = queue.OpenReader("store");
            reader.Seek(5);
            reader.Acknowledge(5);
        });
        TestQueue.Cut(_test.Segments[0], TestQueue.FrameOf(_test.Segments[0], 2));
        using var queue = _test.Open();
        Assert.Equal(3, queue.Recovery.SkippedSequences);
        Assert.Equal(5, await queue.AppendAsync("next"u8));
    }

    [Fact]
    public async Task A_damaged_slot_costs_one_step_and_a_damaged_file_is_named_and_starts_anew()
    {
        await _test.Fill(5, queue =>
        {
            using var reader = queue.OpenReader("store");
            reader.Seek(5);
            reader.Acknowledge(2);
            reader.Acknowledge(4);
        });
        var file = Path.Combine(_test.Folder, "store.reader");
        TestQueue.Flip(file, 4096 + 24); // Generation 3 lies in the second slot.
        using (var queue = _test.Open())
        using (var reader = queue.OpenReader("store"))
            Assert.Equal((2, 0), (reader.Position, queue.Recovery.DamagedCheckpoints.Count));
        TestQueue.Flip(file, 24);
        using var again = _test.Open();
        Assert.Equal(["store"], again.Recovery.DamagedCheckpoints);
        using var anew = again.OpenReader("store");
        Assert.Equal(0, anew.Position);
    }

    [Fact]
    public async Task Skipping_leaves_sequences_out_and_never_goes_back()
    {
        await _test.Fill(3);
        using var queue = _test.Open();
        queue.SkipTo(2);
        Assert.Equal(3, queue.Durable);
        queue.SkipTo(10);
        Assert.Equal((10, 10), (queue.Durable, queue.Tail));
        Assert.Equal(10, await queue.AppendAsync(TestQueue.Payload(10)));
        var (texts, damage) = TestQueue.ReadAll(queue);
        Assert.Equal(4, texts.Count);
        Assert.Equal((3, 7), (Assert.Single(damage).FirstSequence, damage[0].Records));
    }

    [Fact]
    public async Task A_flipped_bit_in_a_record_costs_that_record_alone()
    {
        await _test.Fill(5);
        TestQueue.Flip(_test.Segments[0], TestQueue.FrameOf(_test.Segments[0], 2) + SegmentFormat.FrameHeaderBytes + 3);
        using var queue = _test.Open();
        var (texts, damage) = TestQueue.ReadAll(queue);
        Assert.Equal(4, texts.Count);
        Assert.Equal((2, 1), (Assert.Single(damage).FirstSequence, damage[0].Records));
    }

    public void Dispose() => _test.Dispose();
}
