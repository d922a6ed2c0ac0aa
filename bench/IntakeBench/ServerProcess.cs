using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace IntakeBench;

/// <summary>A server in a process of its own, ended with this one.</summary>
internal sealed class ServerProcess : IDisposable
{
    private readonly Process _process;
    private readonly TaskCompletionSource<string> _address = new();

    private ServerProcess(Process process, string? address)
    {
        _process = process;
        if (address is not null)
            _address.SetResult(address);
        process.OutputDataReceived += (_, line) =>
        {
            const string said = "listening on ";
            if (line.Data is { } text && text.IndexOf(said, StringComparison.Ordinal) is >= 0 and var at)
                _address.TrySetResult(text[(at + said.Length)..].Trim());
        };
        process.BeginOutputReadLine();
    }

    public static ServerProcess Start(string assembly, string arguments)
    {
        var start = new ProcessStartInfo("dotnet", $"\"{assembly}\" {arguments}") { RedirectStandardOutput = true };
        var fixedPort = arguments.StartsWith("keep-nothing ", StringComparison.Ordinal) ? arguments["keep-nothing ".Length..] : null;
        return new ServerProcess(Process.Start(start)!, fixedPort is null ? null : $"http://127.0.0.1:{fixedPort}");
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>The base address, once the server answers there.</summary>
    public async Task<string> AddressAsync()
    {
        var address = await _address.Task.WaitAsync(TimeSpan.FromSeconds(20));
        using var http = new HttpClient();
        for (var deadline = Stopwatch.StartNew(); ; await Task.Delay(50))
        {
            try
            {
                await http.GetAsync(new Uri(address + "/health/live"));
                return address;
            }
            catch (HttpRequestException) when (deadline.Elapsed < TimeSpan.FromSeconds(20))
            {
                continue;
            }
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }
}
