using System.Text;
using EvenKeel.Queue.Inspection;
using Xunit;

namespace EvenKeel.Queue.Tests.Inspection;

public sealed class QueueSalvageTests : IDisposable
{
    private static readonly SalvageOptions Everything = new() { FromSequence = 0 };

    private readonly TestQueue _test = new TestQueue().WithSmallSegments();
    private readonly TestQueue _salvaged = new();

    [Fact]
    public async Task What_is_sound_comes_over_in_order_and_the_source_stays_as_it_was()
    {
        await _test.Fill(300);
        TestQueue.Flip(_test.Segments[0], TestQueue.FrameOf(_test.Segments[0], 3) + 30);
        TestQueue.Flip(_test.Segments[0], TestQueue.FrameOf(_test.Segments[0], 9) + 2);
        TestQueue.Append(_test.Segments[^1], new byte[99]);
        var before = _test.Snapshot();
        var report = await Salvage();
        Assert.Equal(before, _test.Snapshot());
        Assert.Equal((298, 2, 0, 0), (report.Records, report.LostRecords, report.Acknowledged, report.FromSequence));
        Assert.Equal(99, report.Source.TornBytes);
        Assert.NotEqual(report.SourceId, report.NewId);

        using (var inspection = QueueInspection.Open(_salvaged.Folder))
            Assert.True(inspection.Summarize() is { IsSound: true, ProvenDurable: 298 });
        using var queue = _salvaged.Open();
        Assert.Equal(report.NewId, queue.Id);
        var expected = Enumerable.Range(0, 300).Where(i => i is not (3 or 9)).Select(i => Encoding.ASCII.GetString(TestQueue.Payload(i)));
        Assert.Equal(expected, TestQueue.ReadAll(queue).Texts);
    }

    [Fact]
    public async Task Readers_go_on_where_they_stood_and_what_all_have_done_stays_behind()
    {
        await _test.Fill(300, queue =>
        {
            foreach (var (name, position) in new[] { ("slow", 150L), ("fast", 200L) })
            {
                using var reader = queue.OpenReader(name);
                reader.Seek(position);
                reader.Acknowledge(position);
            }
        });
        var file = _test.Segments.Last(s => string.CompareOrdinal(Path.GetFileName(s), SegmentFormat.FileName(170)) <= 0);
        TestQueue.Flip(file, TestQueue.FrameOf(file, 170) + 30);
        var report = await Salvage();
        Assert.Equal((150, 149, 1), (report.FromSequence, report.Records, report.LostRecords));
        Assert.True(report.Acknowledged > 0, "the segment of record 150 holds records before it");
        using var queue = _salvaged.Open();
        using var slow = queue.OpenReader("slow");
        using var fast = queue.OpenReader("fast");
        Assert.Equal((0, 49), (slow.Position, fast.Position));
        Assert.Equal(TestQueue.Payload(150), slow.TryRead(1, 1000)!.Records[0].Payload.ToArray());
        Assert.Equal(TestQueue.Payload(200), fast.TryRead(1, 1000)!.Records[0].Payload.ToArray());
    }

    [Fact]
    public async Task A_named_sequence_takes_over_from_there_without_readers()
    {
        await _test.Fill(30, queue =>
        {
            using var reader = queue.OpenReader("store");
            reader.Seek(20);
            reader.Acknowledge(20);
        });
        var report = await Salvage(new SalvageOptions { FromSequence = 5 });
        Assert.Equal((25, 5), (report.Records, report.Acknowledged));
        Assert.Empty(Directory.GetFiles(_salvaged.Folder, "*.reader"));
    }

    [Fact]
    public async Task An_unreadable_position_takes_over_everything()
    {
        await _test.Fill(30, queue =>
        {
            using var reader = queue.OpenReader("store");
            reader.Seek(20);
            reader.Acknowledge(20);
        });
        File.WriteAllText(Path.Combine(_test.Folder, "store.reader"), "garbage");
        var report = await Salvage();
        Assert.Equal((0, 30), (report.FromSequence, report.Records));
    }

    [Fact]
    public async Task Segments_without_headers_are_read_by_the_id_that_others_bear_or_that_is_given()
    {
        await _test.Fill(200);
        foreach (var segment in _test.Segments.Skip(1))
            TestQueue.Overwrite(segment, 0, new byte[SegmentFormat.HeaderBytes]);
        Guid id;
        using (var inspection = QueueInspection.Open(_test.Folder))
            id = inspection.Id!.Value;
        Assert.Equal(200, (await Salvage()).Records);

        TestQueue.Overwrite(_test.Segments[0], 0, new byte[SegmentFormat.HeaderBytes]);
        using var second = new TestQueue();
        var refused = await Assert.ThrowsAsync<QueueOpenException>(() => Run(second.Folder));
        Assert.Contains("id", refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(second.Root));
        Assert.Equal(200, (await Run(second.Folder, new SalvageOptions { QueueId = id })).Records);
    }

    [Fact]
    public async Task A_destination_that_is_not_empty_is_refused_and_left_alone()
    {
        await _test.Fill(3);
        Directory.CreateDirectory(_salvaged.Folder);
        File.WriteAllText(Path.Combine(_salvaged.Folder, "mine"), "x");
        Assert.Contains("not empty", (await Assert.ThrowsAsync<QueueOpenException>(() => Salvage())).Message, StringComparison.Ordinal);
        Assert.Equal(["mine"], Directory.GetFiles(_salvaged.Folder).Select(Path.GetFileName));
        File.Delete(Path.Combine(_salvaged.Folder, "mine"));
        Assert.Equal(3, (await Salvage(Everything)).Records); // Empty is as good as absent.
    }

    [Fact]
    public async Task The_rest_of_an_interrupted_salvage_and_a_place_inside_the_source_are_refused()
    {
        await _test.Fill(3);
        var before = _test.Snapshot();
        await Assert.ThrowsAsync<QueueOpenException>(() => Run(Path.Combine(_test.Folder, "new")));
        Assert.Equal(before, _test.Snapshot());
        Directory.CreateDirectory(_salvaged.Folder + ".unfinished");
        Assert.Contains("interrupted", (await Assert.ThrowsAsync<QueueOpenException>(() => Salvage())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cancelled_salvage_leaves_nothing_behind()
    {
        await _test.Fill(3);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        var salvage = QueueSalvage.RunAsync(_test.Folder, _salvaged.Folder, null, cancelled.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => salvage);
        Assert.Empty(Directory.GetFileSystemEntries(_salvaged.Root));
    }

    [Fact]
    public async Task A_destination_without_room_ends_the_salvage_and_nothing_is_left_there()
    {
        using var disk = SmallDisk.Mount(Path.Combine(_salvaged.Root, "disk"));
        using (var queue = _test.Open())
        {
            for (var i = 0; i < 40; i++)
                await queue.AppendAsync(new byte[64 << 10]);
        }
        var before = _test.Snapshot();
        var refused = await Assert.ThrowsAsync<QueueRefusedException>(() => Run(Path.Combine(disk.Folder, "new")));
        Assert.Equal(QueueRefusal.DiskFull, refused.Reason);
        Assert.Empty(Directory.GetFileSystemEntries(disk.Folder));
        Assert.Equal(before, _test.Snapshot());
    }

    [Fact]
    public async Task A_queue_on_a_read_only_disk_without_lock_file_can_be_read()
    {
        using var disk = SmallDisk.Mount(Path.Combine(_salvaged.Root, "disk"));
        _test.Options = _test.Options with { Directory = Path.Combine(disk.Folder, "queue") };
        await _test.Fill(30);
        File.Delete(Path.Combine(_test.Folder, "queue.lock"));
        disk.MakeReadOnly();
        using (var inspection = QueueInspection.Open(_test.Folder))
            Assert.True(inspection.Summarize().IsSound);
        Assert.Equal(30, (await Salvage()).Records);
    }

    [Fact]
    public async Task A_queue_in_use_is_not_salvaged()
    {
        using var queue = _test.Open();
        Assert.Equal(QueueOpenFailure.InUse, (await Assert.ThrowsAsync<QueueOpenException>(() => Salvage())).Failure);
    }

    public void Dispose()
    {
        _test.Dispose();
        _salvaged.Dispose();
    }

    private Task<SalvageReport> Salvage(SalvageOptions? options = null) => Run(_salvaged.Folder, options);

    private Task<SalvageReport> Run(string destination, SalvageOptions? options = null) =>
        QueueSalvage.RunAsync(_test.Folder, destination, options, TestContext.Current.CancellationToken);
}
