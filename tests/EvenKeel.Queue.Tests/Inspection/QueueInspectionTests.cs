using EvenKeel.Queue.Inspection;
using Xunit;

namespace EvenKeel.Queue.Tests.Inspection;

public sealed class QueueInspectionTests : IDisposable
{
    private readonly TestQueue _test = new TestQueue().WithSmallSegments();

    [Fact]
    public async Task A_sound_queue_is_sound_and_not_a_byte_of_it_changes()
    {
        await _test.Fill(200, queue =>
        {
            using var reader = queue.OpenReader("store");
            reader.Seek(120);
            reader.Acknowledge(120);
        });
        var before = _test.Snapshot();
        using (var inspection = QueueInspection.Open(_test.Folder))
        {
            var summary = inspection.Summarize();
            Assert.True(summary.IsSound);
            Assert.Equal((120, 200, 200), (summary.Acked, summary.Durable, summary.ProvenDurable));
            Assert.Equal(200 - summary.Head, summary.Records);
            Assert.Equal(_test.Segments.Select(Path.GetFileName), summary.Segments.Select(s => s.File));
            Assert.Equal(summary.Records, summary.Segments.Sum(s => s.Records));
            Assert.Equal([new InspectedReader("store", 120)], inspection.Readers);
            Assert.Empty(inspection.OtherFiles);
            Assert.Equal(summary.Head, inspection.Read().First().Record!.Value.Sequence);
        }
        Assert.Equal(before, _test.Snapshot());
        using var queue = _test.Open();
        using var same = queue.OpenReader("store");
        Assert.Equal(120, same.Position);
    }

    [Fact]
    public async Task Every_flipped_bit_of_a_segment_is_noticed_and_costs_at_most_one_record()
    {
        await _test.Fill(6);
        var file = _test.Segments[0];
        var length = new FileInfo(file).Length;
        for (var offset = 0L; offset < length; offset++)
        {
            var mask = (byte)(1 << (int)(offset % 8));
            TestQueue.Flip(file, offset, mask);
            using (var inspection = QueueInspection.Open(_test.Folder))
            {
                var summary = inspection.Summarize();
                Assert.True(summary.Damages == 1, $"offset {offset}: {summary.Damages} damages");
                Assert.True(summary.Records + summary.LostRecords == 6 && summary.LostRecords <= 1,
                    $"offset {offset}: {summary.Records} records, {summary.LostRecords} lost");
            }
            TestQueue.Flip(file, offset, mask);
        }
        using var restored = QueueInspection.Open(_test.Folder);
        Assert.True(restored.Summarize().IsSound);
    }

    [Fact]
    public async Task Damage_is_named_by_place_and_sequences()
    {
        await _test.Fill(200);
        var (first, second) = (_test.Segments[0], _test.Segments[1]);
        var payload = TestQueue.FrameOf(first, 3);
        var frame = TestQueue.FrameOf(first, 7);
        TestQueue.Flip(first, payload + 30);
        TestQueue.Overwrite(first, frame, new byte[100]); // Over the frame, and the mark of the next.
        TestQueue.Flip(second, 10);
        using var inspection = QueueInspection.Open(_test.Folder);
        var told = new List<InspectedDamage>();
        var summary = inspection.Summarize(told.Add);
        Assert.Equal(told, summary.Damage);
        Assert.Equal((InspectedDamageKind.Payload, payload, 3, 1), (told[0].Kind, told[0].Offset, told[0].FirstSequence, told[0].Records));
        Assert.Equal((InspectedDamageKind.Frames, frame, 7), (told[1].Kind, told[1].Offset, told[1].FirstSequence));
        Assert.Equal((InspectedDamageKind.HeaderCopy, Path.GetFileName(second), 0), (told[2].Kind, told[2].File, told[2].Records));
        Assert.Equal(200, summary.Records + summary.LostRecords);
    }

    [Fact]
    public async Task What_is_cut_or_gone_in_the_middle_is_counted_by_the_next_segments_name()
    {
        await _test.Fill(300);
        var segments = _test.Segments;
        var bases = segments.Select(s => long.Parse(Path.GetFileName(s)[..20], System.Globalization.CultureInfo.InvariantCulture)).ToList();
        TestQueue.Cut(segments[0], TestQueue.FrameOf(segments[0], 10));
        File.Delete(segments[2]);
        using var inspection = QueueInspection.Open(_test.Folder);
        var summary = inspection.Summarize();
        Assert.Equal([(10L, bases[1] - 10), (bases[2], bases[3] - bases[2])], summary.Damage.Select(d => (d.FirstSequence, d.Records)));
        Assert.All(summary.Damage, d => Assert.Equal(InspectedDamageKind.Missing, d.Kind));
        Assert.Equal(300, summary.Records + summary.LostRecords);
    }

    [Fact]
    public async Task A_torn_tail_is_told_apart_and_a_segment_without_header_too()
    {
        await _test.Fill(5);
        TestQueue.Append(_test.Segments[0], new byte[77]);
        using (var inspection = QueueInspection.Open(_test.Folder))
        {
            var summary = inspection.Summarize();
            Assert.Equal((77, 5, 5, 0), (summary.TornBytes, summary.Records, summary.Durable, summary.LostRecords));
            Assert.Equal(InspectedDamageKind.TornTail, Assert.Single(summary.Damage).Kind);
        }
        File.WriteAllBytes(Path.Combine(_test.Folder, SegmentFormat.FileName(5)), new byte[64]);
        using var again = QueueInspection.Open(_test.Folder);
        Assert.Equal([InspectedDamageKind.TornTail, InspectedDamageKind.UnfinishedSegment], again.Summarize().Damage.Select(d => d.Kind));
    }

    [Fact]
    public async Task Readers_that_missed_records_at_either_end_are_damage()
    {
        await _test.Fill(300, queue =>
        {
            queue.OpenReader("slow").Dispose();
            using var fast = queue.OpenReader("fast");
            fast.Seek(300);
            fast.Acknowledge(300);
        });
        File.Delete(_test.Segments[0]);
        var last = _test.Segments[^1];
        TestQueue.Cut(last, SegmentFormat.HeaderBytes);
        using var inspection = QueueInspection.Open(_test.Folder);
        var summary = inspection.Summarize();
        Assert.Equal([InspectedDamageKind.Missing, InspectedDamageKind.Missing], summary.Damage.Select(d => d.Kind));
        Assert.Equal((0, summary.Head), (summary.Damage[0].FirstSequence, summary.Damage[0].Records));
        Assert.Equal(300, summary.Damage[1].FirstSequence + summary.Damage[1].Records);
        Assert.Equal((300, 300), (summary.Records + summary.LostRecords, summary.Durable));
    }

    [Fact]
    public async Task An_unreadable_position_and_foreign_files_are_named()
    {
        await _test.Fill(3, queue => queue.OpenReader("store").Dispose());
        File.WriteAllText(Path.Combine(_test.Folder, "store.reader"), "garbage");
        File.WriteAllText(Path.Combine(_test.Folder, "notes.txt"), "mine");
        using var inspection = QueueInspection.Open(_test.Folder);
        Assert.Equal([new InspectedReader("store", null)], inspection.Readers);
        Assert.Equal(["notes.txt"], inspection.OtherFiles);
        var damage = Assert.Single(inspection.Summarize().Damage);
        Assert.Equal((InspectedDamageKind.ReaderPosition, "store.reader"), (damage.Kind, damage.File));
    }

    [Fact]
    public async Task A_segment_of_another_queue_and_a_renamed_one_say_where_they_belong()
    {
        using var other = new TestQueue();
        await other.Fill(3);
        await _test.Fill(3);
        File.Copy(other.Segments[0], Path.Combine(_test.Folder, SegmentFormat.FileName(1)));
        File.Move(_test.Segments[0], Path.Combine(_test.Folder, SegmentFormat.FileName(2)));
        using var inspection = QueueInspection.Open(_test.Folder);
        var headers = inspection.Summarize().Damage.Where(d => d.Kind == InspectedDamageKind.Header).Select(d => d.Explanation).ToList();
        Assert.Contains("another queue", headers[0], StringComparison.Ordinal);
        Assert.Contains("renamed: its own name is 00000000000000000000.segment", headers[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_any_header_the_id_comes_from_a_reader_or_from_who_knows_it()
    {
        Guid id = default;
        await _test.Fill(200, queue => id = queue.Id);
        foreach (var segment in _test.Segments)
            TestQueue.Overwrite(segment, 0, new byte[SegmentFormat.HeaderBytes]);
        using (var inspection = QueueInspection.Open(_test.Folder))
        {
            Assert.Null(inspection.Id);
            var blind = inspection.Summarize();
            Assert.Equal((0, false), (blind.Records, blind.IsSound));
        }
        using var told = QueueInspection.Open(_test.Folder, id);
        var summary = told.Summarize();
        Assert.Equal((200, 0), (summary.Records, summary.LostRecords));
        Assert.All(summary.Damage, d => Assert.Equal(InspectedDamageKind.Header, d.Kind));
    }

    [Fact]
    public async Task A_queue_in_use_is_refused_and_while_it_is_inspected_nobody_opens_it()
    {
        using (var queue = _test.Open())
        {
            await queue.AppendAsync("x"u8);
            Assert.Equal(QueueOpenFailure.InUse, Assert.Throws<QueueOpenException>(() => QueueInspection.Open(_test.Folder)).Failure);
        }
        using (QueueInspection.Open(_test.Folder))
            Assert.Equal(QueueOpenFailure.InUse, Assert.Throws<QueueOpenException>(_test.Open).Failure);
        _test.Open().Dispose();
    }

    [Fact]
    public async Task A_copy_without_lock_file_gets_none_and_a_queue_opened_meanwhile_is_noticed()
    {
        await _test.Fill(3);
        File.Delete(Path.Combine(_test.Folder, "queue.lock"));
        using (var inspection = QueueInspection.Open(_test.Folder))
            Assert.True(inspection.Summarize().IsSound);
        Assert.False(File.Exists(Path.Combine(_test.Folder, "queue.lock")));

        using var second = QueueInspection.Open(_test.Folder);
        using var queue = _test.Open();
        Assert.Equal(QueueOpenFailure.InUse, Assert.Throws<QueueOpenException>(() => second.Summarize()).Failure);
    }

    [Fact]
    public void Where_no_queue_is_the_message_says_what_is_there()
    {
        var absent = Assert.Throws<QueueOpenException>(() => QueueInspection.Open(_test.Folder));
        Assert.Equal(QueueOpenFailure.NotFound, absent.Failure);
        Directory.CreateDirectory(_test.Folder);
        var empty = Assert.Throws<QueueOpenException>(() => QueueInspection.Open(_test.Folder));
        Assert.Contains("it is empty", empty.Message, StringComparison.Ordinal);
        var file = Path.Combine(_test.Folder, "photo.jpg");
        File.WriteAllText(file, "x");
        var garbage = Assert.Throws<QueueOpenException>(() => QueueInspection.Open(_test.Folder));
        Assert.Contains("photo.jpg", garbage.Message, StringComparison.Ordinal);
        Assert.Contains("is a file", Assert.Throws<QueueOpenException>(() => QueueInspection.Open(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_later_format_is_refused()
    {
        await _test.Fill(1);
        var header = File.ReadAllBytes(_test.Segments[0])[..SegmentFormat.HeaderCopyBytes];
        header[8] = 2;
        BitConverter.TryWriteBytes(header.AsSpan(60), Crc32C.Append(Crc32C.Seed, header.AsSpan(0, 60)));
        TestQueue.Overwrite(_test.Segments[0], 0, header);
        Assert.Equal(QueueOpenFailure.NewerFormat, Assert.Throws<QueueOpenException>(() => QueueInspection.Open(_test.Folder)).Failure);
    }

    public void Dispose() => _test.Dispose();
}
