using System.Diagnostics;
using System.Text;
using MetricStream.Intake;
using Xunit;

namespace MetricStream.Tests.Intake;

public sealed class BatchValidatorTests
{
    [Theory]
    [InlineData("""[]""", "$:wrong_type")]
    [InlineData("""{}""", "metrics:missing")]
    [InlineData("""{"metrics":1}""", "metrics:wrong_type")]
    [InlineData("""{"metrics":[]}""", "metrics:empty")]
    [InlineData("""{"metrics":[1]}""", "0:metrics:wrong_type")]
    [InlineData("""{"metrics":[{}]}""", "0:name:missing 0:value:missing 0:type:missing")]
    [InlineData("""{"metrics":[{"name":1,"value":"1","type":2,"tags":3,"timestamp":[4]}]}""",
        "0:name:wrong_type 0:value:wrong_type 0:type:wrong_type 0:tags:wrong_type 0:timestamp:wrong_type")]
    [InlineData("""{"metrics":[{"name":"","value":1e400,"type":"x","tags":{"":"","k":"\n"},"timestamp":"x"}]}""",
        "0:name:empty 0:value:not_finite 0:type:unknown_type 0:tags:empty 0:tags:empty 0:tags:bad_character 0:timestamp:bad_timestamp")]
    [InlineData("""{"metrics":[{"name":"a","name":"b","value":1,"type":"gauge"},{"name":"a","value":1,"type":"gauge","tags":{"k":"1","k":"2"}}]}""",
        "0:name:repeated 1:tags:repeated")]
    [InlineData("""{"batch_timestamp":null,"client_id":7,"metrics":[{"name":"a","value":1,"type":"gauge"}],"metrics":0}""",
        "batch_timestamp:wrong_type client_id:wrong_type metrics:repeated")]
    [InlineData("""{"batch_timestamp":1.5,"client_id":"a b","metrics":[{"name":"a","value":1,"type":"gauge"}]}""",
        "batch_timestamp:bad_timestamp client_id:bad_character")]
    public void Every_error_is_named_with_its_metric_its_member_and_its_code(string body, string errors)
    {
        var verdict = BatchValidator.Validate(Encoding.UTF8.GetBytes(body), 10_000);
        Assert.Null(verdict.Malformed);
        Assert.Equal(errors, string.Join(' ', verdict.Errors!.Select(e => (e.Index is { } i ? $"{i}:" : "") + $"{e.Field}:{e.Code}")));
        Assert.Equal(verdict.Errors!.Count, verdict.ErrorCount);
    }

    [Fact]
    public void Of_many_errors_the_first_hundred_are_kept_and_all_are_counted()
    {
        var body = $$"""{"metrics":[{{string.Join(',', Enumerable.Repeat("{}", 1000))}}]}""";
        var verdict = BatchValidator.Validate(Encoding.UTF8.GetBytes(body), 10_000);
        Assert.Equal((100, 3000), (verdict.Errors!.Count, verdict.ErrorCount));
    }

    [Fact]
    public void Too_many_metrics_or_tags_are_one_error_each()
    {
        var metrics = BatchValidator.Validate(Encoding.UTF8.GetBytes(ExtremeBodies.Metrics(11)), maxMetrics: 10);
        Assert.Equal([new BatchError(null, "metrics", "too_many")], metrics.Errors);
        var many = string.Join(',', Enumerable.Range(0, 100).Select(i => $"\"k{i}\":\"v\""));
        var tags = BatchValidator.Validate(Encoding.UTF8.GetBytes(ExtremeBodies.Tagged(many)), 10);
        Assert.Equal([new BatchError(0, "tags", "too_many")], tags.Errors);
    }

    [Fact]
    public void Damage_anywhere_wins_over_an_invalid_metric_before_it()
    {
        var verdict = BatchValidator.Validate("""{"metrics":[{"name":1}],"x":tru}"""u8, 10_000);
        Assert.NotNull(verdict.Malformed);
        Assert.Null(verdict.Errors);
    }

    [Fact]
    public void The_number_of_metrics_and_the_client_are_told_and_a_good_body_allocates_nothing()
    {
        var body = Encoding.UTF8.GetBytes("""
            {"client_id":"c-1","batch_timestamp":"2023-11-14T22:13:20Z","metrics":[
            {"name":"cpu_usage","value":45.2,"type":"gauge","tags":{"host":"server01","zone":"é"},"timestamp":1700000000000},
            {"name":"memory_usage","value":78.9,"type":"gauge"},{"name":"requests_total","value":1024,"type":"counter","x":[1,{"y":"\n"}]}]}
            """);
        for (var i = 0; i < 100; i++)
            Validate(body);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            Validate(body);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static void Validate(byte[] body)
        {
            var verdict = BatchValidator.Validate(body, 10_000);
            if (verdict.MetricCount != 3 || verdict.Malformed is not null || verdict.Errors is not null || !verdict.ClientId.SequenceEqual("c-1"u8))
                throw new InvalidOperationException($"Three metrics of c-1 were expected: {verdict.MetricCount} {verdict.Malformed}");
        }
    }

    [Fact]
    public void The_costliest_bodies_within_the_limit_stay_linear()
    {
        var escapedTags = string.Join(',', Enumerable.Range(0, 64).Select(i => $"\"\\u006b{i:00}\":\"v\""));
        var metric = "{\"name\":\"a\",\"value\":1,\"type\":\"gauge\",\"tags\":{" + escapedTags + "}}";
        string[] bodies =
        [
            $$"""{"metrics":[{{string.Join(',', Enumerable.Repeat(metric, 10_000))}}]}""",
            ExtremeBodies.Valued("1" + new string('0', 8_000_000)),
            ExtremeBodies.Valued("0." + new string('0', 8_000_000) + "1"),
            ExtremeBodies.With($"\"timestamp\":{new string('9', 8_000_000)}"),
            ExtremeBodies.Named(string.Concat(Enumerable.Repeat("\\u0061", 1_300_000))),
        ];
        foreach (var body in bodies)
        {
            var bytes = Encoding.UTF8.GetBytes(body);
            var started = Stopwatch.GetTimestamp();
            var verdict = BatchValidator.Validate(bytes, 10_000);
            var spent = Stopwatch.GetElapsedTime(started);
            Assert.Null(verdict.Malformed);
            // Quadratic work would take minutes; the margin is for a busy machine and code that is not optimised yet.
            Assert.True(spent < TimeSpan.FromSeconds(10), $"{body[..60]}... took {spent}");
        }
    }
}
