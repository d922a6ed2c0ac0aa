using Xunit;

namespace House.Scripts;

/// <summary><c>.ci/run</c> and the Kafka it starts for the tests.</summary>
public sealed class CiRunTests : IDisposable
{
    private const string Start = "start --property broker.session.timeout.ms=60000";

    private readonly CiBench _bench = new();

    public CiRunTests() => Assert.SkipWhen(OperatingSystem.IsWindows(), ".ci/run is a bash script.");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task A_named_Kafka_runs_for_the_tests_and_is_stopped_by_its_port()
    {
        _bench.PutKafka();
        var end = await _bench.RunAsync(Cancellation, ("EVENKEEL_KAFKA_HOME", _bench.KafkaHome));

        Assert.Equal(0, end.ExitCode);
        Assert.Equal(
            [
                $"dotnet restore nowhere {_bench.KafkaHome}", $"dotnet build nowhere {_bench.KafkaHome}",
                $"dotnet format nowhere {_bench.KafkaHome}", Start, $"dotnet test 127.0.0.1:4711 {_bench.KafkaHome}", "pack",
                "stop 4711",
            ],
            end.Calls);
        Assert.EndsWith("3 passed, 0 failed, 1 skipped\n", end.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_folder_may_be_relative_to_where_the_run_was_started()
    {
        _bench.PutKafka();
        var end = await _bench.RunAsync(Cancellation, ("EVENKEEL_KAFKA_HOME", "elsewhere/kafka"));

        Assert.Contains($"dotnet test 127.0.0.1:4711 {_bench.KafkaHome}", end.Calls);
    }

    [Fact]
    public async Task Each_node_of_a_cluster_is_stopped_and_no_other_broker()
    {
        _bench.PutKafka(start: "echo 127.0.0.1:4711,127.0.0.1:4712");
        var end = await _bench.RunAsync(Cancellation, ("EVENKEEL_KAFKA_HOME", _bench.KafkaHome));

        Assert.Equal(["stop 4711", "stop 4712"], end.Calls.Where(call => call.StartsWith("stop", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_failed_is_told_again_before_the_totals()
    {
        _bench.PutKafka();
        _bench.ReplaceDotnetTest(
            """
            printf 'failed Orders.Come_in_order (30s)\n  0 of 10\n    at Orders.cs:7\nskipped Orders.Other\n  no broker\n'
            printf 'Test run summary: Failed!\n  total: 2\n  failed: 1\n  succeeded: 0\n  skipped: 1\n'
            exit 2
            """);
        var end = await _bench.RunAsync(Cancellation, ("EVENKEEL_KAFKA_HOME", _bench.KafkaHome));

        Assert.EndsWith(
            "failed Orders.Come_in_order (30s)\n  0 of 10\n    at Orders.cs:7\n0 passed, 1 failed, 1 skipped\n", end.Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_stopped_when_tests_fail_too()
    {
        _bench.PutKafka();
        _bench.ReplaceDotnetTest("exit 2");
        var end = await _bench.RunAsync(Cancellation, ("EVENKEEL_KAFKA_HOME", _bench.KafkaHome));

        Assert.Equal((2, "stop 4711"), (end.ExitCode, end.Calls[^1]));
    }

    [Theory]
    [InlineData("kill -TERM $PPID", 143)]
    [InlineData("kill -INT $PPID", 130)]
    public async Task It_is_stopped_when_the_run_is_interrupted_too(string interruption, int exitCode)
    {
        _bench.PutKafka();
        _bench.ReplaceDotnetTest(interruption);
        var end = await _bench.RunAsync(Cancellation, ("EVENKEEL_KAFKA_HOME", _bench.KafkaHome));

        Assert.Equal((exitCode, "stop 4711"), (end.ExitCode, end.Calls[^1]));
    }

    [Fact]
    public async Task An_interruption_during_its_start_does_not_leave_it_behind()
    {
        _bench.PutKafka(start: $"kill -TERM $(cat '{_bench.Folder}/pid'); echo 127.0.0.1:4711");
        var end = await _bench.RunAsync(Cancellation, ("EVENKEEL_KAFKA_HOME", _bench.KafkaHome), ("BASH_ENV", PidNote()));

        Assert.Equal((143, "stop 4711"), (end.ExitCode, end.Calls[^1]));
        Assert.DoesNotContain(end.Calls, call => call.StartsWith("dotnet test", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("echo 'no java on PATH' >&2; exit 1", "no java on PATH")]
    [InlineData("echo started", "printed 'started' and no address")]
    public async Task A_named_Kafka_that_does_not_start_fails_the_run_before_the_tests(string start, string said)
    {
        _bench.PutKafka(start);
        var end = await _bench.RunAsync(Cancellation, ("EVENKEEL_KAFKA_HOME", _bench.KafkaHome));

        Assert.Equal(1, end.ExitCode);
        Assert.Contains(said, end.Errors, StringComparison.Ordinal);
        Assert.Contains("unset EVENKEEL_KAFKA_HOME", end.Errors, StringComparison.Ordinal);
        Assert.Equal(Start, end.Calls[^1]);
    }

    [Fact]
    public async Task A_named_folder_without_the_scripts_fails_the_run()
    {
        var end = await _bench.RunAsync(Cancellation, ("EVENKEEL_KAFKA_HOME", _bench.KafkaHome));

        Assert.Equal(1, end.ExitCode);
        Assert.Contains($"{_bench.KafkaHome}, which has no executable 'start'", end.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_Kafka_found_beside_the_repository_is_used()
    {
        _bench.PutKafka(folder: "shared/kafka");
        var end = await _bench.RunAsync(Cancellation);

        Assert.Equal(0, end.ExitCode);
        Assert.Contains($"dotnet test 127.0.0.1:4711 {_bench.Folder}/shared/kafka", end.Calls);
        Assert.Equal("stop 4711", end.Calls[^1]);
    }

    [Fact]
    public async Task A_Kafka_found_beside_the_repository_that_does_not_start_is_a_warning()
    {
        _bench.PutKafka("exit 1", "shared/kafka");
        var end = await _bench.RunAsync(Cancellation);

        Assert.Equal((0, "pack"), (end.ExitCode, end.Calls[^1]));
        Assert.Contains("WARNING", end.Errors, StringComparison.Ordinal);
        Assert.Contains("dotnet test nowhere homeless", end.Calls);
    }

    [Fact]
    public async Task Without_a_Kafka_it_says_so_and_runs_the_tests()
    {
        var end = await _bench.RunAsync(Cancellation);

        Assert.Equal(0, end.ExitCode);
        Assert.Contains("No real Kafka", end.Output, StringComparison.Ordinal);
        Assert.Contains("No PostgreSQL", end.Output, StringComparison.Ordinal);
        Assert.Contains("dotnet test nowhere homeless", end.Calls);
    }

    [Fact]
    public async Task A_broker_that_runs_already_is_used_and_left_alone_and_a_connection_string_is_not_printed()
    {
        _bench.PutKafka();
        var end = await _bench.RunAsync(
            Cancellation, ("EVENKEEL_KAFKA_HOME", _bench.KafkaHome), ("EVENKEEL_BOOTSTRAP_SERVERS", "broker:9092"),
            ("EVENKEEL_POSTGRES", "Host=db;Password=secret"));

        Assert.Equal((0, "pack"), (end.ExitCode, end.Calls[^1]));
        Assert.Contains($"dotnet test broker:9092 {_bench.KafkaHome}", end.Calls);
        Assert.DoesNotContain(Start, end.Calls);
        Assert.Contains("EVENKEEL_POSTGRES", end.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", end.Output + end.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broker_that_cannot_be_stopped_is_named()
    {
        _bench.PutKafka(stop: "exit 1");
        var end = await _bench.RunAsync(Cancellation, ("EVENKEEL_KAFKA_HOME", _bench.KafkaHome));

        Assert.Contains("4711 could not be stopped", end.Errors, StringComparison.Ordinal);
    }

    /// <summary>What bash reads before a script: it notes the process of <c>.ci/run</c>, the first bash of all.</summary>
    private string PidNote()
    {
        var file = Path.Combine(_bench.Folder, "note-pid");
        File.WriteAllText(file, $"[ -e '{_bench.Folder}/pid' ] || echo $$ > '{_bench.Folder}/pid'\n");
        return file;
    }
}
