using System.Text;
using System.Text.RegularExpressions;
using EvenKeel.Queue.Storage;
using Xunit;

namespace EvenKeel.Queue.Tests;

public sealed partial class FormatTests : IDisposable
{
    private static readonly Guid ExampleId = new("00112233-4455-6677-8899-aabbccddeeff");
    private static readonly DateTimeOffset ExampleTime = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000);

    private readonly TestQueue _test = new();

    // RFC 3720, appendix B.4; the last one is the check value of the CRC catalogues.
    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000", 0x8A9136AAu)]
    [InlineData("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", 0x62A8AB43u)]
    [InlineData("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", 0x46DD794Eu)]
    [InlineData("1F1E1D1C1B1A191817161514131211100F0E0D0C0B0A09080706050403020100", 0x113FDB5Cu)]
    [InlineData("01C000000000000000000000000000001400000000000400000000140000001828000000000000000200000000000000", 0xD9963A56u)]
    [InlineData("313233343536373839", 0xE3069283u)]
    public void The_checksum_is_CRC32C_without_its_final_inversion(string bytes, uint published)
    {
        var data = Convert.FromHexString(bytes);
        Assert.Equal(published, ~Crc32C.Append(Crc32C.Seed, data));
        for (var cut = 0; cut <= data.Length; cut++)
            Assert.Equal(published, ~Crc32C.Append(Crc32C.Append(Crc32C.Seed, data.AsSpan(0, cut)), data.AsSpan(cut)));
    }

    [Fact]
    public void A_header_is_read_from_whichever_copy_is_sound()
    {
        var bytes = new byte[SegmentFormat.HeaderBytes];
        SegmentFormat.WriteHeader(bytes, ExampleId, 42, 7);
        var written = new SegmentHeader(1, ExampleId, 42, 7);
        for (var at = 0; at < bytes.Length; at++)
        {
            var damaged = bytes.ToArray();
            damaged[at] ^= 0x10;
            Assert.Equal(written, SegmentFormat.ReadHeader(damaged));
            damaged[(at + 64) % 128] ^= 0x10;
            Assert.Null(SegmentFormat.ReadHeader(damaged));
        }
        Assert.Null(SegmentFormat.ReadHeader(bytes.AsSpan(0, 63)));
    }

    [Fact]
    public void Every_flipped_bit_of_a_frame_header_is_noticed_and_so_is_another_segments_salt()
    {
        var salt = SegmentFormat.Salt(ExampleId, 0);
        var frame = new byte[32];
        SegmentFormat.WriteFrame(frame, FrameKind.Record, 0x12345678, 5);
        SegmentFormat.Stamp(frame, salt, 9);
        Assert.Equal(new FrameHeader(FrameKind.Record, 5, 9, 0x12345678), SegmentFormat.ReadFrame(frame, salt));
        Assert.Null(SegmentFormat.ReadFrame(frame, SegmentFormat.Salt(ExampleId, 1)));
        Assert.Null(SegmentFormat.ReadFrame(frame, SegmentFormat.Salt(Guid.Empty, 0)));
        for (var bit = 0; bit < 8 * SegmentFormat.FrameHeaderBytes; bit++)
        {
            var damaged = frame.ToArray();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Null(SegmentFormat.ReadFrame(damaged, salt));
        }
    }

    [Theory]
    [InlineData(0, "00000000000000000000.segment")]
    [InlineData(1234567890123, "00000001234567890123.segment")]
    [InlineData(long.MaxValue, "09223372036854775807.segment")]
    public void A_segment_is_named_by_its_first_sequence(long sequence, string name)
    {
        Assert.Equal(name, SegmentFormat.FileName(sequence));
        Assert.True(SegmentFormat.TryParseFileName(name, out var parsed));
        Assert.Equal(sequence, parsed);
    }

    [Theory]
    [InlineData("0.segment")]
    [InlineData("00000000000000000000.Segment")]
    [InlineData("0000000000000000000x.segment")]
    [InlineData("-0000000000000000001.segment")]
    [InlineData("99999999999999999999.segment")]
    public void Other_names_are_no_segments(string name) => Assert.False(SegmentFormat.TryParseFileName(name, out _));

    [Fact]
    public async Task The_example_in_the_format_document_is_what_the_queue_writes()
    {
        var time = new FixedTime(ExampleTime);
        _test.CreateFixed(ExampleId, ExampleTime);
        using (var queue = DurableQueue.Open(_test.Options, new FileStorage(_test.Folder, create: false), time, ownThread: false))
        {
            var append = queue.AppendAsync("hello"u8);
            queue.CommitPending();
            Assert.Equal(0, await append);
            using var reader = queue.OpenReader("store");
            Assert.Single(reader.TryRead(1, 100)!.Records);
            reader.Acknowledge(1);
        }
        Assert.Equal(Example("segment"), Lines(File.ReadAllBytes(_test.Segments[0]), 0));
        Assert.Equal(Example("reader"), Lines(File.ReadAllBytes(Path.Combine(_test.Folder, "store.reader")), 0));
    }

    public void Dispose() => _test.Dispose();

    /// <summary>The hex dump of the document that is marked with a name: offset and bytes, without what explains them.</summary>
    private static List<string> Example(string name)
    {
        var document = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "queue-format.md"));
        var block = Regex.Match(document, $"```hex {name}\n(.*?)```", RegexOptions.Singleline);
        Assert.True(block.Success, $"docs/queue-format.md has no block ```hex {name}");
        return [.. HexLine().Matches(block.Groups[1].Value).Select(m => m.Value)];
    }

    /// <summary>Sixteen bytes a line; lines of zeros are left out.</summary>
    private static List<string> Lines(byte[] bytes, int from)
    {
        var lines = new List<string>();
        for (var at = from; at < bytes.Length; at += 16)
        {
            var part = bytes.AsSpan(at, Math.Min(16, bytes.Length - at));
            if (part.IndexOfAnyExcept((byte)0) < 0)
                continue;
            var line = new StringBuilder($"{at:x4} ");
            foreach (var value in part)
                line.Append(' ').Append(value.ToString("x2", System.Globalization.CultureInfo.InvariantCulture));
            lines.Add(line.ToString());
        }
        return lines;
    }

    [GeneratedRegex("^[0-9a-f]{4} ( [0-9a-f]{2}){1,16}", RegexOptions.Multiline)]
    private static partial Regex HexLine();

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
