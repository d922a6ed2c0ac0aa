using System.Globalization;
using System.Text;
using System.Text.Json;
using MetricStream.Queueing;
using Xunit;

namespace MetricStream.Tests.Intake;

public sealed class BatchReaderTests
{
    private const long Arrived = 1_700_000_000_123;

    [Fact]
    public void A_metric_is_read_with_its_type_name_sorted_tags_value_and_time()
    {
        var seen = Read("""{"metrics":[{"name":"cpu","value":1.5,"type":"gauge","tags":{"zone":"b","host":"web-1"},"timestamp":1600000000000}]}""");
        Assert.Equal(["gauge cpu host=web-1 zone=b 1.5 @1600000000000"], seen);
    }

    [Fact]
    public void Without_a_timestamp_the_batch_timestamp_counts_and_without_that_the_arrival()
    {
        Assert.Equal([$"gauge a 1 @{Arrived}"], Read("""{"metrics":[{"name":"a","value":1,"type":"gauge"}]}"""));
        Assert.Equal(["gauge a 1 @5"], Read("""{"batch_timestamp":5,"metrics":[{"name":"a","value":1,"type":"gauge"}]}"""));
    }

    [Theory]
    [InlineData("""{"metrics":[{"name":"a","value":1,"type":"gauge"}],"batch_timestamp":"7"}""")]
    [InlineData("""{"metrics":[{"name":"a","value":1,"type":"gauge"}],"x":[[1]],"batch\u005ftimestamp":7}""")]
    public void A_batch_timestamp_that_follows_the_metrics_is_found(string body) => Assert.Equal(["gauge a 1 @7"], Read(body));

    [Fact]
    public void Members_may_stand_in_any_order_and_unknown_ones_are_passed_over()
    {
        var seen = Read("""
            {"x":{"metrics":[1]},"metrics":[
              {"timestamp":9,"unit":["s",{"name":"no"}],"tags":{},"type":"counter","value":2,"name":"a"},
              {"type":"histogram","name":"b","value":-3e2}],"client_id":"c"}
            """);
        Assert.Equal(["counter a 2 @9", $"histogram b -300 @{Arrived}"], seen);
    }

    [Fact]
    public void Escaped_and_plain_spellings_give_the_same_series_key()
    {
        var plain = Key("""{"metrics":[{"name":"aé","value":1,"type":"gauge","tags":{"k":"v"}}]}""");
        var escaped = Key("""{"metrics":[{"n\u0061me":"\u0061\u00e9","value":1,"type":"g\u0061uge","tags":{"\u006b":"\u0076"}}]}""");
        Assert.Equal(plain, escaped);
    }

    [Fact]
    public void Sixty_four_tags_are_sorted_by_the_bytes_of_their_keys()
    {
        var tags = string.Join(",", Enumerable.Range(0, 64).Reverse().Select(i => $"\"k\\u0030{i:00}\":\"{i}\""));
        var key = Key("{\"metrics\":[{\"name\":\"a\",\"value\":1,\"type\":\"gauge\",\"tags\":{" + tags + "}}]}");
        Assert.Equal(Enumerable.Range(0, 64).Select(i => $"k0{i:00}"), SeriesKey.TagList(key).Select(tag => tag.Key));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"metrics":{}}""")]
    [InlineData("""{"metrics":[1]}""")]
    [InlineData("""{"metrics":[{"name":"a","value":1}]}""")]
    [InlineData("""{"metrics":[{"name":"a","value":"1","type":"gauge"}]}""")]
    [InlineData("""{"metrics":[{"name":"a","value":1,"type":"x"}]}""")]
    [InlineData("""{"metrics":[{"name":"a","value":1,"type":"gauge","timestamp":"yesterday"}]}""")]
    [InlineData("""{"metrics":[{"name":"a","value":1,"type":"gauge"}""")]
    [InlineData("""{"batch_timestamp":true,"metrics":[{"name":"a","value":1,"type":"gauge"}]}""")]
    public void A_body_that_intake_refuses_is_not_read_as_something_else(string body) =>
        Assert.ThrowsAny<JsonException>(() => Read(body));

    [Theory]
    [InlineData("0", 0L)]
    [InlineData("-1", -1L)]
    [InlineData("1700000000000", 1_700_000_000_000L)]
    [InlineData("1.7e12", 1_700_000_000_000L)]
    [InlineData("1700000000000.0", 1_700_000_000_000L)]
    [InlineData("253402300799999", 253_402_300_799_999L)]
    [InlineData("\"1700000000000\"", 1_700_000_000_000L)]
    [InlineData("\"2023-11-14T22:13:20Z\"", 1_700_000_000_000L)]
    [InlineData("\"2023-11-14t22:13:20.5z\"", 1_700_000_000_500L)]
    [InlineData("\"2023-11-14T22:13:20.123987654321Z\"", 1_700_000_000_123L)]
    [InlineData("\"2023-11-15T00:13:20+02:00\"", 1_700_000_000_000L)]
    [InlineData("\"2023-11-14T16:43:20-05:30\"", 1_700_000_000_000L)]
    [InlineData("\"2023-11-14T22:13:20\\u005a\"", 1_700_000_000_000L)]
    [InlineData("\"1970-01-01T00:00:00-00:00\"", 0L)]
    [InlineData("\"0000-01-01T00:00:00Z\"", MetricTimestamp.MinUnixMs)]
    [InlineData("\"0004-02-29T00:00:00Z\"", -62_035_891_200_000L)]
    [InlineData("\"9999-12-31T23:59:59.999Z\"", MetricTimestamp.MaxUnixMs)]
    [InlineData("\"2016-12-31T23:59:60Z\"", 1_483_228_800_000L)]
    [InlineData("\"2017-01-01T00:59:60.7+01:00\"", 1_483_228_800_000L)]
    public void Timestamps_are_read_as_Unix_milliseconds(string json, long unixMs)
    {
        Assert.True(TryTimestamp(json, out var read));
        Assert.Equal(unixMs, read);
    }

    [Theory]
    [InlineData("1.5")]
    [InlineData("1e400")]
    [InlineData("1700000000000000000")]
    [InlineData("253402300800000")]
    [InlineData("-62167219200001")]
    [InlineData("\"\"")]
    [InlineData("\"-1\"")]
    [InlineData("\" 1700000000000\"")]
    [InlineData("\"1700000000000.0\"")]
    [InlineData("\"99999999999999999999999999\"")]
    [InlineData("\"yesterday\"")]
    [InlineData("\"2023-11-14\"")]
    [InlineData("\"2023-11-14T22:13:20\"")]
    [InlineData("\"2023-11-14 22:13:20Z\"")]
    [InlineData("\"2023-11-14T22:13Z\"")]
    [InlineData("\"2023-11-14T22:13:20.Z\"")]
    [InlineData("\"2023-11-14T22:13:20+0200\"")]
    [InlineData("\"2023-11-14T22:13:20+24:00\"")]
    [InlineData("\"2023-11-14T22:13:20+02:60\"")]
    [InlineData("\"2023-11-14T22:13:20ZZ\"")]
    [InlineData("\"2023-11-14T24:00:00Z\"")]
    [InlineData("\"2023-11-14T22:60:00Z\"")]
    [InlineData("\"2023-11-14T22:13:60Z\"")]
    [InlineData("\"2016-12-30T23:59:60Z\"")]
    [InlineData("\"2016-12-31T23:59:61Z\"")]
    [InlineData("\"2023-02-29T00:00:00Z\"")]
    [InlineData("\"1900-02-29T00:00:00Z\"")]
    [InlineData("\"2023-00-10T00:00:00Z\"")]
    [InlineData("\"2023-13-10T00:00:00Z\"")]
    [InlineData("\"2023-04-31T00:00:00Z\"")]
    [InlineData("\"2023-04-00T00:00:00Z\"")]
    [InlineData("\"0000-01-01T00:00:00+00:01\"")]
    [InlineData("\"9999-12-31T23:59:59.999-00:01\"")]
    [InlineData("\"9999-12-31T23:59:60Z\"")]
    [InlineData("\"２023-11-14T22:13:20Z\"")]
    [InlineData("\"2023-11-14T22:13:20.0000000000000000000000000000000000000000000000000000000000Z\"")]
    [InlineData("true")]
    [InlineData("null")]
    [InlineData("{}")]
    public void What_is_no_timestamp_is_refused(string json) => Assert.False(TryTimestamp(json, out _));

    private static bool TryTimestamp(string text, out long unixMs)
    {
        var json = new Utf8JsonReader(Encoding.UTF8.GetBytes(text));
        Assert.True(json.Read());
        return MetricTimestamp.TryRead(ref json, out unixMs);
    }

    private static byte[] Key(string body)
    {
        using var reader = new BatchReader(Encoding.UTF8.GetBytes(body), Arrived);
        Assert.True(reader.Read());
        return reader.SeriesKey.ToArray();
    }

    private static List<string> Read(string body)
    {
        var seen = new List<string>();
        using var reader = new BatchReader(Encoding.UTF8.GetBytes(body), Arrived);
        while (reader.Read())
        {
            var key = reader.SeriesKey;
            var words = new List<string> { SeriesKey.TypeName(SeriesKey.Type(key)), Encoding.UTF8.GetString(SeriesKey.Name(key)) };
            words.AddRange(SeriesKey.TagList(key).Select(tag => $"{tag.Key}={tag.Value}"));
            words.Add(reader.Value.ToString(CultureInfo.InvariantCulture));
            words.Add($"@{reader.TimestampUnixMs}");
            seen.Add(string.Join(' ', words));
        }

        return seen;
    }
}
