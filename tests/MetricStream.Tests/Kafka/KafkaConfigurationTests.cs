using MetricStream.Kafka;
using MetricStream.Serving;
using Xunit;

namespace MetricStream.Tests.Kafka;

public sealed class KafkaConfigurationTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-kafka-settings-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_group_is_the_one_of_the_store_unless_it_is_named()
    {
        var (standard, _) = Read([("Queue", "kafka"), ("BootstrapServers", "b:1")]);
        var (named, _) = Read([("Queue", "kafka"), ("BootstrapServers", "b:1"), ("Group", "mine")]);
        var (_, violations) = Read([("Queue", "kafka"), ("BootstrapServers", "b:1"), ("Group", " ")]);

        Assert.Equal("metricstream-store", standard!.Kafka!.Member("s").GroupId);
        Assert.Equal("mine", named!.Kafka!.Member("s").GroupId);
        Assert.Contains(violations, violation => violation.StartsWith("--group is ' '", StringComparison.Ordinal));
    }

    [Fact]
    public void Kafka_has_the_defaults_of_the_contract()
    {
        var (settings, violations) = Read([("Queue", "kafka"), ("Role", "intake"), ("BootstrapServers", "b:9092")]);

        Assert.Empty(violations);
        Assert.Equal(("metrics", 4, ServerRole.Intake), (settings!.Kafka!.Topic, settings.Kafka.Partitions, settings.Kafka.Role));
        Assert.Equal("b:9092", settings.Kafka.Client.BootstrapServers);
    }

    [Fact]
    public void Kafka_without_a_cluster_is_refused_and_every_other_violation_is_named_with_it()
    {
        var (settings, violations) = Read(
            [("Queue", "kafka"), ("Role", "half"), ("Topic", "a/b"), ("Partitions", "0"), ("KafkaProperty:linger.msx", "5")]);

        Assert.Null(settings);
        Assert.Contains(violations, v => v.StartsWith("--bootstrap-servers is missing", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.StartsWith("--role is 'half': use all or intake or store", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.StartsWith("--topic is 'a/b'", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.StartsWith("--partitions is '0'", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.Contains("--kafka-property linger.msx", StringComparison.Ordinal)
            && v.Contains("linger.ms", StringComparison.Ordinal));
    }

    [Fact]
    public void Options_of_Kafka_with_a_file_queue_are_refused_by_name_but_the_variables_of_other_services_are_not()
    {
        var (_, violations) = Read([("BootstrapServers", "b:1"), ("Topic", "t"), ("KafkaProperty:a", "b")]);

        Assert.Equal(3, violations.Count);
        Assert.Contains(violations, v => v.StartsWith("--bootstrap-servers is for --queue kafka", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.StartsWith("--topic is for --queue kafka", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.StartsWith("--kafka-property is for --queue kafka", StringComparison.Ordinal));
        Assert.Empty(Read([], [("KAFKA_BOOTSTRAP_SERVERS", "b:1"), ("KAFKA_SESSION_TIMEOUT_MS", "x")]).Violations);
    }

    [Fact]
    public void The_command_line_wins_over_our_variables_over_those_of_Kafka_over_the_file()
    {
        File.WriteAllText(Path.Combine(_folder, "appsettings.json"),
            """{"MetricStream":{"BootstrapServers":"file:1","KafkaProperty":{"linger.ms":"1","client.id":"file"}}}""");
        (string, string)[] kafka = [("Queue", "kafka"), ("Role", "intake")];

        Assert.Equal("file:1", Servers([], []));
        Assert.Equal("kafka:1", Servers([], [("KAFKA_BOOTSTRAP_SERVERS", "kafka:1")]));
        Assert.Equal("ours:1", Servers([], [("KAFKA_BOOTSTRAP_SERVERS", "kafka:1"), ("METRICSTREAM__BOOTSTRAPSERVERS", "ours:1")]));
        Assert.Equal("line:1", Servers([("BootstrapServers", "line:1")], [("METRICSTREAM__BOOTSTRAPSERVERS", "ours:1")]));
        (string, string)[] ours = [("METRICSTREAM__KAFKAPROPERTY__0", "linger.ms=2")];
        var properties = Read(kafka, ours).Settings!.Kafka!.Client.Properties;
        Assert.Equal(("2", "file"), (properties["linger.ms"], properties["client.id"]));
        Assert.Equal("3", Read([.. kafka, ("KafkaProperty:linger.ms", "3")], ours).Settings!.Kafka!.Client.Properties["linger.ms"]);

        string? Servers((string, string)[] line, (string, string)[] environment) =>
            Read([.. kafka, .. line], environment).Settings!.Kafka!.Client.BootstrapServers;
    }

    [Fact]
    public void A_file_of_properties_gives_way_to_properties_named_one_by_one_and_a_bad_line_is_named()
    {
        var file = Path.Combine(_folder, "client.properties");
        File.WriteAllText(file, "# ours\nlinger.ms=7\nclient.id = x\n");
        var (settings, violations) = Read(
            [("Queue", "kafka"), ("Role", "intake"), ("BootstrapServers", "b:1"), ("KafkaProperties", file), ("KafkaProperty:linger.ms", "9")]);
        Assert.Empty(violations);
        Assert.Equal(("9", "x"), (settings!.Kafka!.Client.Properties["linger.ms"], settings.Kafka.Client.Properties["client.id"]));

        File.WriteAllText(file, "no equals sign");
        (_, violations) = Read([("Queue", "kafka"), ("Role", "intake"), ("BootstrapServers", "b:1"), ("KafkaProperties", file)]);
        Assert.Contains("'no equals sign' is not name=value", Assert.Single(violations), StringComparison.Ordinal);
        (_, violations) = Read([("Queue", "kafka"), ("Role", "intake"), ("BootstrapServers", "b:1"), ("KafkaProperties", file + "x")]);
        Assert.Contains("cannot be read", Assert.Single(violations), StringComparison.Ordinal);
    }

    [Fact]
    public void A_role_that_stores_without_a_store_is_refused_and_with_one_every_role_is_taken()
    {
        (string, string)[] kafka = [("Queue", "kafka"), ("BootstrapServers", "b:1")];

        Assert.Contains("--role store with --store none does nothing",
            Assert.Single(Read([.. kafka, ("Role", "store"), ("Store", "none")]).Violations), StringComparison.Ordinal);
        Assert.Equal(ServerRole.All, Read(kafka).Settings!.Kafka!.Role);
        Assert.Equal(ServerRole.Store, Read([.. kafka, ("Role", "store")]).Settings!.Kafka!.Role);
        Assert.Empty(Read([.. kafka, ("Store", "none")]).Violations);
    }

    private (ServeSettings? Settings, IReadOnlyList<string> Violations) Read(
        (string Key, string Value)[] commandLine, (string Key, string Value)[]? environment = null) =>
        ServeConfiguration.Read(
            commandLine.ToDictionary(e => e.Key, e => (string?)e.Value), _folder, (environment ?? []).ToDictionary(e => e.Key, e => e.Value));
}
