using System.CommandLine;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Settings;
using EvenKeel.Testing.Cluster;
using MetricStream.Kafka;
using MetricStream.Load;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace MetricStream.Tests.Load;

public sealed class LoadComparisonTests
{
    private static readonly OwnServerCommand Server = new(Path.Combine(AppContext.BaseDirectory, "MetricStream"), []);

    [Fact]
    public async Task Each_queue_gets_a_server_of_its_own_the_same_load_and_a_line_with_every_batch_found()
    {
        await using var broker = EmbeddedBroker.Start();
        var (exit, output, errors) = await RunAsync(new ComparisonOptions(
            ["file", "kafka"], [2], Requests: 5, Metrics: 3, TimeSpan.FromSeconds(60), ["--bootstrap-servers", broker.BootstrapServers], Cluster: null));

        Assert.Equal((0, ""), (exit, errors));
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["queue", "file", "kafka"], lines.Select(line => line.Split(' ')[0]));
        Assert.All(lines[1..], line => Assert.EndsWith("all 10", line, StringComparison.Ordinal));
        Assert.All(lines[1..], line => Assert.Contains("100.00 %", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_that_does_not_start_ends_the_comparison_with_what_it_said()
    {
        var (exit, _, errors) = await RunAsync(new ComparisonOptions(
            ["kafka"], [2], Requests: 5, Metrics: 3, TimeSpan.FromSeconds(60), ["--bootstrap-servers", "b:1", "--role", "half"], Cluster: null));

        Assert.Equal(2, exit);
        Assert.Contains("--role is 'half'", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_topic_is_removed_afterwards_and_one_that_was_never_made_is_no_fault()
    {
        Assert.SkipWhen(
            string.IsNullOrEmpty(Environment.GetEnvironmentVariable(TestBroker.AddressVariable)),
            $"No real broker: {TestBroker.AddressVariable} is not set, and the embedded one removes no topics.");
        var cancellation = TestContext.Current.CancellationToken;
        await using var broker = TestBroker.Start();
        var options = new KafkaOptions
        {
            Client = new KafkaSettings { BootstrapServers = broker.BootstrapServers },
            Topic = $"metrics-removal-{Guid.NewGuid():n}",
        };
        await using var survey = new TopicSurvey(options, TimeProvider.System, NullLogger.Instance);
        survey.Start();
        await survey.Known;
        Assert.NotEmpty(await survey.AskIdAsync(cancellation));

        await TopicRemoval.RemoveAsync(options, [options.Topic, options.DeadLetters], cancellation);

        var gone = await Assert.ThrowsAsync<KafkaException>(() => survey.AskIdAsync(cancellation));
        Assert.Equal(KafkaErrorCode.UnknownTopicOrPartition, gone.Code);
    }

    [Fact]
    public void Counters_of_a_server_among_others_are_at_rest_with_what_others_stored()
    {
        var counters = new ServerCounters(10, 8, 0, 0, 1, 0, 0) { HandedIn = 3, HandedOver = 4 };
        Assert.Equal(0, counters.Missing);
        Assert.Contains("+ handed in 3 - handed over 4 =", counters.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, (counters with { HandedOver = 3 }).Missing);
    }

    [Theory]
    [InlineData("address is missing")]
    [InlineData("names no queues", "--compare", "file,x")]
    [InlineData("needs --bootstrap-servers", "--compare", "file,kafka")]
    [InlineData("no-such.thing", "--compare", "kafka", "--bootstrap-servers", "b:1", "--kafka-property", "no-such.thing=1")]
    [InlineData("starts its own", "http://127.0.0.1:1", "--compare", "file")]
    [InlineData("--clients 0 is out of range", "--compare", "file", "--clients", "0")]
    public async Task A_comparison_that_cannot_be_made_is_a_usage_error(string message, params string[] words)
    {
        await using var errors = new StringWriter();
        var exit = await LoadCommand.Create(TextWriter.Null, errors, isTerminal: false).Parse(words)
            .InvokeAsync(new(), TestContext.Current.CancellationToken);

        Assert.Equal(2, exit);
        Assert.Contains(message, errors.ToString(), StringComparison.Ordinal);
    }

    private static async Task<(int Exit, string Output, string Errors)> RunAsync(ComparisonOptions options)
    {
        await using var output = new StringWriter();
        await using var errors = new StringWriter();
        var exit = await new LoadComparison(options, Server, output, errors).RunAsync(TestContext.Current.CancellationToken);
        return (exit, output.ToString(), errors.ToString());
    }
}
