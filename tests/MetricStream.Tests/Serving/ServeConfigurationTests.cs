using System.Net;
using MetricStream.Serving;
using Xunit;

namespace MetricStream.Tests.Serving;

public sealed class ServeConfigurationTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-settings-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Nothing_said_gives_the_defaults_of_the_contract()
    {
        var (settings, violations) = Read();

        Assert.Empty(violations);
        Assert.NotNull(settings);
        Assert.Equal(IPAddress.Loopback, settings.Host);
        Assert.Equal(8090, settings.Port);
        Assert.Equal("./metricstream-data", settings.Data);
        Assert.Equal(QueueKind.File, settings.Queue);
        Assert.Equal(StoreKind.Sqlite, settings.Store);
        Assert.Equal(TimeSpan.FromDays(30), settings.Retention);
        Assert.Equal(TimeSpan.FromHours(24), settings.IdWindow);
        Assert.Equal(10L << 30, settings.MaxQueueBytes);
        Assert.Equal(32 << 20, settings.MaxBodyBytes);
        Assert.Equal(10, settings.SseConsumerPoolSize);
    }

    [Fact]
    public void The_command_line_wins_over_the_environment_over_the_file()
    {
        WriteFile("""{"MetricStream":{"Port":1001,"Data":"from-file","IdWindow":"1h"}}""");

        var (settings, violations) = Read(
            commandLine: [("Port", "1003")],
            environment: [("METRICSTREAM__PORT", "1002"), ("METRICSTREAM__DATA", "from-environment"), ("UNRELATED", "x")]);

        Assert.Empty(violations);
        Assert.Equal((1003, "from-environment", TimeSpan.FromHours(1)), (settings!.Port, settings.Data, settings.IdWindow));
    }

    [Fact]
    public void The_pool_of_stream_readers_is_known_by_its_name_in_other_servers_too()
    {
        WriteFile("""{"MetricStream":{"SseConsumerPoolSize":7}}""");

        Assert.Equal(7, Read().Settings!.SseConsumerPoolSize);
        Assert.Equal(1, Read(environment: [("SSE_CONSUMER_POOL_SIZE", "1")]).Settings!.SseConsumerPoolSize);
        Assert.Equal(2, Read(environment: [("SSE_CONSUMER_POOL_SIZE", "1"), ("METRICSTREAM__SSECONSUMERPOOLSIZE", "2")]).Settings!.SseConsumerPoolSize);
        var (_, violations) = Read(environment: [("SSE_CONSUMER_POOL_SIZE", "none")]);
        Assert.Contains("--sse-consumer-pool-size is 'none': use a whole number from 1", Assert.Single(violations), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_violation_is_named_at_once_with_its_value_and_the_fix()
    {
        var (settings, violations) = Read(
            commandLine: [("Port", "70000"), ("Retention", "5x"), ("MaxQueueBytes", "1KiB"), ("Queue", "kafkaa"), ("Store", "oracle")],
            environment: [("METRICSTREAM__MAXBODYBYTES", "0"), ("METRICSTREAM__INSECURE", "perhaps")]);

        Assert.Null(settings);
        Assert.Equal(7, violations.Count);
        Assert.Contains(violations, v => v.Contains("--port is '70000'", StringComparison.Ordinal) && v.Contains("0 to 65535", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.Contains("--retention: '5x'", StringComparison.Ordinal) && v.Contains("90s", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.Contains("--max-queue-bytes is '1KiB'", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.Contains("--queue is 'kafkaa': use file or kafka", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.Contains("--store is 'oracle': use sqlite or postgres or none", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.Contains("--max-body-bytes is '0'", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.Contains("--insecure is 'perhaps'", StringComparison.Ordinal));
    }

    [Fact]
    public void A_misspelt_setting_is_refused_by_name()
    {
        var (settings, violations) = Read(environment: [("METRICSTREAM__PROT", "9000")]);

        Assert.Null(settings);
        Assert.Contains("'MetricStream:PROT' is no setting of this version", Assert.Single(violations), StringComparison.Ordinal);
    }

    [Fact]
    public void One_setting_under_two_names_that_differ_by_case_is_refused()
    {
        var (settings, violations) = Read(environment: [("METRICSTREAM__PORT", "9000"), ("METRICSTREAM__Port", "9001")]);

        Assert.Null(settings);
        Assert.Contains("METRICSTREAM__PORT and METRICSTREAM__Port", Assert.Single(violations), StringComparison.Ordinal);
    }

    [Fact]
    public void A_setting_that_has_parts_instead_of_a_value_is_refused()
    {
        WriteFile("""{"MetricStream":{"Port":[9000]}}""");

        var (settings, violations) = Read(environment: [("METRICSTREAM__DATA__FOLDER", "x")]);

        Assert.Null(settings);
        Assert.Contains(violations, v => v.Contains("'MetricStream:Port:0' is no setting: give --port one value", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.Contains("'MetricStream:DATA:FOLDER' is no setting", StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("*")]
    [InlineData("::")]
    [InlineData("192.0.2.1")]
    public void An_address_that_others_reach_needs_the_word_insecure(string host)
    {
        var (refused, violations) = Read(commandLine: [("Host", host)]);
        var (settings, _) = Read(commandLine: [("Host", host), ("Insecure", "true")]);

        Assert.Null(refused);
        Assert.Contains("--insecure", Assert.Single(violations), StringComparison.Ordinal);
        Assert.Contains("--api-keys", violations[0], StringComparison.Ordinal);
        Assert.NotNull(settings);
        File.WriteAllText(Path.Combine(_folder, "keys"), "agent:" + new string('a', 64));
        Assert.Empty(Read(commandLine: [("Host", host), ("ApiKeys", "keys")]).Violations);
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("127.0.0.2")]
    [InlineData("[::1]")]
    public void Loopback_needs_no_more_words(string host) => Assert.Empty(Read(commandLine: [("Host", host)]).Violations);

    [Fact]
    public void A_host_name_that_is_no_address_is_refused() =>
        Assert.Contains("--host is 'example'", Assert.Single(Read(commandLine: [("Host", "example")]).Violations), StringComparison.Ordinal);

    [Fact]
    public void A_file_that_is_no_json_is_named()
    {
        WriteFile("{ port 1 }");

        Assert.Contains("appsettings.json", Assert.Single(Read().Violations), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("MaxQueueBytes", "max-queue-bytes")]
    [InlineData("Port", "port")]
    [InlineData("IdWindow", "id-window")]
    public void A_setting_has_one_name_in_two_spellings(string key, string option)
    {
        Assert.Equal(option, OptionNames.ToOption(key));
        Assert.Equal(key, OptionNames.ToKey("--" + option));
    }

    [Fact]
    public void PostgreSQL_needs_to_be_said_where_and_nothing_else_takes_it()
    {
        Assert.Contains("--postgres is missing", Assert.Single(Read([("Store", "postgres")]).Violations), StringComparison.Ordinal);
        Assert.Contains("--postgres is for --store postgres", Assert.Single(Read([("Postgres", "Host=x")]).Violations), StringComparison.Ordinal);
        var (settings, violations) = Read([("Store", "postgres"), ("Postgres", "Host=x")]);
        Assert.Empty(violations);
        Assert.Equal((StoreKind.Postgres, "Host=x"), (settings!.Store, settings.Postgres));
    }

    [Fact]
    public void Every_bad_line_of_a_key_file_is_named_beside_what_else_is_wrong()
    {
        File.WriteAllLines(Path.Combine(_folder, "keys"), ["agent:" + new string('a', 64), "one", "two:three"]);

        var (settings, violations) = Read(commandLine: [("ApiKeys", "keys"), ("RateLimit", "-1"), ("Port", "x")]);

        Assert.Null(settings);
        Assert.Equal(4, violations.Count);
        Assert.Contains(violations, v => v.Contains("--api-keys 'keys', line 2: write it as", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.Contains("--api-keys 'keys', line 3: what stands for the key", StringComparison.Ordinal));
        Assert.Contains(violations, v => v.Contains("--rate-limit is '-1': use a whole number from 1", StringComparison.Ordinal));
    }

    [Fact]
    public void A_key_file_that_is_not_there_is_named()
    {
        var (settings, violations) = Read(commandLine: [("ApiKeys", "none")]);

        Assert.Null(settings);
        Assert.Contains("--api-keys is 'none': it cannot be read", Assert.Single(violations), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("off", 0)]
    [InlineData("5", 5)]
    public void A_rate_limit_is_a_number_or_off(string text, int perSecond) =>
        Assert.Equal(perSecond, Read(commandLine: [("RateLimit", text)]).Settings!.RateLimit);

    [Fact]
    public void An_endpoint_of_Kestrels_section_that_others_reach_needs_keys_or_the_word_insecure_too()
    {
        WriteFile("""{"Kestrel":{"Endpoints":{"A":{"Url":"https://0.0.0.0:1"},"B":{"Url":"https://127.0.0.1:2"},"C":{"Url":"http://*:3"}}}}""");

        var (settings, violations) = Read(environment: [("Kestrel__Endpoints__D__Url", "https://[::]:4")]);

        Assert.Null(settings);
        Assert.Equal(["https://0.0.0.0:1", "http://*:3", "https://[::]:4"], violations.Select(v => v.Split('\'')[1]));
        Assert.NotNull(Read(commandLine: [("Insecure", "true")]).Settings!.Kestrel);
    }

    [Fact]
    public void Limits_of_Kestrel_that_are_none_are_named()
    {
        var (_, violations) = Read(environment: [("Kestrel__Limits__RequestHeadersTimeout", "soon"), ("METRICSTREAM__PORT", "x")]);

        Assert.Equal(2, violations.Count);
        Assert.Contains(violations, v => v.Contains("Kestrel:Limits:RequestHeadersTimeout", StringComparison.Ordinal) && v.Contains("soon", StringComparison.Ordinal));
        Assert.Single(Read(environment: [("Kestrel__Limits__MaxConcurrentConnections", "-1")]).Violations);
    }

    [Theory]
    [InlineData(10_000, 65_536, 10_000)]
    [InlineData(10_000, 1024, 768)]
    [InlineData(10_000, 100, 50)]
    [InlineData(20, 1024, 20)]
    public void Connections_leave_descriptors_for_the_queue(int wanted, long descriptors, int connections) =>
        Assert.Equal(connections, Listening.Connections(wanted, descriptors));

    private void WriteFile(string json) => File.WriteAllText(Path.Combine(_folder, "appsettings.json"), json);

    private (ServeSettings? Settings, IReadOnlyList<string> Violations) Read(
        (string Key, string Value)[]? commandLine = null, (string Key, string Value)[]? environment = null) =>
        ServeConfiguration.Read(
            (commandLine ?? []).ToDictionary(e => e.Key, e => (string?)e.Value),
            _folder,
            (environment ?? []).ToDictionary(e => e.Key, e => e.Value));
}
