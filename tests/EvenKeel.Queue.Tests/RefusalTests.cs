using Xunit;

namespace EvenKeel.Queue.Tests;

public sealed class RefusalTests : IDisposable
{
    private readonly TestQueue _test = new();

    [Fact]
    public async Task A_full_queue_refuses_drops_nothing_and_takes_again_when_its_reader_has_caught_up()
    {
        _test.Options = _test.Options with { SegmentBytes = 4096, MaxBytes = 16384 };
        using var queue = _test.Open();
        using var reader = queue.OpenReader("store");
        var accepted = 0;
        var refused = await Assert.ThrowsAsync<QueueRefusedException>(async () =>
        {
            while (accepted < 10_000)
            {
                await queue.AppendAsync(TestQueue.Payload(accepted));
                accepted++;
            }
        });
        Assert.Equal(QueueRefusal.Full, refused.Reason);
        Assert.Contains("16384", refused.Message, StringComparison.Ordinal);
        Assert.Equal(accepted, queue.Durable);
        Assert.InRange(queue.Bytes, 12288, 16384 + 4096); // The limit, and never a segment more.

        var read = 0;
        while (reader.TryRead(100, 1 << 20) is { } batch)
            read += batch.Records.Count;
        Assert.Equal(accepted, read);
        reader.Acknowledge(reader.Position);
        Assert.Equal(accepted, await queue.AppendAsync(TestQueue.Payload(accepted)));
    }

    [Fact]
    public async Task A_folder_that_was_deleted_faults_the_queue_instead_of_taking_records_into_nameless_files()
    {
        using var queue = _test.Open();
        await queue.AppendAsync(TestQueue.Payload(0));
        Directory.Delete(_test.Folder, recursive: true);
        var refused = await Assert.ThrowsAsync<QueueRefusedException>(async () => await queue.AppendAsync(TestQueue.Payload(1)));
        Assert.Equal(QueueRefusal.Faulted, refused.Reason);
        Assert.Contains("deleted or moved", refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, queue.Durable);
    }

    [Fact]
    public async Task A_record_over_the_limit_is_refused_and_one_at_the_limit_is_taken()
    {
        _test.Options = _test.Options with { MaxRecordBytes = 1000 };
        using var queue = _test.Open();
        var refused = await Assert.ThrowsAsync<QueueRefusedException>(async () => await queue.AppendAsync(new byte[600], new byte[401]));
        Assert.Equal(QueueRefusal.TooLarge, refused.Reason);
        Assert.Contains("1001", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, await queue.AppendAsync(new byte[600], new byte[400]));
        Assert.Null(queue.Fault);
    }

    [Fact]
    public async Task A_record_longer_than_a_segment_gets_a_segment_of_its_own()
    {
        _test.WithSmallSegments();
        using var queue = _test.Open();
        await queue.AppendAsync(TestQueue.Payload(0));
        await queue.AppendAsync(new byte[10_000]);
        await queue.AppendAsync(TestQueue.Payload(2));
        Assert.Equal(3, _test.Segments.Count);
        Assert.Equal(3, TestQueue.ReadAll(queue).Texts.Count);
    }

    [Fact]
    public async Task Disposing_commits_what_waits_and_refuses_what_comes_after()
    {
        var queue = _test.Open();
        var waiting = Enumerable.Range(0, 100).Select(i => queue.AppendAsync(TestQueue.Payload(i)).AsTask()).ToList();
        queue.Dispose();
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), await Task.WhenAll(waiting));
        var refused = await Assert.ThrowsAsync<QueueRefusedException>(async () => await queue.AppendAsync(TestQueue.Payload(100)));
        Assert.Equal(QueueRefusal.Closed, refused.Reason);
        queue.Dispose();
        using var again = _test.Open();
        Assert.Equal(100, again.Durable);
    }

    [Fact]
    public async Task A_disposed_queue_ends_the_wait_of_its_readers_and_opens_no_more()
    {
        var queue = _test.Open();
        var reader = queue.OpenReader("store");
        var waiting = reader.ReadAsync(10, 1000, TestContext.Current.CancellationToken).AsTask();
        await queue.DisposeAsync();
        Assert.Equal(QueueRefusal.Closed, (await Assert.ThrowsAsync<QueueRefusedException>(() => waiting)).Reason);
        Assert.Throws<ObjectDisposedException>(() => queue.OpenReader("other"));
        reader.Dispose();
        Assert.Throws<ObjectDisposedException>(() => reader.TryRead(1, 1));
    }

    [Fact]
    public async Task A_full_disk_refuses_and_the_queue_goes_on_by_itself_when_there_is_room()
    {
        using var disk = SmallDisk.Mount(Path.Combine(_test.Root, "disk"));
        _test.Options = _test.Options with { Directory = Path.Combine(disk.Folder, "queue") };
        using var queue = _test.Open();
        await queue.AppendAsync(TestQueue.Payload(0));
        var filler = Path.Combine(disk.Folder, "filler");
        Assert.ThrowsAny<IOException>(() =>
        {
            using var file = File.Create(filler);
            while (file.Length < 64 << 20)
                file.Write(new byte[4096]);
        });

        var refused = await Assert.ThrowsAsync<QueueRefusedException>(async () => await queue.AppendAsync(new byte[64 << 10]));
        Assert.Equal(QueueRefusal.DiskFull, refused.Reason);
        Assert.Contains(_test.Folder, refused.Message, StringComparison.Ordinal);
        Assert.Null(queue.Fault);

        File.Delete(filler);
        Assert.Equal(1, await queue.AppendAsync(TestQueue.Payload(1)));
        Assert.Equal(2, TestQueue.ReadAll(queue).Texts.Count);
    }

    public void Dispose() => _test.Dispose();
}
