using System.Collections;
using System.Diagnostics;

namespace EvenKeel.Testing.Isolation;

/// <summary>
/// The leak check looks at the process after each test and at the end: what is there then and was not there at the beginning is a leak of
/// the tests that ran when it was first seen.
/// </summary>
public sealed class LeakCheck
{
    // A client's threads are gone some time after its disposal has returned.
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeProvider RealTime = TimeProvider.System;

    private readonly Lock _gate = new();
    private readonly HashSet<Finding> _atFirst;
    private readonly Dictionary<string, string> _environmentAtFirst;

    // Guarded by _gate.
    private readonly Dictionary<Finding, string?> _owners = [];
    private readonly HashSet<string> _running = [];
    private Dictionary<string, string> _environment;

    internal LeakCheck()
    {
        _atFirst = [.. Look()];
        _environment = _environmentAtFirst = EnvironmentNow();
    }

    /// <summary>A test begins.</summary>
    /// <param name="test">Its name.</param>
    public void Begin(string test)
    {
        lock (_gate)
            _running.Add(test);
    }

    /// <summary>A test has ended, its clean-up included.</summary>
    /// <param name="test">Its name.</param>
    /// <returns>The clients that it made and did not dispose of.</returns>
    public IReadOnlyList<Leak> End(string test)
    {
        lock (_gate)
        {
            LookLocked();
            _running.Remove(test);
        }
        return [.. LeakRegister.Leaks.Where(leak => leak.Kind == LeakKind.Client && leak.Test == test)];
    }

    /// <summary>What is left at the end of the run. What is about to go gets two seconds.</summary>
    internal async Task<IReadOnlyList<Leak>> FinishAsync()
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            IReadOnlyList<Leak> left;
            lock (_gate)
                left = [.. LookLocked(), .. LeakRegister.Leaks];
            if (left.All(leak => leak.Kind == LeakKind.Environment) || Stopwatch.GetElapsedTime(start) > Settling)
                return left;
            await Task.Delay(LookPause, RealTime).ConfigureAwait(false);
        }
    }

    private List<Leak> LookLocked()
    {
        Debug.Assert(_gate.IsHeldByCurrentThread, "one look at a time");
        var now = EnvironmentNow();
        var findings = Look().Where(finding => !_atFirst.Contains(finding)).Concat(Changed(_environmentAtFirst, now)).ToHashSet();
        var owners = _running.Count == 0 ? null : string.Join(" or ", _running.Order(StringComparer.Ordinal));

        // A variable belongs to whoever changed it last, everything else to whoever ran when it came.
        foreach (var finding in findings.Where(finding => !_owners.ContainsKey(finding)))
            _owners[finding] = owners;
        foreach (var finding in Changed(_environment, now).Where(findings.Contains))
            _owners[finding] = owners;
        _environment = now;
        return [.. findings.Select(finding => new Leak(finding.Kind, finding.What, _owners[finding]))];
    }

    private static IEnumerable<Finding> Look()
    {
        if (!ProcessView.IsAvailable)
            yield break;
        foreach (var (id, name) in ProcessView.Threads())
            yield return new Finding(LeakKind.Thread, $"{name} ({id})");
        foreach (var (id, name) in ProcessView.Children())
            yield return new Finding(LeakKind.Process, $"{name} ({id})");
        foreach (var port in ProcessView.ListeningPorts())
            yield return new Finding(LeakKind.Port, $"listening on port {port}");
    }

    private static Dictionary<string, string> EnvironmentNow()
    {
        var now = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(entry => $"environment variable {entry.Key}", entry => (string?)entry.Value ?? "");
        now["current directory"] = Environment.CurrentDirectory;
        return now;
    }

    private static IEnumerable<Finding> Changed(Dictionary<string, string> before, Dictionary<string, string> now) =>
        before.Keys.Union(now.Keys)
            .Where(name => before.GetValueOrDefault(name) != now.GetValueOrDefault(name))
            .Select(name => new Finding(LeakKind.Environment, $"{name} was changed"));

    private readonly record struct Finding(LeakKind Kind, string What);
}
