using System.Collections.Concurrent;
using EvenKeel.Testing.Workers;

namespace EvenKeel.Testing.Isolation;

/// <summary>What can still be there when it should be gone.</summary>
public enum LeakKind
{
    /// <summary>A Kafka client that was made through the kit's gate and not disposed of.</summary>
    Client,

    /// <summary>A thread that began during a test and runs on.</summary>
    Thread,

    /// <summary>A leased port that was not given back, or a port on which this process still listens.</summary>
    Port,

    /// <summary>A child process that runs on.</summary>
    Process,

    /// <summary>A file or folder.</summary>
    File,

    /// <summary>A change of the environment, the current folder, the culture or a static that was not undone.</summary>
    Environment,
}

/// <summary>Something that is still there, with the test that made it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="What">Its name.</param>
/// <param name="Test">The test that made it; where several ran at that moment, all of them; null: outside of tests.</param>
public sealed record Leak(LeakKind Kind, string What, string? Test)
{
    /// <returns>A line for people.</returns>
    public override string ToString() => $"{Kind}: {What}, of {Test ?? "no test"}";
}

/// <summary>The leak register knows what the kit handed out and who has it: of this process, whatever run it came from.</summary>
internal static class LeakRegister
{
    private static readonly ConcurrentDictionary<LeakMark, Leak> Marks = new();

    public static IReadOnlyList<Leak> Leaks => [.. Marks.Where(mark => mark.Key.IsOpen).Select(mark => mark.Value)];

    /// <summary>
    /// The clients of a test that are still open; those that are closed are forgotten, so that nothing is kept alive for the length of a
    /// run. Only now are they asked: a client that its test disposes of at the moment of the question could end the process.
    /// </summary>
    public static IReadOnlyList<Leak> ClientsOf(string test)
    {
        var open = new List<Leak>();
        foreach (var (mark, leak) in Marks.Where(mark => mark.Value.Kind == LeakKind.Client && mark.Value.Test == test))
        {
            if (mark.IsOpen)
                open.Add(leak);
            else
                mark.Close();
        }
        return open;
    }

    /// <param name="kind">What it is.</param>
    /// <param name="what">Its name.</param>
    /// <param name="isOpen">Asks the thing itself, for what does not tell when it is closed.</param>
    public static LeakMark Open(LeakKind kind, string what, Func<bool>? isOpen = null)
    {
        var mark = new LeakMark(isOpen, Marks);
        Marks[mark] = new Leak(kind, what, CallingTest.Name);
        return mark;
    }
}

/// <summary>One thing in the leak register.</summary>
internal sealed class LeakMark(Func<bool>? isOpen, ConcurrentDictionary<LeakMark, Leak> register)
{
    public bool IsOpen => isOpen?.Invoke() ?? true;

    public void Close() => register.TryRemove(this, out _);
}
