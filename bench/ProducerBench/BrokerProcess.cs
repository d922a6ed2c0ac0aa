using System.Diagnostics;
using EvenKeel.Testing.Cluster;

namespace ProducerBench;

/// <summary>
/// An embedded broker in a process of its own: in ours, its thread would take part in our garbage collections and be counted with the
/// peers' processor time. It ends when its standard input does.
/// </summary>
internal sealed class BrokerProcess : IDisposable
{
    public const string Command = "broker";
    private readonly Process _process;

    private BrokerProcess(Process process, string bootstrapServers)
    {
        _process = process;
        BootstrapServers = bootstrapServers;
    }

    public string BootstrapServers { get; }

    public static async Task<BrokerProcess> StartAsync(string topic)
    {
        var assembly = Path.Combine(AppContext.BaseDirectory, "ProducerBench.dll");
        var start = new ProcessStartInfo("dotnet", [assembly, Command, topic])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var process = Process.Start(start)!;
        var address = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20));
        return new BrokerProcess(process, address ?? throw new InvalidOperationException("The broker's process ended before it listened."));
    }

    public static async Task<int> ServeAsync(string topic)
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync(topic, BenchBroker.Partitions);
        Console.WriteLine(broker.BootstrapServers);
        await Console.In.ReadToEndAsync();
        return 0;
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}
