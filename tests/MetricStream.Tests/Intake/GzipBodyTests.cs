using System.Buffers;
using System.IO.Compression;
using System.Text;
using MetricStream.Intake;
using Xunit;

namespace MetricStream.Tests.Intake;

public sealed class GzipBodyTests
{
    private static readonly byte[] Text = Encoding.UTF8.GetBytes(ExtremeBodies.Metrics(50));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(8192)]
    [InlineData(100_000)]
    [InlineData(3_000_000)]
    public void What_was_compressed_comes_back_at_every_level(int length)
    {
        var random = new Random(length);
        var noise = new byte[length];
        random.NextBytes(noise);
        var repetitive = noise.Select(b => (byte)(b & 3)).ToArray();
        foreach (var level in (CompressionLevel[])[CompressionLevel.NoCompression, CompressionLevel.Fastest, CompressionLevel.SmallestSize])
        {
            Assert.Equal(noise, Inflate(Gzip(noise, level)));
            Assert.Equal(repetitive, Inflate(Gzip(repetitive, level)));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(5000)]
    [InlineData(20_000)]
    public void Bytes_after_the_last_member_are_damage(int garbage)
    {
        Assert.Null(Inflate([.. Gzip(Text), .. new byte[garbage]]));
        Assert.Null(Inflate([.. Gzip(Text), .. Enumerable.Repeat((byte)0x1F, garbage)]));
    }

    [Fact]
    public void Several_members_are_one_body_and_each_is_checked()
    {
        byte[] two = [.. Gzip(Text), .. Gzip([]), .. Gzip(Text, CompressionLevel.NoCompression)];
        Assert.Equal((byte[])[.. Text, .. Text], Inflate(two));
        var firstEnd = Gzip(Text).Length;
        for (var length = 0; length < two.Length; length++)
        {
            if (length != firstEnd && length != firstEnd + Gzip([]).Length)
                Assert.Null(Inflate(two[..length]));
        }

        two[firstEnd - 1] ^= 1;
        Assert.Null(Inflate(two));
    }

    [Fact]
    public void A_thousand_members_are_taken_and_more_are_refused_before_they_cost_time()
    {
        var member = Gzip("a"u8.ToArray());
        Assert.Equal(1000, Inflate([.. Enumerable.Repeat(member, 1000).SelectMany(bytes => bytes)])?.Length);
        Assert.Null(Inflate([.. Enumerable.Repeat(member, 1001).SelectMany(bytes => bytes)]));
    }

    [Fact]
    public void One_flipped_bit_is_damage_wherever_it_changes_the_text_or_its_proof()
    {
        var packed = Gzip(Text);
        for (var bit = 0; bit < packed.Length * 8; bit++)
        {
            var flipped = (byte[])packed.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            // Bytes 4 to 9 are time, extra flags and system, FTEXT a hint; FHCRC, FEXTRA, FNAME, FCOMMENT change where the data starts.
            if (Inflate(flipped) is { } read)
                Assert.True(bit / 8 is >= 4 and <= 9 || bit == 24 || read.SequenceEqual(Text), $"bit {bit} was not noticed");
        }
    }

    [Fact]
    public void Optional_header_fields_are_passed_over_and_must_be_whole()
    {
        var plain = Gzip(Text);
        byte[] fields = [0x1F, 0x8B, 8, 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 3, 0, 1, 2, 3, (byte)'n', 0, (byte)'c', 0];
        Assert.Equal(Text, Inflate([.. fields, .. plain[10..]]));
        for (var length = 0; length < fields.Length; length++)
            Assert.Null(Inflate(fields[..length]));

        byte[] checkedHeader = [0x1F, 0x8B, 8, 2, 0, 0, 0, 0, 0, 3];
        var crc = (ushort)Crc32.Of(checkedHeader);
        Assert.Equal(Text, Inflate([.. checkedHeader, (byte)crc, (byte)(crc >> 8), .. plain[10..]]));
        Assert.Null(Inflate([.. checkedHeader, (byte)~crc, (byte)(crc >> 8), .. plain[10..]]));
        Assert.Null(Inflate([0x1F, 0x8B, 8, 0x20, .. plain[4..]]));
        Assert.Null(Inflate([0x1F, 0x8B, 7, .. plain[3..]]));
    }

    [Theory]
    [InlineData("", 0u)]
    [InlineData("a", 0xE8B7BE43u)]
    [InlineData("123456789", 0xCBF43926u)]
    [InlineData("The quick brown fox jumps over the lazy dog", 0x414FA339u)]
    public void The_checksum_is_that_of_gzip(string text, uint crc) => Assert.Equal(crc, Crc32.Of(Encoding.ASCII.GetBytes(text)));

    internal static byte[] Gzip(byte[] body, CompressionLevel level = CompressionLevel.Optimal)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, level, leaveOpen: true))
            gzip.Write(body);
        // GZipStream writes nothing at all for an empty body; this is what gzip(1) writes.
        return packed.Length > 0 ? packed.ToArray() : [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    }

    private static byte[]? Inflate(byte[] packed)
    {
        var outcome = GzipBody.Inflate(packed, 16 * 1024 * 1024, out var rented, out var length);
        if (outcome != GzipOutcome.Complete)
        {
            Assert.Equal(GzipOutcome.Damaged, outcome);
            return null;
        }

        var body = rented.AsSpan(0, length).ToArray();
        ArrayPool<byte>.Shared.Return(rented);
        return body;
    }
}
