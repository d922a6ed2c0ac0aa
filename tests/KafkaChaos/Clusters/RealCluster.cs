using EvenKeel.Testing.Cluster;

namespace KafkaChaos.Clusters;

/// <summary>A real Kafka cluster of this run's own, with its log in a temporary folder; both are gone when it is disposed of.</summary>
internal sealed class RealCluster : ICluster
{
    private const int MostReplicas = 3;

    private readonly KafkaHome _home;
    private readonly string _folder;
    private readonly string[] _ports;
    private readonly bool[] _dead;
    private readonly string? _adminLogin;

    private RealCluster(KafkaHome home, string folder, string bootstrapServers, string? adminLogin)
    {
        _home = home;
        _folder = folder;
        BootstrapServers = bootstrapServers;
        _ports = [.. bootstrapServers.Split(',').Select(address => address[(address.LastIndexOf(':') + 1)..])];
        _dead = new bool[_ports.Length];
        _adminLogin = adminLogin;
    }

    public string BootstrapServers { get; }

    public int Nodes => _ports.Length;

    public bool IsEmbedded => false;

    /// <summary>Starts one; it serves when this returns.</summary>
    /// <param name="home">Its scripts.</param>
    /// <param name="cancellation">Ends the start.</param>
    /// <param name="options">More of what <c>start</c> takes: <c>--nodes 3</c>, <c>--sasl</c>, <c>--property K=V</c>.</param>
    public static async Task<RealCluster> StartAsync(KafkaHome home, CancellationToken cancellation, params string[] options)
    {
        var folder = Directory.CreateTempSubdirectory("kafka-chaos-").FullName;
        var login = (string?)null;
        if (options.Contains("--sasl"))
        {
            login = Path.Combine(folder, "admin.properties");
            await File.WriteAllLinesAsync(login, AdminLogin, cancellation);
        }
        var address = await home.StartAsync(["--data", Path.Combine(folder, "data"), .. options], cancellation);
        return new RealCluster(home, folder, address, login);
    }

    private static string[] AdminLogin =>
    [
        "security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN",
        "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"admin\" password=\"admin-secret\";",
    ];

    public async Task KillAsync(int node, CancellationToken cancellation)
    {
        await _home.StopAsync([_ports[node], "--kill"], cancellation);
        _dead[node] = true;
    }

    public async Task ReturnAsync(int node, CancellationToken cancellation)
    {
        await _home.StartAsync(["--again", Path.Combine(_folder, "data", $"node-{node + 1}")], cancellation);
        _dead[node] = false;
    }

    public async Task CreateTopicAsync(string topic, int partitions, CancellationToken cancellation)
    {
        var replicas = Math.Min(MostReplicas, Nodes);
        if (_adminLogin is not null)
        {
            await ToolAsync(
                ["topics", "--create", "--topic", topic, "--partitions", $"{partitions}", "--replication-factor", $"{replicas}"],
                cancellation);
            return;
        }
        await using var admin = TestBroker.Connect(BootstrapServers);
        await admin.CreateTopicAsync(topic, partitions, cancellation);
    }

    public async Task DeleteTopicAsync(string topic, CancellationToken cancellation)
    {
        await using var admin = TestBroker.Connect(BootstrapServers);
        await admin.DeleteTopicAsync(topic, cancellation);
    }

    /// <summary>Kafka's own tool on this cluster, as the administrator.</summary>
    public Task<string> ToolAsync(string[] command, CancellationToken cancellation)
    {
        string[] login = _adminLogin is null ? [] : ["--command-config", _adminLogin];
        return _home.ToolAsync([command[0], "--bootstrap-server", BootstrapServers, .. login, .. command[1..]], cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        for (var node = 0; node < _ports.Length; node++)
        {
            // Its log is thrown away: nothing is gained by a clean shutdown.
            if (!_dead[node])
                await KillAsync(node, CancellationToken.None);
        }
        Directory.Delete(_folder, recursive: true);
    }
}
