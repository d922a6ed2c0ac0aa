using Xunit;

namespace Simulation;

/// <summary>Bytes that the disk changed, cut or lost: only the records they held are gone, counted exactly, and nothing stops.</summary>
public sealed class DamageTests
{
    [Fact]
    public void One_flipped_bit_anywhere_costs_at_most_the_record_it_hits_and_is_counted()
    {
        var log = SampleLog.Write(closed: true);
        foreach (var file in log.Files)
        {
            var length = log.Disk.List().Single(f => f.Name == file).Length;
            Parallel.For(0, length, offset =>
            {
                var disk = log.Disk.Copy();
                disk.Damage(file, bytes => bytes.Bytes[(int)offset] ^= (byte)(1 << (int)(offset % 8)));
                var (missing, recovery, end) = log.ReadUp(disk);
                var hit = log.Frames.Find(f => f.File == file && offset >= f.Offset && offset < f.Offset + f.Bytes).Sequence;
                if (hit is { } record && IsPadding(log, file, offset))
                    hit = null;
                Assert.True(missing.SequenceEqual(hit is { } lost ? [lost] : Array.Empty<long>()),
                    $"a bit of byte {offset} of {file}: record {hit} was hit, missing are [{string.Join(", ", missing)}]");
                Assert.Equal(log.Payloads.Count, end);
                Assert.Empty(recovery.DamagedCheckpoints);
            });
        }
    }

    [Fact]
    public void Every_bit_of_the_first_kibibyte_of_a_segment_can_flip()
    {
        var log = SampleLog.Write(closed: true);
        var file = log.Files.ElementAt(1);
        Parallel.For(0, 8 * 1024, bit =>
        {
            var disk = log.Disk.Copy();
            disk.Damage(file, bytes => bytes.Bytes[bit / 8] ^= (byte)(1 << bit % 8));
            var (missing, _, end) = log.ReadUp(disk);
            Assert.True(missing.Count <= 1 && end == log.Payloads.Count,
                $"bit {bit} of {file}: missing are [{string.Join(", ", missing)}], the end is {end}");
        });
    }

    /// <summary>Behind the last mark damage and a torn write look alike. What remains: records of the last group only, and if the end of
    /// the
    /// file is hit their sequences are not quarantined but cut off, with TornBytes as the trace.</summary>
    [Fact]
    public void A_flipped_bit_in_a_last_group_that_no_mark_proves_costs_records_of_that_group_only_and_leaves_a_trace()
    {
        var log = SampleLog.Write(closed: false);
        var last = log.Frames.First(f => f.Sequence == log.LastGroup);
        var length = log.Disk.List().Single(f => f.Name == last.File).Length;
        Parallel.For(last.Offset, length, offset =>
        {
            if (IsPadding(log, last.File, offset))
                return;
            var disk = log.Disk.Copy();
            disk.Damage(last.File, bytes => bytes.Bytes[(int)offset] ^= (byte)(1 << (int)(offset % 8)));
            var (missing, recovery, end) = log.ReadUp(disk);
            Assert.All(missing, m => Assert.True(m >= log.LastGroup));
            var lost = missing.Count + log.Payloads.Count - end;
            Assert.True(lost == 1 && (end == log.Payloads.Count || recovery.TornBytes > 0),
                $"byte {offset}: {lost} lost, {recovery.TornBytes} torn bytes");
        });
    }

    [Fact]
    public void A_last_group_cut_at_any_byte_costs_records_of_that_group_only()
    {
        var log = SampleLog.Write(closed: false);
        var first = log.Frames.First(f => f.Sequence == log.LastGroup);
        var length = log.Disk.List().Single(f => f.Name == first.File).Length;
        for (var cut = first.Offset - SegmentFormatBytes.Mark; cut < length; cut++)
        {
            var disk = log.Disk.Copy();
            disk.Damage(first.File, bytes => bytes.SetLength(cut));
            var (missing, recovery, end) = log.ReadUp(disk);
            var whole = log.Frames.Where(f => f.File == first.File && f.Offset + f.Bytes <= cut).ToList();
            Assert.Empty(missing);
            Assert.Equal(log.LastGroup + whole.Count(f => f.Sequence >= log.LastGroup), end);
            Assert.Equal(cut - whole.Max(f => f.Offset + f.Bytes), recovery.TornBytes);
        }
    }

    [Theory]
    [InlineData("zeros")]
    [InlineData("garbage")]
    [InlineData("old frames")]
    public void One_to_4096_bytes_behind_the_last_group_are_cut_off_and_cost_nothing(string what)
    {
        var log = SampleLog.Write(closed: false);
        var file = log.Files.Last();
        var random = new Random(11);
        for (var count = 1; count <= 4096; count += count < 64 ? 1 : 61)
        {
            var tail = new byte[count];
            if (what == "garbage")
                random.NextBytes(tail);
            else if (what == "old frames") // Sound frames of this very segment, out of place: their sequences are behind.
                log.Disk.Copy().Damage(file, bytes => bytes.Bytes[128..Math.Min(bytes.Length, 128 + count)].CopyTo(tail));
            var disk = log.Disk.Copy();
            disk.Damage(file, bytes => bytes.Write(tail, bytes.Length));
            var (missing, recovery, end) = log.ReadUp(disk);
            Assert.Empty(missing);
            Assert.Equal((log.Payloads.Count, count), (end, recovery.TornBytes));
        }
    }

    [Fact]
    public void A_segment_that_is_gone_from_the_middle_costs_exactly_its_records()
    {
        var log = SampleLog.Write(closed: true);
        foreach (var file in log.Files.Skip(1).SkipLast(1))
        {
            var disk = log.Disk.Copy();
            disk.Remove(file);
            Assert.Equal(log.Frames.Where(f => f.File == file && f.Sequence is not null).Select(f => f.Sequence!.Value), log.ReadUp(disk).Missing);
        }
    }

    [Fact]
    public void A_segment_cut_in_the_middle_of_the_log_costs_exactly_the_records_cut_off()
    {
        var log = SampleLog.Write(closed: true);
        var file = log.Files.ElementAt(1);
        var length = log.Disk.List().Single(f => f.Name == file).Length;
        for (var cut = 0L; cut < length; cut += 7)
        {
            var disk = log.Disk.Copy();
            disk.Damage(file, bytes => bytes.SetLength(cut));
            var gone = log.Frames.Where(f => f.File == file && f.Offset + f.Bytes > cut).Select(f => f.Sequence).OfType<long>();
            Assert.Equal(gone, log.ReadUp(disk).Missing);
        }
    }

    [Fact]
    public void Two_adjacent_damaged_records_cost_two()
    {
        var log = SampleLog.Write(closed: true);
        for (var sequence = 0L; sequence + 1 < log.Payloads.Count; sequence++)
        {
            var disk = log.Disk.Copy();
            foreach (var frame in log.Frames.Where(f => f.Sequence == sequence || f.Sequence == sequence + 1))
                disk.Damage(frame.File, bytes => bytes.Bytes[(int)frame.Offset] ^= 1);
            Assert.Equal([sequence, sequence + 1], log.ReadUp(disk).Missing);
        }
    }

    [Fact]
    public void Both_copies_of_any_header_damaged_cost_no_record()
    {
        var log = SampleLog.Write(closed: true);
        foreach (var file in log.Files)
        {
            var disk = log.Disk.Copy();
            disk.Damage(file, bytes => bytes.Bytes[..128].Clear());
            Assert.Empty(log.ReadUp(disk).Missing);
        }
    }

    [Fact]
    public void Damage_at_the_end_that_a_reader_has_seen_costs_no_record_appended_later()
    {
        var disk = new SimulatedDisk(new Random(3));
        using var queue = SampleLog.Open(disk, new() { Directory = "simulated", SegmentBytes = 4096, MaxBytes = 1 << 16 });
        using var reader = queue.OpenReader("r");
        for (var i = 0; i < 3; i++)
            _ = queue.AppendAsync([]).AsTask();
        queue.CommitPending();
        var file = disk.List().Single(f => f.Name.EndsWith(".segment", StringComparison.Ordinal)).Name;
        disk.Damage(file, bytes => bytes.Bytes[^48..].Fill(0xEE)); // The last two records.
        Assert.Single(reader.TryRead(10, 100)!.Records);
        Assert.Equal(2, reader.TryRead(10, 100)!.Quarantined);
        for (var i = 0; i < 20; i++)
            _ = queue.AppendAsync([]).AsTask();
        queue.CommitPending();
        var second = reader.TryRead(100, 100)!;
        Assert.Equal((20, 0), (second.Records.Count, second.Quarantined));
    }

    private static bool IsPadding(SampleLog log, string file, long offset) =>
        log.Frames.Find(f => f.File == file && offset >= f.Offset && offset < f.Offset + f.Bytes) is { Sequence: { } sequence } frame
        && offset >= frame.Offset + SegmentFormatBytes.Mark + log.Payloads[(int)sequence].Length;
}

/// <summary>Sizes of the format that the tests state on their own (docs/queue-format.md).</summary>
internal static class SegmentFormatBytes
{
    public const int Mark = 24;
}
