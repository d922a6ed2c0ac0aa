using EvenKeel.Kafka.Settings;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace EvenKeel.Kafka.Tests.Settings;

public sealed class KafkaSettingsTests
{
    private static readonly KafkaSettings Local = new() { BootstrapServers = "localhost:9092" };

    [Fact]
    public void The_defaults_are_those_of_the_field_and_reach_each_kind_of_client()
    {
        var consumer = Local.ForConsumer().ThrowIfViolated();
        var producer = Local.ForProducer().ThrowIfViolated();

        Assert.Equal(
            ("45000", "10000", "40000"),
            (consumer.Properties["session.timeout.ms"], consumer.Properties["heartbeat.interval.ms"], consumer.Properties["socket.timeout.ms"]));
        Assert.Equal("40000", producer.Options.Properties["request.timeout.ms"]);
        Assert.Equal("40000", Local.ForAdmin().ThrowIfViolated().Properties["socket.timeout.ms"]);
        Assert.False(consumer.Properties.ContainsKey("request.timeout.ms"));
        Assert.Equal(("localhost:9092", "localhost:9092"), (consumer.BootstrapServers, producer.Options.BootstrapServers));
        Assert.Empty(consumer.Notes.Concat(producer.Notes));
    }

    [Fact]
    public void The_variables_are_read_and_win_over_the_section_of_the_same_source()
    {
        var settings = KafkaSettings.Read(Configuration(
            ("Kafka:BootstrapServers", "section:1"), ("KAFKA_BOOTSTRAP_SERVERS", "variable:1"), ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
            ("KAFKA_HEARTBEAT_INTERVAL_MS", "2000"), ("Kafka:RequestTimeoutMs", "5000"), ("Kafka:Properties:client.id", "me"),
            ("Kafka:ProducerProperties:compression.type", "lz4"), ("Kafka:ConsumerProperties:group.id", "ours")));

        Assert.Empty(settings.Validate());
        Assert.Equal("variable:1", settings.BootstrapServers);
        Assert.Equal(
            (TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(5)),
            (settings.SessionTimeout, settings.HeartbeatInterval, settings.RequestTimeout));
        Assert.Equal(("me", "lz4"), (settings.ForProducer().Options.Properties["client.id"], settings.ForProducer().Options.Properties["compression.type"]));
        Assert.Equal(("me", "ours"), (settings.ForConsumer().Properties["client.id"], settings.ForConsumer().Properties["group.id"]));
    }

    [Fact]
    public void The_source_added_last_wins_whatever_its_names()
    {
        var settings = KafkaSettings.Read(new ConfigurationBuilder()
            .AddInMemoryCollection([new("KAFKA_BOOTSTRAP_SERVERS", "environment:1")])
            .AddInMemoryCollection([new("Kafka:BootstrapServers", "command-line:1")])
            .Build());

        Assert.Equal("command-line:1", settings.BootstrapServers);
    }

    [Fact]
    public void All_violations_are_named_at_once_with_setting_value_and_fix()
    {
        var violations = KafkaSettings.Read(Configuration(
            ("KAFKA_BOOTSTRAP_SERVERS", ""), ("KAFKA_SESSION_TIMEOUT_MS", "6000"), ("KAFKA_HEARTBEAT_INTERVAL_MS", "50000"),
            ("KAFKA_REQUEST_TIMEOUT_MS", "6000"), ("Kafka:Properties:linger.msec", "5"), ("Kafka:BootstrapServer", "x:1"),
            ("Kafka:ProducerProperties:acks", "0"), ("Kafka:ProducerProperties:queue.buffering.max.messages", "0"),
            ("Kafka:ProducerProperties:batch.size", "2000000"), ("Kafka:ProducerProperties:socket.timeout.ms", "200000"),
            ("Kafka:ProducerProperties:group.id", "g"), ("Kafka:ConsumerProperties:linger.ms", "5"),
            ("Kafka:ConsumerProperties:fetch.min.bytes", "-1"))).Validate();

        Named("KAFKA_BOOTSTRAP_SERVERS", "''", "host:port");
        Named("KAFKA_HEARTBEAT_INTERVAL_MS", "'50000'", "at most 2000");
        Named("KAFKA_REQUEST_TIMEOUT_MS", "'6000'", "below 6000");
        Named("Properties:linger.msec", "'5'", "did you mean 'linger.ms'");
        Named("Kafka:BootstrapServer ", "did you mean Kafka:BootstrapServers");
        Named("ProducerProperties:acks", "'0'", "leave it out");
        Named("ProducerProperties:queue.buffering.max.messages", "'0'", "MaxRecords");
        Named("ProducerProperties:batch.size", "'2000000'", "raise MaxRecordBytes");
        Named("ProducerProperties:socket.timeout.ms", "'200000'", "raise DeliveryTimeout");
        Named("ProducerProperties:group.id", "'g'", "ConsumerProperties");
        Named("ConsumerProperties:linger.ms", "'5'", "ProducerProperties");
        Named("ConsumerProperties:fetch.min.bytes", "'-1'", "outside allowed range");
        Assert.Equal(12, violations.Count);

        void Named(params string[] parts) =>
            Assert.Contains(violations, violation => parts.All(part => violation.Contains(part, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("KAFKA_SESSION_TIMEOUT_MS", "soon", "milliseconds")]
    [InlineData("KAFKA_SESSION_TIMEOUT_MS", "0", "milliseconds")]
    [InlineData("KAFKA_SESSION_TIMEOUT_MS", "4000000", "outside allowed range")]
    [InlineData("KAFKA_SESSION_TIMEOUT_MS", "400000", "max.poll.interval.ms")]
    [InlineData("KAFKA_HEARTBEAT_INTERVAL_MS", "15001", "45000 by default")]
    [InlineData("KAFKA_REQUEST_TIMEOUT_MS", "45000", "45000 by default")]
    [InlineData("KAFKA_REQUEST_TIMEOUT_MS", "-5", "milliseconds")]
    [InlineData("KAFKA_BOOTSTRAP_SERVERS", "a:1,,b:2", "none of them empty")]
    [InlineData("KAFKA_BOOTSTRAP_SERVERS", "a:1,b:x", "'b:x' has no port")]
    [InlineData("KAFKA_BOOTSTRAP_SERVERS", "a:70000", "'a:70000' has no port")]
    [InlineData("Kafka:linger.ms", "5", "Kafka:Properties")]
    [InlineData("Kafka:Properties:sasl:password", "x", "in one piece")]
    [InlineData("Kafka:Properties:quite.another.thing", "x", "nor one of a similar name")]
    [InlineData("Kafka:Properties:enable.idempotence", "false", "leave it out")]
    [InlineData("Kafka:Properties:partitioner", "random", "Java's clients")]
    [InlineData("Kafka:Properties:transactional.id", "t", "no transactions")]
    [InlineData("Kafka:Properties:message.timeout.ms", "0", "never has an outcome")]
    [InlineData("Kafka:Properties:max.in.flight", "6", "at most 5 requests in flight")]
    [InlineData("Kafka:Properties:request.timeout.ms", "130000", "raise DeliveryTimeout")]
    [InlineData("Kafka:Properties:reconnect.backoff.ms", "20000", "reconnect.backoff.max.ms, 10000")]
    [InlineData("Kafka:Properties:linger.ms", "700000", "less than DeliveryTimeout")]
    [InlineData("Kafka:Properties:security.protocol", "tls", "Invalid value")]
    public void One_wrong_setting_is_one_violation(string key, string value, string said)
    {
        var configuration = Configuration(("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"), (key, value));

        Assert.Contains(said, Assert.Single(KafkaSettings.Read(configuration).Validate()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("a:1, b:2")]
    [InlineData("[::1]:9092,[::1]")]
    [InlineData("PLAINTEXT://a:9092")]
    public void Every_way_to_name_a_broker_is_valid(string servers) => Assert.Empty((Local with { BootstrapServers = servers }).Validate());

    [Fact]
    public void A_default_that_clashes_with_what_was_set_is_lowered_and_noted()
    {
        var consumer = (Local with { SessionTimeout = TimeSpan.FromSeconds(6) }).ForConsumer().ThrowIfViolated();
        var producer = Local
            .ForProducer(options => options with { DeliveryTimeout = TimeSpan.FromSeconds(20), MaxRecordBytes = 5000 })
            .ThrowIfViolated();

        Assert.Equal(("2000", "5000"), (consumer.Properties["heartbeat.interval.ms"], consumer.Properties["socket.timeout.ms"]));
        Assert.Equal(
            ("20000", "20000", "5000"),
            (producer.Options.Properties["request.timeout.ms"], producer.Options.Properties["socket.timeout.ms"],
                producer.Options.Properties["batch.size"]));
        Assert.Contains(consumer.Notes, note => note.Contains("heartbeat.interval.ms, 10000, is lowered to 2000", StringComparison.Ordinal));
        Assert.Contains(producer.Notes, note => note.Contains("socket.timeout.ms, 60000, is lowered to 20000", StringComparison.Ordinal));
        Assert.Equal((2, 3), (consumer.Notes.Count, producer.Notes.Count));
    }

    [Fact]
    public void With_the_brokers_group_protocol_session_and_heartbeat_are_not_passed_and_the_notes_say_so()
    {
        var settings = Local with
        {
            SessionTimeout = TimeSpan.FromSeconds(6),
            HeartbeatInterval = TimeSpan.FromSeconds(2),
            ConsumerProperties = new Dictionary<string, string> { ["group.protocol"] = "consumer" },
        };

        var consumer = settings.ForConsumer().ThrowIfViolated();

        Assert.False(consumer.Properties.ContainsKey("session.timeout.ms") || consumer.Properties.ContainsKey("heartbeat.interval.ms"));
        Assert.Contains(consumer.Notes, note => note.Contains("KAFKA_SESSION_TIMEOUT_MS", StringComparison.Ordinal));
        Assert.Contains(consumer.Notes, note => note.Contains("KAFKA_HEARTBEAT_INTERVAL_MS", StringComparison.Ordinal));
    }

    [Fact]
    public void Librdkafkas_names_set_the_producers_options_and_its_promises_may_be_said()
    {
        var settings = Local with
        {
            Properties = new Dictionary<string, string>
            {
                ["acks"] = "all",
                ["enable.idempotence"] = "true",
                ["queue.buffering.max.ms"] = "3",
                ["delivery.timeout.ms"] = "60000",
                ["message.max.bytes"] = "2000000",
                ["batch.num.messages"] = "7",
                ["queue.buffering.max.messages"] = "50",
                ["queue.buffering.max.kbytes"] = "4096",
                ["retries"] = "9",
                ["retry.backoff.ms"] = "11",
                ["group.id"] = "consumers-only",
            },
        };

        var options = settings.ForProducer(options => options with { BatchRecords = 8 }).ThrowIfViolated().Options;

        Assert.Equal(
            (TimeSpan.FromMilliseconds(3), TimeSpan.FromMinutes(1), 2_000_000, 8),
            (options.Linger, options.DeliveryTimeout, options.MaxRecordBytes, options.BatchRecords));
        Assert.Equal(
            (50, 4L << 20, 9, TimeSpan.FromMilliseconds(11)), (options.MaxRecords, options.MaxBytes, options.Retries, options.RetryBackoff));
        Assert.Equal(["request.timeout.ms", "socket.timeout.ms"], options.Properties.Keys.Order());
    }

    [Fact]
    public void Code_has_the_last_word_and_its_properties_are_checked_as_well()
    {
        var settings = Local with { Properties = new Dictionary<string, string> { ["client.id"] = "one" } };

        var producer = settings.ForProducer(options => options with
        {
            Properties = new Dictionary<string, string> { ["client.id"] = "two", ["group.id"] = "g", ["clientid"] = "three" },
        });

        Assert.Equal("two", producer.Options.Properties["client.id"]);
        Assert.Contains(producer.Violations, violation => violation.Contains("['group.id'] is 'g'", StringComparison.Ordinal));
        Assert.Contains(producer.Violations, violation => violation.Contains("did you mean 'client.id'", StringComparison.Ordinal));
        Assert.Equal(2, producer.Violations.Count);
    }

    [Fact]
    public void A_value_set_twice_under_two_names_is_a_violation_and_a_clients_own_wins_over_the_general()
    {
        var twice = Local with
        {
            Properties = new Dictionary<string, string> { ["sasl.mechanism"] = "PLAIN", ["sasl.mechanisms"] = "SCRAM-SHA-256" },
        };
        var own = Local with
        {
            Properties = new Dictionary<string, string> { ["client.id"] = "all" },
            ProducerProperties = new Dictionary<string, string> { ["client.id"] = "producer" },
        };

        Assert.Contains("set one of them", Assert.Single(twice.Validate()), StringComparison.Ordinal);
        Assert.Equal(
            ("producer", "all"),
            (own.ForProducer().ThrowIfViolated().Options.Properties["client.id"], own.ForConsumer().ThrowIfViolated().Properties["client.id"]));
    }

    [Fact]
    public void A_password_is_never_shown()
    {
        var settings = Local with
        {
            ProducerProperties = new Dictionary<string, string> { ["sasl.pasword"] = "hunter2" },
            ConsumerProperties = new Dictionary<string, string> { ["ssl.key.pem"] = "hunter2", ["ssl_key"] = "hunter2" },
            Properties = new Dictionary<string, string> { ["sasl.oauthbearer.client.secret"] = "hunter2", ["sasl.oauthbearer.client.credentials.client.secret"] = "hunter3" },
        };

        var text = new KafkaSettingsException(settings.Validate()).Message;

        Assert.NotEmpty(settings.Validate());
        Assert.DoesNotContain("hunter", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Violated_settings_make_no_client_and_the_refusal_names_all_of_them()
    {
        var settings = new KafkaSettings { RequestTimeout = TimeSpan.FromMinutes(2) };

        var refused = Assert.Throws<KafkaSettingsException>(() => settings.ForConsumer().ThrowIfViolated());

        Assert.Equal(2, refused.Violations.Count);
        Assert.All(refused.Violations, violation => Assert.Contains(violation, refused.Message, StringComparison.Ordinal));
    }

    private static IConfigurationRoot Configuration(params (string Key, string Value)[] values) =>
        new ConfigurationBuilder()
            .AddInMemoryCollection(values.ToLookup(entry => entry.Key, entry => entry.Value).ToDictionary(group => group.Key, group => (string?)group.Last()))
            .Build();
}
