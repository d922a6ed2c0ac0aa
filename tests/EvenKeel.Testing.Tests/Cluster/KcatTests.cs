using System.ComponentModel;
using System.Diagnostics;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Tests.Native;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Testing.Tests.Cluster;

/// <summary>What we write, read by a client that is not ours.</summary>
public sealed class KcatTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task Kcat_reads_every_record_in_its_order_with_key_and_headers(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topicName = NewName("kcat");
        await broker.CreateTopicAsync(topicName, 1, Cancellation);
        await using var producer = Producer(broker.BootstrapServers);
        using var queue = EventQueue.Main(producer);
        var topic = producer.Topic(topicName);
        for (var i = 0; i < 500; i++)
            Assert.Equal(KafkaErrorCode.None, SendWithHeader(producer, topic, i));
        Assert.All(TakeReports(queue, 500), report => Assert.Equal(KafkaErrorCode.None, report.Error));

        var output = await Kcat("-C", "-b", broker.BootstrapServers, "-t", topicName, "-o", "beginning", "-c", "500", "-e", "-q",
            "-X", "fetch.wait.max.ms=10", "-f", "%o|%k|%s|%h\\n");

        Assert.Equal(
            Enumerable.Range(0, 500).Select(i => $"{i}|key {i % 7}|value {i}|number={i}"),
            output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static unsafe KafkaErrorCode SendWithHeader(ClientHandle producer, TopicHandle topic, int number)
    {
        var (value, key) = (System.Text.Encoding.UTF8.GetBytes($"value {number}"), System.Text.Encoding.UTF8.GetBytes($"key {number % 7}"));
        var header = System.Text.Encoding.UTF8.GetBytes($"{number}");
        fixed (byte* valuePointer = value, keyPointer = key, headerPointer = header, name = "number\0"u8)
        {
            return producer.Produce(
            [
                NativeArgument.Topic(topic.Pointer), NativeArgument.Flags(MessageFlags.Copy), NativeArgument.Opaque(number),
                NativeArgument.Value(valuePointer, (nuint)value.Length), NativeArgument.Key(keyPointer, (nuint)key.Length),
                NativeArgument.Header(name, headerPointer, header.Length),
            ]);
        }
    }

    private static async Task<string> Kcat(params string[] arguments)
    {
        // kcat finds the system's librdkafka, not the one beside this test.
        var start = new ProcessStartInfo("kcat", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception missing)
        {
            Assert.Skip($"kcat is not installed (Debian: apt-get install kcat): {missing.Message}");
            throw;
        }
        using (process)
        {
            var output = process.StandardOutput.ReadToEndAsync(Cancellation);
            var errors = process.StandardError.ReadToEndAsync(Cancellation);
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
            deadline.CancelAfter(Deadline);
            try
            {
                await process.WaitForExitAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill();
                throw new TimeoutException($"kcat did not end within {Deadline}.");
            }
            Assert.True(process.ExitCode == 0, $"kcat ended with {process.ExitCode}: {await errors}");
            return await output;
        }
    }
}
