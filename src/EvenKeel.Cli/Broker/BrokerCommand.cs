using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using EvenKeel.Kafka;
using EvenKeel.Testing.Cluster;

namespace EvenKeel.Cli.Broker;

/// <summary>
/// <c>evenkeel broker</c>: the embedded broker in the foreground, until Ctrl-C or SIGTERM.
/// Exit 0: it was asked to end; 1: it cannot go on; 2: usage, a port that is taken included.
/// </summary>
internal static class BrokerCommand
{
    private const int ExitEnded = 0;
    private const int ExitFailed = 1;
    private const int ExitUsage = 2;

    public static Command Create()
    {
        // Both are read by the command itself: whatever is wrong is then said at once, a port in use included.
        var port = new Option<string>("--port")
        {
            Description = "Port on 127.0.0.1 where clients bootstrap; 0: a free one.",
            HelpName = "PORT",
            DefaultValueFactory = _ => "9092",
        };
        var topics = new Option<string[]>("--topic")
        {
            Description = "A topic to begin with; again for each. Others come with their first use, with 4 partitions.",
            HelpName = "NAME:PARTITIONS",
            Arity = ArgumentArity.OneOrMore,
        };
        var command = new Command("broker", "Run a Kafka broker for trying things, in this process; it keeps nothing on disk.")
        {
            port, topics,
        };
        command.SetAction((result, cancellation) => RunAsync(
            result.GetRequiredValue(port), result.GetValue(topics) ?? [], result.InvocationConfiguration, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(
        string portText, IReadOnlyList<string> topicTexts, InvocationConfiguration console, CancellationToken cancellation)
    {
        // The parser begins to listen for signals when the command first gives its thread back: until then one would kill the process.
        await Task.Yield();
        try
        {
            // 1. Everything that is wrong, found before anything is said to run.
            var violations = new List<string>();
            var topics = TopicRequest.Read(topicTexts, violations);
            using var listener = Listen(portText, violations);
            await using var broker = EmbeddedBroker.Start();
            await CreateAsync(broker, topics, violations, cancellation);
            if (violations.Count > 0)
            {
                foreach (var violation in violations)
                    await console.Error.WriteLineAsync(violation);
                return ExitUsage;
            }

            // 2. From here on clients are answered.
            await using var relay = new BootstrapRelay(listener!, IPEndPoint.Parse(broker.BootstrapServers), console.Error.WriteLine);
            await console.Output.WriteLineAsync(Greeting(relay.Address, broker.BootstrapServers, topics));
            await console.Output.FlushAsync(cancellation);

            // 3. Until it is asked to end; the relay goes before the broker.
            await relay.Ended.WaitAsync(cancellation);
            return ExitEnded;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return ExitEnded;
        }
        catch (Exception failed) when (failed is KafkaException or DllNotFoundException or SocketException)
        {
            await console.Error.WriteLineAsync($"The broker cannot run: {failed.Message}");
            return ExitFailed;
        }
    }

    private static TcpListener? Listen(string text, List<string> violations)
    {
        if (!ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port))
        {
            violations.Add($"--port is '{text}': use 1 to 65535, or 0 for a free one.");
            return null;
        }
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException refused)
        {
            listener.Dispose();
            violations.Add(refused.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => $"--port is {port}, which is in use on 127.0.0.1: end what listens there (is it another "
                    + "broker?), or choose another port; 0 takes a free one.",
                SocketError.AccessDenied => $"--port is {port}, which this user may not listen on: choose one from 1024 on.",
                _ => $"--port is {port}, which cannot be listened on ({refused.Message}): choose another port; 0 takes a free one.",
            });
            return null;
        }
    }

    private static async Task CreateAsync(
        EmbeddedBroker broker, IReadOnlyList<TopicRequest> topics, List<string> violations, CancellationToken cancellation)
    {
        foreach (var topic in topics)
        {
            try
            {
                await broker.CreateTopicAsync(topic.Name, topic.Partitions, cancellation);
            }
            catch (KafkaException refused)
            {
                violations.Add($"--topic is '{topic.Name}:{topic.Partitions}': {refused.Message}");
            }
        }
    }

    private static string Greeting(IPEndPoint bootstrap, string brokerAddress, IReadOnlyList<TopicRequest> topics)
    {
        var lines = new List<string> { $"Kafka broker for trying things, bootstrap address {bootstrap}" };
        lines.AddRange(topics.Select(topic => $"  topic {topic.Name}, partitions {topic.Partitions}"));
        lines.AddRange([
            "It keeps nothing on disk: what it holds is gone when it ends. In memory it keeps the latest 5 MiB of a partition.",
            $"Clients on this machine only: after the bootstrap they connect to {brokerAddress}. No TLS, no SASL, no admin requests.",
            "Ctrl-C ends it.",
        ]);
        return string.Join(Environment.NewLine, lines);
    }
}
