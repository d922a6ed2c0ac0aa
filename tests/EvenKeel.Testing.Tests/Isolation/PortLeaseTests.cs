using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using EvenKeel.Testing.Isolation;
using EvenKeel.Testing.Synchronization;
using EvenKeel.Testing.Tests.Workers;
using EvenKeel.Testing.Workers;
using Xunit;
using static EvenKeel.Testing.Tests.Workers.Runs;

namespace EvenKeel.Testing.Tests.Isolation;

public sealed class PortLeaseTests : IAsyncLifetime
{
    private const string FolderSetting = "TEST_LEASE_FOLDER";
    private const string ChildSetting = "TEST_CHILD";
    private readonly Runs _runs = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _runs.DisposeAsync();

    [Fact]
    public async Task A_port_is_handed_out_once_among_threads_and_runs_and_again_when_it_is_given_back()
    {
        await using var one = _runs.Start();
        await using var two = _runs.Start();
        var leases = new ConcurrentBag<PortLease>();
        Parallel.For(0, 400, i => leases.Add((i % 2 == 0 ? one : two).LeasePort()));

        Assert.Equal(400, leases.Select(lease => lease.Port).Distinct().Count());
        Assert.All(leases, lease => Assert.InRange(lease.Port, 15_000, 25_000));
        using var file = LeaseFile.TryTake(LockOf(leases.First().Port));
        Assert.Null(file);
        foreach (var lease in leases)
            lease.Dispose();
        using var free = LeaseFile.TryTake(LockOf(leases.First().Port));
        Assert.NotNull(free);
    }

    [Fact]
    public async Task Ports_that_nobody_gave_back_are_free_when_the_run_has_ended()
    {
        var run = _runs.Start();
        var port = run.LeasePort().Port;

        await run.DisposeAsync();

        using var free = LeaseFile.TryTake(LockOf(port));
        Assert.NotNull(free);
    }

    [Fact]
    public async Task A_port_on_which_somebody_listens_is_passed_over()
    {
        await using var run = _runs.Start();
        var chosen = run.LeasePort();
        using var listener = chosen.Listen();
        chosen.Dispose();
        Assert.Throws<ObjectDisposedException>(() => chosen.Listen());

        // Every other port is leased, so the one that is in use is all there is.
        var others = Enumerable.Range(PortLeases.First, PortLeases.Last - PortLeases.First + 1).Where(port => port != chosen.Port)
            .Select(port => LeaseFile.TryTake(LockOf(port))).ToList();
        try
        {
            var refusal = Assert.Throws<InvalidOperationException>(() => run.LeasePort());
            Assert.Contains("15000", refusal.Message, StringComparison.Ordinal);
            listener.Dispose();
            using var again = run.LeasePort();
            Assert.Equal(chosen.Port, again.Port);
        }
        finally
        {
            others.ForEach(other => other?.Dispose());
        }
    }

    [Fact]
    public async Task A_socket_that_is_handed_over_accepts_at_once()
    {
        await using var run = _runs.Start();
        using var lease = run.LeasePort();
        using var listener = lease.Listen();
        using var client = new TcpClient();

        await client.ConnectAsync(IPAddress.Loopback, lease.Port, Cancellation);
        using var accepted = await listener.AcceptAsync(Cancellation);

        Assert.True(accepted.Connected);
        Assert.Throws<SocketException>(() => lease.Listen());
    }

    [Fact]
    public async Task Processes_that_lease_at_once_share_no_port_and_leave_none_whether_they_end_or_are_killed()
    {
        await LeaseFromProcessesAsync(processes: 2, ports: 200);
    }

    [Fact(Explicit = true)]
    public async Task Sixteen_processes_lease_500_ports_each()
    {
        await LeaseFromProcessesAsync(processes: 16, ports: 500);
    }

    [Fact(Explicit = true)]
    public async Task Child_leases_ports_until_it_is_told_to_end()
    {
        var parts = ChildProcess.Setting(ChildSetting).Split(' ');
        var folder = ChildProcess.Setting(FolderSetting);
        await using var run = new TestRun(_runs.Options() with { LeaseDirectory = folder });
        ChildProcess.WriteFile(Path.Combine(folder, $"ready-{parts[0]}"), []);
        await FileAsync("begin");
        var leases = Enumerable.Range(0, int.Parse(parts[1], CultureInfo.InvariantCulture)).Select(_ => run.LeasePort()).ToList();
        ChildProcess.WriteFile(
            Path.Combine(folder, $"child-{parts[0]}"), leases.Select(lease => lease.Port.ToString(CultureInfo.InvariantCulture)));
        await FileAsync("end");

        Task FileAsync(string name) =>
            WaitFor.ConditionAsync(() => File.Exists(Path.Combine(folder, name)), $"the file {name}", within: TimeSpan.FromMinutes(5));
    }

    private async Task LeaseFromProcessesAsync(int processes, int ports)
    {
        var children = Enumerable.Range(0, processes).Select(i => ChildProcess.Start<PortLeaseTests>(
            nameof(Child_leases_ports_until_it_is_told_to_end), (FolderSetting, _runs.Folder), (ChildSetting, $"{i} {ports}"))).ToList();
        try
        {
            for (var i = 0; i < processes; i++)
                await children[i].ReadFileAsync(Path.Combine(_runs.Folder, $"ready-{i}"));
            ChildProcess.WriteFile(Path.Combine(_runs.Folder, "begin"), []);
            var leased = new List<string>();
            for (var i = 0; i < processes; i++)
                leased.AddRange(await children[i].ReadFileAsync(Path.Combine(_runs.Folder, $"child-{i}")));
            Assert.Equal(processes * ports, leased.Count);
            Assert.Equal(leased.Count, leased.Distinct().Count());
            Assert.All(leased, port => Assert.Null(LeaseFile.TryTake(LockOf(int.Parse(port, CultureInfo.InvariantCulture)))));

            // Every other one is killed, the others end their run.
            foreach (var child in children.Where((_, i) => i % 2 == 0))
                await child.KillAsync();
            ChildProcess.WriteFile(Path.Combine(_runs.Folder, "end"), []);
            foreach (var child in children.Where((_, i) => i % 2 == 1))
                await child.EndAsync();

            foreach (var port in leased)
            {
                using var free = LeaseFile.TryTake(LockOf(int.Parse(port, CultureInfo.InvariantCulture)));
                Assert.NotNull(free);
            }
        }
        finally
        {
            foreach (var child in children)
                await child.DisposeAsync();
        }
    }

    private string LockOf(int port) => Path.Combine(_runs.Folder, "ports", $"{port}.lock");
}
