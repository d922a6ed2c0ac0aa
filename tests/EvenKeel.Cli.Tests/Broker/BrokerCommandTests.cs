using System.Net;
using System.Net.Sockets;
using Confluent.Kafka;
using Xunit;

namespace EvenKeel.Cli.Tests.Broker;

public sealed class BrokerCommandTests
{
    // Debian's, which its package python3-kafka serves; another Python before it on the path knows no such module.
    private const string Python = "/usr/bin/python3";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(BrokerProcess.SigTerm)]
    [InlineData(BrokerProcess.SigInt)]
    public async Task A_signal_ends_it_with_0_while_clients_are_connected_and_nothing_listens_any_more(int signal)
    {
        using var broker = await BrokerProcess.StartAsync(0, Cancellation);
        using var client = await ConnectAsync(broker.Bootstrap);

        Assert.Equal(0, await broker.EndAsync(signal, Cancellation));

        await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(broker.Bootstrap));
        Assert.DoesNotContain("xception", broker.Printed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_says_where_it_is_what_it_has_and_that_nothing_is_kept()
    {
        using var broker = await BrokerProcess.StartAsync(0, Cancellation, "--topic", "orders:4");

        Assert.Contains("topic orders, partitions 4", broker.Printed, StringComparison.Ordinal);
        Assert.Contains("keeps nothing on disk", broker.Printed, StringComparison.Ordinal);
        Assert.Contains("5 MiB", broker.Printed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_is_free_again_as_soon_as_the_broker_has_ended()
    {
        using var first = await BrokerProcess.StartAsync(0, Cancellation);
        using var client = await ConnectAsync(first.Bootstrap);
        await first.EndAsync(BrokerProcess.SigTerm, Cancellation);

        using var second = await BrokerProcess.StartAsync(IPEndPoint.Parse(first.Bootstrap).Port, Cancellation);
        Assert.Equal(first.Bootstrap, second.Bootstrap);
    }

    [Fact]
    public async Task What_a_client_writes_through_the_bootstrap_port_another_one_reads()
    {
        using var broker = await BrokerProcess.StartAsync(0, Cancellation, "--topic", "orders:4");
        var config = new ClientConfig { BootstrapServers = broker.Bootstrap };
        using (var producer = new ProducerBuilder<string, string>(config).Build())
        {
            for (var i = 0; i < 100; i++)
                await producer.ProduceAsync("orders", new() { Key = $"key{i % 8}", Value = $"{i}" }, Cancellation);
        }

        using var consumer = new ConsumerBuilder<string, string>(new ConsumerConfig(config)
        {
            GroupId = "readers",
            AutoOffsetReset = AutoOffsetReset.Earliest,
            FetchWaitMaxMs = 10,
        }).Build();
        consumer.Subscribe("orders");
        var read = new List<(string Key, int Number)>();
        while (read.Count < 100)
        {
            var record = consumer.Consume(BrokerProcess.Deadline)
                ?? throw new TimeoutException($"{read.Count} of 100 records came within {BrokerProcess.Deadline}.");
            read.Add((record.Message.Key, int.Parse(record.Message.Value, null)));
        }
        consumer.Close();

        Assert.Equal(Enumerable.Range(0, 100), read.Select(record => record.Number).Order());
        foreach (var key in read.GroupBy(record => record.Key))
            Assert.Equal(key.Select(record => record.Number).Order(), key.Select(record => record.Number));
    }

    [Fact]
    public async Task Kcat_writes_and_reads_through_the_bootstrap_port()
    {
        using var broker = await BrokerProcess.StartAsync(0, Cancellation, "--topic", "lines:1");
        var file = Path.Combine(Directory.CreateTempSubdirectory("evenkeel-cli-").FullName, "lines");
        await File.WriteAllTextAsync(file, "one\ntwo\nthree\n", Cancellation);

        var written = await BrokerProcess.RunAsync("kcat", Cancellation, "-P", "-b", broker.Bootstrap, "-t", "lines", "-l", file);
        Assert.SkipWhen(written is null, "kcat is not installed (Debian: apt-get install kcat).");
        Assert.Equal((0, ""), (written!.Value.Exit, written.Value.Errors));
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        var read = await BrokerProcess.RunAsync(
            "kcat", Cancellation, "-C", "-b", broker.Bootstrap, "-t", "lines", "-c", "3", "-q", "-X", "fetch.wait.max.ms=10");

        Assert.Equal((0, "one\ntwo\nthree\n"), (read!.Value.Exit, read.Value.Output));
    }

    [Fact]
    public async Task Pythons_client_writes_and_reads_through_the_bootstrap_port()
    {
        var installed = await BrokerProcess.RunAsync(Python, Cancellation, "-c", "import kafka");
        Assert.SkipUnless(
            installed is { Exit: 0 }, $"Python's Kafka client is not installed for {Python} (Debian: apt-get install python3-kafka).");
        using var broker = await BrokerProcess.StartAsync(0, Cancellation, "--topic", "lines:1");

        var ran = await BrokerProcess.RunAsync(Python, Cancellation, "-c", """
            import sys
            from kafka import KafkaConsumer, KafkaProducer, TopicPartition
            producer = KafkaProducer(bootstrap_servers=sys.argv[1])
            for i in range(10): producer.send('lines', key=b'key', value=b'%d' % i).get(20)
            producer.close()
            consumer = KafkaConsumer(bootstrap_servers=sys.argv[1], auto_offset_reset='earliest', consumer_timeout_ms=20000)
            consumer.assign([TopicPartition('lines', 0)])
            print(*[next(consumer).value.decode() for _ in range(10)])
            consumer.close()
            """, broker.Bootstrap);

        Assert.Equal((0, "0 1 2 3 4 5 6 7 8 9\n"), (ran!.Value.Exit, ran.Value.Output));
    }

    [Fact]
    public async Task All_that_is_wrong_is_named_at_once_with_the_fix_a_port_in_use_included()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = $"{((IPEndPoint)taken.LocalEndpoint).Port}";

        var (exit, output, errors) = (await BrokerProcess.RunAsync(
            null, Cancellation, "broker", "--port", port, "--topic", "plain", "--topic", "none:0", "--topic", "many:10001",
            "--topic", "word:x", "--topic", ":3", "--topic", "no/name:1", "--topic", "twice:1", "--topic", "twice:2"))!.Value;

        Assert.Equal((2, ""), (exit, output));
        Assert.Collection(
            errors.TrimEnd('\n').Split('\n'),
            line => Assert.Equal("--topic is 'plain': write name:partitions, such as orders:4.", line),
            line => Assert.Equal("--topic is 'none:0': '0' is no count of partitions; use 1 to 10000.", line),
            line => Assert.Equal("--topic is 'many:10001': '10001' is no count of partitions; use 1 to 10000.", line),
            line => Assert.Equal("--topic is 'word:x': 'x' is no count of partitions; use 1 to 10000.", line),
            line => Assert.Equal("--topic is ':3': write name:partitions, such as orders:4.", line),
            line => Assert.Equal("--topic names 'twice' twice: name each topic once.", line),
            line => Assert.StartsWith($"--port is {port}, which is in use on 127.0.0.1:", line, StringComparison.Ordinal),
            line => Assert.StartsWith("--topic is 'no/name:1': 'no/name' is no topic name", line, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("65536")]
    [InlineData("-1")]
    [InlineData("kafka")]
    public async Task A_port_that_is_none_is_named(string port)
    {
        var (exit, output, errors) = (await BrokerProcess.RunAsync(null, Cancellation, "broker", $"--port={port}"))!.Value;

        Assert.Equal((2, ""), (exit, output));
        Assert.Contains($"'{port}'", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("scan", "tests")]
    [InlineData("broker", "--data=here")]
    [InlineData("broker", "--topic")]
    [InlineData("broker", "--port=")]
    [InlineData("broker", "--port", "1", "--port", "2")]
    [InlineData("broker", "orders")]
    [InlineData]
    public async Task What_it_does_not_know_is_a_usage_error(params string[] arguments)
    {
        var (exit, output, errors) = (await BrokerProcess.RunAsync(null, Cancellation, arguments))!.Value;

        Assert.Equal((2, ""), (exit, output));
        Assert.Contains("evenkeel --help", errors, StringComparison.Ordinal);
    }

    private static async Task<Socket> ConnectAsync(string address)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPEndPoint.Parse(address), Cancellation);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
