using EvenKeel.Testing.Isolation;
using EvenKeel.Testing.Synchronization;
using EvenKeel.Testing.Tests.Workers;
using Xunit;

namespace EvenKeel.Testing.Tests.Isolation;

public sealed class ClientGateTests
{
    [Fact]
    public void Clients_are_created_one_at_a_time_however_many_threads_ask()
    {
        var (inside, most) = (0, 0);
        Concurrently.Run(8, _ =>
        {
            for (var i = 0; i < 50; i++)
            {
                using var client = ClientGate.Create(
                    () =>
                    {
                        var now = Interlocked.Increment(ref inside);
                        most = Math.Max(most, now);
                        Thread.Yield();
                        Interlocked.Decrement(ref inside);
                        return new Client();
                    },
                    made => made.IsOpen);
            }
        });

        Assert.Equal(1, most);
    }

    [Fact]
    public void A_client_is_open_until_it_refuses_the_probe_and_a_creation_that_fails_leaves_nothing()
    {
        var client = ClientGate.Create(() => new Client(), made => made.IsOpen);
        Assert.Single(LeakRegister.Leaks, leak => leak.What == nameof(Client));

        client.Dispose();

        Assert.DoesNotContain(LeakRegister.Leaks, leak => leak.What == nameof(Client));
        Assert.Throws<IOException>(() => ClientGate.Create<Client>(() => throw new IOException(), made => made.IsOpen));
        using var next = ClientGate.Create(() => new Client(), made => made.IsOpen);
    }

    [Fact]
    public void Whoever_makes_a_client_asks_no_other_one_whether_it_is_open()
    {
        var asked = 0;
        using (var first = ClientGate.Create(() => new Client(), made => ++asked > 0 && made.IsOpen))
        {
            using var second = ClientGate.Create(() => new Client(), made => made.IsOpen);
            LeakRegister.Open(LeakKind.Port, "a port").Close();
            Assert.Equal(0, asked);
        }
    }

    [Fact]
    public void A_client_that_refuses_the_probe_for_another_reason_is_open()
    {
        using var client = ClientGate.Create(() => new Client(), made => made.IsOpen ? throw new IOException("no broker") : true);
        Assert.Contains(LeakRegister.Leaks, leak => leak.What == nameof(Client));
    }

    [Fact]
    public async Task A_shared_client_is_made_once_and_disposed_of_with_the_run()
    {
        await using var runs = new Runs();
        var run = runs.Start();
        var client = run.SharedClient("producer", () => new Client());
        Assert.Same(client, run.SharedClient("producer", () => new Client()));
        Assert.True(client.IsOpen);

        await run.DisposeAsync();

        Assert.Throws<ObjectDisposedException>(() => client.IsOpen);
    }

    private sealed class Client : IDisposable
    {
        private bool _isDisposed;

        public bool IsOpen => !_isDisposed ? true : throw new ObjectDisposedException(nameof(Client));

        public void Dispose() => _isDisposed = true;
    }
}
