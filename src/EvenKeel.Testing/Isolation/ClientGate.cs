using EvenKeel.Kafka.Native;

namespace EvenKeel.Testing.Isolation;

/// <summary>
/// Where clients of any Kafka library are created one at a time in this process, and remembered with the test that made them until they
/// are disposed of.
/// </summary>
public static class ClientGate
{
    /// <summary>
    /// Creates a client; with Confluent.Kafka: <c>ClientGate.Create(() =&gt; builder.Build(), client =&gt; client.AddBrokers(""))</c>.
    /// </summary>
    /// <typeparam name="T">The client's type.</typeparam>
    /// <param name="create">Creates it.</param>
    /// <param name="probe">
    /// Anything that a client that is disposed of refuses with an <see cref="ObjectDisposedException"/>: so it is known to be gone.
    /// </param>
    public static T Create<T>(Func<T> create, Func<T, object?> probe)
        where T : IDisposable
    {
        ArgumentNullException.ThrowIfNull(create);
        ArgumentNullException.ThrowIfNull(probe);
        var client = CreationGate.Run(create);
        LeakRegister.Open(LeakKind.Client, typeof(T).Name.Split('`')[0], () => IsOpen(client, probe));
        return client;
    }

    private static bool IsOpen<T>(T client, Func<T, object?> probe)
    {
        try
        {
            probe(client);
            return true;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
#pragma warning disable CA1031 // Whoever refuses for another reason is there: the question was not what it would say.
        catch (Exception)
        {
            return true;
        }
#pragma warning restore CA1031
    }
}
