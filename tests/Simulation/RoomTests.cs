using EvenKeel.Queue;
using Xunit;

namespace Simulation;

/// <summary>Bounds: what opening reads, what may wait, what a full queue and a full disk refuse, and how each goes on again.</summary>
public sealed class RoomTests
{
    [Fact]
    public void Opening_reads_one_segment_and_headers_whatever_the_backlog()
    {
        foreach (var records in new[] { 2_000, 20_000 })
        {
            var disk = new SimulatedDisk(new Random(1));
            var options = new DurableQueueOptions { Directory = "simulated", SegmentBytes = 64 << 10, MaxBytes = 1L << 30 };
            var queue = SampleLog.Open(disk, options);
            queue.OpenReader("r").Dispose();
            for (var i = 0; i < records; i++)
            {
                _ = queue.AppendAsync(Attempt.Make(i, 200)).AsTask();
                if (i % 10 == 9)
                    queue.CommitPending();
            }
            disk.KillProcess();
            disk.BytesRead = 0;
            using var again = SampleLog.Open(disk, options);
            Assert.Equal(records, again.Durable);
            Assert.True(again.Bytes > records * 200L);
            const int LastGroupAndHeaders = 4096;
            Assert.True(disk.BytesRead <= options.SegmentBytes + LastGroupAndHeaders, $"opening {again.Bytes} bytes read {disk.BytesRead}");
        }
    }

    [Theory]
    [InlineData(100)]
    [InlineData(4000)] // Just below a segment.
    [InlineData(7800)] // A segment of its own, and nearly half of MaxBytes.
    public void A_full_queue_has_room_again_when_its_reader_acknowledges(int recordBytes)
    {
        var disk = new SimulatedDisk(new Random(1));
        using var queue = SampleLog.Open(disk, new() { Directory = "simulated", SegmentBytes = 4096, MaxBytes = 4 * 4096 });
        using var reader = queue.OpenReader("r");
        for (var round = 0; round < 50; round++)
        {
            if (round % 3 == 0)
                queue.WriteMark(); // Also an idle queue's mark must not be in the way.
            var refused = false;
            for (var appended = 0; !refused; appended++)
            {
                var append = queue.AppendAsync(Attempt.Make(appended, recordBytes)).AsTask();
                queue.CommitPending();
                refused = append.IsFaulted;
                Assert.True(refused || append.IsCompletedSuccessfully);
                Assert.True(appended > 0 || !refused, $"round {round}: no room for one record though everything is acknowledged");
                if (refused)
                    Assert.Equal(QueueRefusal.Full, Assert.IsType<QueueRefusedException>(append.Exception!.InnerException).Reason);
            }
            while (reader.TryRead(100, 1 << 20) is { } batch)
                reader.Acknowledge(batch.NextPosition);
        }
    }

    [Fact]
    public void A_record_for_which_there_never_will_be_room_is_too_large_not_full()
    {
        using var queue = SampleLog.Open(new SimulatedDisk(new Random(1)),
            new() { Directory = "simulated", SegmentBytes = 4096, MaxBytes = 4 * 4096 });
        var append = queue.AppendAsync(new byte[9000]).AsTask();
        Assert.Equal(QueueRefusal.TooLarge, Assert.IsType<QueueRefusedException>(append.Exception!.InnerException).Reason);
    }

    [Fact]
    public async Task What_may_wait_is_bounded_and_the_rest_waits_its_turn()
    {
        using var queue = SampleLog.Open(
            new SimulatedDisk(new Random(1)),
                new() { Directory = "simulated", SegmentBytes = 1 << 20, MaxBytes = 1 << 24, MaxPendingBytes = 4096 });
        var first = queue.AppendAsync(new byte[3000]).AsTask();
        var second = queue.AppendAsync(new byte[3000]).AsTask();
        Assert.Equal(1, queue.Tail);
        queue.CommitPending();
        Assert.Equal(0, await first);
        await Deadline.Until(() => queue.Tail == 2, () => $"Tail is {queue.Tail}");
        queue.CommitPending();
        Assert.Equal(1, await second);
    }

    [Fact]
    public async Task A_full_disk_refuses_groups_and_acknowledgements_alone_and_the_queue_goes_on()
    {
        var disk = new SimulatedDisk(new Random(1));
        using var queue = SampleLog.Open(disk, new() { Directory = "simulated", SegmentBytes = 4096, MaxBytes = 1 << 20 });
        using var reader = queue.OpenReader("r");
        var kept = queue.AppendAsync(new byte[3000]).AsTask();
        queue.CommitPending();
        disk.IsFull = true;
        var refused = queue.AppendAsync(new byte[3000]).AsTask();
        queue.CommitPending();
        Assert.Equal(QueueRefusal.DiskFull, (await Assert.ThrowsAsync<QueueRefusedException>(() => refused)).Reason);
        var small = queue.AppendAsync(new byte[100]).AsTask(); // Fits into the block that the segment has.
        queue.CommitPending();
        Assert.Equal((0, 1), (await kept, await small));
        reader.Acknowledge(reader.TryRead(1, 1)!.NextPosition);
        reader.Acknowledge(reader.TryRead(1, 1)!.NextPosition);
        Assert.Equal((2, null), (queue.Acked, queue.Fault));
        disk.IsFull = false;
        var again = queue.AppendAsync(new byte[3000]).AsTask();
        queue.CommitPending();
        Assert.Equal(2, await again);
    }

    [Fact]
    public void Opening_and_closing_an_idle_queue_writes_one_mark_at_most()
    {
        var disk = new SimulatedDisk(new Random(1));
        var options = new DurableQueueOptions { Directory = "simulated", SegmentBytes = 4096, MaxBytes = 4 * 4096 };
        for (var i = 0; i < 300; i++)
        {
            using var queue = SampleLog.Open(disk, options);
            Assert.True(queue.Bytes < 200, $"{queue.Bytes} bytes after {i} openings without a record");
        }
    }
}
