using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using KafkaChaos;
using KafkaChaos.Clusters;

namespace Chaos.Kafka;

/// <summary>A PostgreSQL server of this run's own, which can be killed and started again; its files are gone when it is disposed of.</summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    private const string Programs = "/usr/lib/postgresql";
    private const string User = "postgres";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private readonly string _folder;
    private readonly string _programs;
    private readonly int _port;

    private PostgresServer(string folder, string programs, int port) => (_folder, _programs, _port) = (folder, programs, port);

    public string Connection => $"Host=127.0.0.1;Port={_port};Username={User};Database={User}";

    /// <exception cref="UsageException">There is no PostgreSQL server on this machine.</exception>
    public static async Task<PostgresServer> StartAsync(CancellationToken cancellation)
    {
        var programs = Directory.Exists(Programs)
            ? Directory.EnumerateDirectories(Programs).Select(version => Path.Combine(version, "bin")).Order().LastOrDefault()
            : null;
        if (programs is null)
            throw new UsageException($"There is no PostgreSQL server in {Programs}: install the package postgresql.");
        var folder = Directory.CreateTempSubdirectory("metricstream-postgres-").FullName;
        using var port = new TcpListener(IPAddress.Loopback, 0);
        port.Start();
        var server = new PostgresServer(folder, programs, ((IPEndPoint)port.LocalEndpoint).Port);
        port.Stop();

        // It refuses to run as root.
        if (Environment.IsPrivilegedProcess)
            await Script.RunAsync(new ProcessStartInfo("chown", [User, folder]), Limit, cancellation);
        await server.ProgramAsync("initdb", ["-D", server.Data, "-A", "trust", "-U", User], cancellation);
        await server.ReturnAsync(cancellation);
        return server;
    }

    private string Data => Path.Combine(_folder, "data");

    /// <summary>Ends it as a crash does: it recovers from its log at the next start.</summary>
    public Task KillAsync(CancellationToken cancellation) =>
        ProgramAsync("pg_ctl", ["-D", Data, "-m", "immediate", "stop"], cancellation);

    /// <summary>Starts it on its port; it serves when this returns.</summary>
    public Task ReturnAsync(CancellationToken cancellation) => ProgramAsync(
        "pg_ctl",
        ["-D", Data, "-l", Path.Combine(_folder, "log"), "-w", "-o", $"-p {_port} -k {_folder} -c listen_addresses=127.0.0.1", "start"],
        cancellation);

    public async ValueTask DisposeAsync()
    {
        if (File.Exists(Path.Combine(Data, "postmaster.pid")))
            await KillAsync(CancellationToken.None);
        Directory.Delete(_folder, recursive: true);
    }

    private Task<string> ProgramAsync(string program, IEnumerable<string> arguments, CancellationToken cancellation)
    {
        var path = Path.Combine(_programs, program);
        var start = Environment.IsPrivilegedProcess
            ? new ProcessStartInfo("runuser", ["-u", User, "--", path, .. arguments])
            : new ProcessStartInfo(path, arguments);
        start.WorkingDirectory = _folder;
        return Script.RunAsync(start, Limit, cancellation);
    }
}
