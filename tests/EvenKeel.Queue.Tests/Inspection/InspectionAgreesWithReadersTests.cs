using EvenKeel.Queue.Inspection;
using Xunit;

namespace EvenKeel.Queue.Tests.Inspection;

public sealed class InspectionAgreesWithReadersTests
{
    /// <summary>Damage of every size anywhere: what the tool calls sound is what a reader gets after opening, and the losses are the
    /// same number.</summary>
    [Fact]
    public async Task What_the_tool_calls_sound_is_what_a_reader_gets()
    {
        using var whole = new TestQueue().WithSmallSegments();
        await whole.Fill(120);
        for (var seed = 1; seed <= 300; seed++)
        {
            using var test = new TestQueue().WithSmallSegments();
            Directory.CreateDirectory(test.Folder);
            foreach (var file in whole.Segments)
                File.Copy(file, Path.Combine(test.Folder, Path.GetFileName(file)));
            Damage(test, new Random(seed));
            List<long> sound;
            InspectionSummary summary;
            using (var inspection = QueueInspection.Open(test.Folder))
            {
                sound = [.. inspection.Read().Select(f => f.Record?.Sequence).OfType<long>()];
                summary = inspection.Summarize();
            }
            using var queue = test.Open();
            Assert.True(summary.Durable == queue.Durable, $"SEED={seed}: durable {summary.Durable}, opened {queue.Durable}");
            using var reader = queue.OpenReader("all");
            var (read, quarantined) = (new List<long>(), 0L);
            while (reader.TryRead(1000, 1 << 20) is { } batch)
            {
                read.AddRange(batch.Records.Select(r => r.Sequence));
                quarantined += batch.Quarantined;
            }
            Assert.True(sound.SequenceEqual(read), $"SEED={seed}: inspection found {sound.Count} records, the reader {read.Count}");
            Assert.True(summary.LostRecords == quarantined, $"SEED={seed}: {summary.LostRecords} lost, but {quarantined} quarantined");
        }
    }

    private static void Damage(TestQueue test, Random random)
    {
        for (var wounds = random.Next(1, 5); wounds > 0; wounds--)
        {
            var file = test.Segments[random.Next(test.Segments.Count)];
            var length = (int)new FileInfo(file).Length;
            if (random.Next(4) == 0 && length > SegmentFormat.HeaderBytes + 1)
            {
                TestQueue.Cut(file, random.Next(SegmentFormat.HeaderBytes + 1, length));
                continue;
            }
            var offset = random.Next(length);
            var bytes = new byte[Math.Min(length - offset, 1 << random.Next(11))];
            if (random.Next(2) == 0)
                random.NextBytes(bytes);
            TestQueue.Overwrite(file, offset, bytes);
        }
    }
}
