using Confluent.Kafka;
using EvenKeel.Testing.Cluster;
using EvenKeel.Testing.Tests;
using Xunit;

namespace EvenKeel.Testing.XunitV3.Tests;

public sealed class KafkaKitTests
{
    [Fact, KafkaTest]
    public async Task A_record_of_a_plain_Confluent_producer_is_received()
    {
        var topic = await KafkaKit.TopicAsync("orders");
        var consumer = await KafkaKit.ConsumerAsync(topic);
        using var producer = new ProducerBuilder<string, string>(new ProducerConfig { BootstrapServers = KafkaKit.BootstrapServers }).Build();
        await producer.ProduceAsync(topic, new() { Key = "customer-7", Value = "one keel" }, TestContext.Current.CancellationToken);

        var record = await consumer.ReceiveAsync();

        Assert.Equal(("customer-7", "one keel"), (record.Key, record.Value));
    }

    [Fact, KafkaTest]
    public async Task A_test_that_needs_faults_runs_on_the_embedded_broker_and_is_skipped_on_a_real_one()
    {
        if (TestBroker.ExternalAddress is null)
        {
            KafkaKit.Faults.SetRoundTripTime(TimeSpan.Zero);
            return;
        }
        var skip = Assert.Throws<InvalidOperationException>(() => KafkaKit.Faults);
        Assert.StartsWith("$XunitDynamicSkip$", skip.Message, StringComparison.Ordinal);
        Assert.Contains("needs the embedded one", skip.Message, StringComparison.Ordinal);
        await Task.CompletedTask;
    }

    [Fact]
    public async Task A_failing_test_renews_exactly_its_workers_topics_and_the_next_tests_pass()
    {
        // Two threads whatever the processors: on one, the second class would come to the first one's worker, and to its renewed topics.
        using var folder = new NotesFolder();
        await using var child = ChildProcess.StartClasses(
            [typeof(FailingSuite), typeof(PassingSuite)], ["--max-threads", "2"], (NotesFolder.Setting, folder.Path));

        var output = await child.EndAsync(exitCode: 2);

        Assert.Contains("failed: 1", output, StringComparison.Ordinal);
        Assert.Contains("succeeded: 5", output, StringComparison.Ordinal);
        var failing = folder.Read(nameof(FailingSuite));
        var passing = folder.Read(nameof(PassingSuite));
        Assert.Equal(failing[0], failing[1]);
        Assert.Equal(failing[0] + "-f1", failing[2]);
        Assert.Equal(failing[2], failing[3]);
        Assert.Single(passing.Distinct());
        Assert.DoesNotContain(passing[0], failing);
    }

    [Fact]
    public async Task Each_test_has_a_worker_of_its_own_where_that_is_asked_for()
    {
        using var folder = new NotesFolder();
        await using var child = ChildProcess.StartClasses(
            [typeof(FailingSuite)], (NotesFolder.Setting, folder.Path), (KitSetup.PerTest, "1"));

        await child.EndAsync(exitCode: 2);

        // One after the other, so the same worker came back to each, with the version that the failure left.
        Assert.Equal(2, folder.Read(nameof(FailingSuite)).Distinct().Count());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_class_has_one_worker_with_its_fixture_or_each_of_its_tests_another(bool isPerTest)
    {
        using var folder = new NotesFolder();
        (string, string)[] settings = isPerTest ? [(KitSetup.PerTest, "1")] : [];
        await using var child = ChildProcess.StartClasses([typeof(FixtureSuite)], [(NotesFolder.Setting, folder.Path), .. settings]);

        await child.EndAsync();

        // The fixture's is the first; it keeps it as long as the class runs.
        var workers = folder.Read(nameof(FixtureSuite));
        Assert.Equal(3, workers.Length);
        Assert.Equal(isPerTest ? 0 : 2, workers[1..].Count(worker => worker == workers[0]));
    }

    [Fact]
    public async Task Tests_that_use_the_kit_wrongly_are_told_so_and_harm_no_other()
    {
        using var folder = new NotesFolder();
        await using var child = ChildProcess.StartClasses([typeof(WrongUseSuite)], (NotesFolder.Setting, folder.Path));

        var output = await child.EndAsync(exitCode: 2);

        Assert.Contains("timed out after 1000", output, StringComparison.Ordinal);
        Assert.Contains("succeeded: 4", output, StringComparison.Ordinal);
        var topic = Assert.Single(folder.Read(nameof(WrongUseSuite)).TakeLast(4).Distinct());
        Assert.EndsWith("-f1", topic, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_test_that_needed_a_retry_is_reported_as_unstable_and_a_failed_tests_folder_stays()
    {
        using var folder = new NotesFolder();
        var report = Path.Combine(folder.Path, "report");
        await using var child = ChildProcess.StartClasses(
            [typeof(UnstableSuite)], ["--report-ctrf", "--results-directory", report], (NotesFolder.Setting, folder.Path));

        await child.EndAsync(exitCode: 2);

        var written = await File.ReadAllTextAsync(
            Assert.Single(Directory.EnumerateFiles(report, "*.ctrf")), TestContext.Current.CancellationToken);
        Assert.Contains("is unstable: connecting succeeded at try 2 of 5, after IOException: refused", written, StringComparison.Ordinal);
        var kept = Assert.Single(folder.Read(nameof(UnstableSuite))) + "-failed";
        Assert.True(File.Exists(Path.Combine(kept, "evidence")));
        Directory.Delete(kept, recursive: true);
    }
}
